import { expect, test } from "vitest";
import { allFilters, connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

test("two gateways on one listener, with the same request ids on the same topics, never see each other's messages", async () => {
  const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
  const { cloud } = plant;
  const bridge = await plant.open();
  const [one, two] = await Promise.all(
    ["gw-01", "gw-02"].map((id) => connectGateway(bridge.url, { token: plant.tokenOf(id), filters: allFilters })),
  );
  if (one === undefined || two === undefined) throw new Error("two were opened");

  await one.say("v1/gateway/connect", { device: "only-1" });
  await two.say("v1/gateway/connect", { device: "only-2" });
  for (const device of ["only-1", "only-2"]) await cloud.next("acknowledged", (record) => record.device === device);
  expect([cloud.attached("gw-01"), cloud.attached("gw-02")]).toEqual([["only-1"], ["only-2"]]);

  cloud.setConfig("only-1", '{"a":1}');
  cloud.setConfig("only-2", '{"b":2}');
  cloud.sendCommand("only-1", "1", "go");
  cloud.sendCommand("only-2", "2", "go");
  await Promise.all([one, two].map((gateway) => gateway.heard.take(2)));
  for (const gateway of [one, two]) {
    await gateway.say("v1/devices/me/rpc/request/1", '{"method":"getServerTime"}');
    await gateway.say("v1/devices/me/attributes/request/1", "{}");
  }
  await one.say("v1/gateway/attributes/request", { id: 1, device: "only-1", client: false, key: "a" });
  await two.say("v1/gateway/attributes/request", { id: 1, device: "only-2", client: false, key: "b" });
  for (const [index, gateway] of [one, two].entries()) {
    await gateway.heard.take(5);
    // What a gateway says on topics that it listens to itself does not come back.
    await gateway.say("v1/devices/me/attributes", '{"note":"mine"}');
    await gateway.say("v1/gateway/attributes", { [`echo-${index}`]: { note: "mine" } });
    await gateway.say("v1/gateway/rpc", { device: `echo-${index}`, id: 4711, data: "mine" });
    await gateway.say("v1/gateway/attributes/response", '{"id":1}');
  }
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0 });

  const others = { one: /only-2|"b":|mine/, two: /only-1|"a":|mine/ };
  for (const [gateway, alien] of [
    [one, others.one],
    [two, others.two],
  ] as const) {
    expect(gateway.heard.all).toHaveLength(5);
    for (const { text } of gateway.heard.all) expect(text).not.toMatch(alien);
  }
  const { gateways } = bridge.status();
  expect(gateways.map(({ ledger }) => ledger.received)).toEqual([8, 8]);
});

test("a second connection of a gateway takes over; the first is closed and hears nothing more", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const bridge = await plant.open();
  const first = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await first.say("v1/gateway/connect", { device: "pump-2" });
  await cloud.next("acknowledged", ({ device }) => device === "pump-2");
  const closed = new Promise<void>((resolve) => first.client.once("close", () => resolve()));
  const second = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await closed;
  cloud.setConfig("pump-2", '{"a":1}');
  expect((await second.next("v1/gateway/attributes")).text).toBe('{"device":"pump-2","data":{"a":1}}');
  expect(first.heard.all).toEqual([]);
});

test("wrong credentials are refused and say nothing about the right ones", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  await expect(connectGateway(bridge.url, { token: "wrong-guess-1" })).rejects.toMatchObject({ code: 0x86 });
  await expect(connectGateway(bridge.url, { token: "wrong-guess-1", protocolVersion: 4 })).rejects.toMatchObject({
    code: 5,
  });
  const log = JSON.stringify(bridge.log.all);
  expect(log).toContain("gateway-refused");
  expect(log).not.toContain("wrong-guess-1");
  expect(log).not.toContain(plant.tokenOf("gw-01"));
});

test("filters outside the dialect are refused, wildcards over all included", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01"), filters: [] });
  for (const filter of ["#", "+/+/+", "v1/gateway/#", "v1/gateway/connect", "v1/devices/+/attributes", "$SYS/#"]) {
    await expect(gateway.client.subscribeAsync(filter, { qos: 1 }), filter).rejects.toThrow();
  }
  const [granted] = await gateway.client.subscribeAsync("v1/gateway/rpc", { qos: 2 });
  expect(granted?.qos).toBe(1);
});

test("a will is never published, and nothing is retained", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const bridge = await plant.open();
  const token = plant.tokenOf("gw-01");
  const will = { topic: "v1/gateway/telemetry", payload: Buffer.from('{"will-1":[{"t":1}]}'), qos: 1 as const };
  const first = await connectGateway(bridge.url, { token, filters: [], will });
  const rpc = { qos: 1 as const, retain: true };
  await first.client.publishAsync("v1/gateway/rpc", '{"device":"pump-2","id":1,"data":"kept?"}', rpc);
  await first.client.publishAsync("v1/gateway/attributes", '{"pump-2":{"kept":true}}', rpc);
  first.client.stream.destroy();
  await bridge.log.next(({ msg }) => msg === "gateway-disconnected");

  const second = await connectGateway(bridge.url, { token });
  await second.say("v1/gateway/telemetry", '{"pump-2":[{"ts":1,"values":{"t":1}}]}');
  await cloud.next("telemetry");
  await second.say("v1/gateway/attributes/request", { id: 1, device: "pump-2", client: true, key: "kept" });
  await second.next("v1/gateway/attributes/response");
  expect(second.heard.all.map(({ topic }) => topic)).toEqual(["v1/gateway/attributes/response"]);
  expect(cloud.received().some(({ device }) => device === "will-1")).toBe(false);
  expect(bridge.ledger().received).toBe(4);
});

test("an unanswered question of an ended connection is not answered to the next one", async () => {
  const plant = await openPlant();
  await plant.stopCloud();
  const bridge = await plant.open();
  const token = plant.tokenOf("gw-01");
  const ask = { id: 1, device: "fresh-1", client: false, keys: ["a"] };
  const first = await connectGateway(bridge.url, { token });
  await first.say("v1/gateway/attributes/request", ask);
  first.client.stream.destroy();
  await bridge.log.next(({ msg }) => msg === "gateway-disconnected");
  const second = await connectGateway(bridge.url, { token });
  const cloud = await plant.startCloud();
  cloud.setConfig("fresh-1", '{"a":1}');
  // Attached by the question, so the document comes as a configuration, which nobody asked for by an id.
  await second.say("v1/gateway/connect", { device: "fresh-1" });
  await second.next("v1/gateway/attributes");
  expect(second.heard.all.map(({ topic }) => topic)).toEqual(["v1/gateway/attributes"]);
});
