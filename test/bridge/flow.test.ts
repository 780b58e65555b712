import { describe, expect, test } from "vitest";
import type { GatewayStatus } from "../../src/gateway/gateway.ts";
import type { GatewayReport } from "../../src/message/status.ts";
import { connectGateway } from "./gateway-client.ts";
import { type ConfigSections, eventually, openPlant, type PlantOptions } from "./harness.ts";
import { audit, createLoad } from "./load.ts";

async function open(options: PlantOptions = {}) {
  const plant = await openPlant(options);
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  return { plant, cloud: plant.cloud, bridge, gateway };
}

describe("a backlog", () => {
  test("larger than what is kept in memory goes up in order, with what comes meanwhile behind it", async () => {
    const plant = await openPlant();
    await plant.stopCloud();
    const bridge = await plant.open();
    const load = createLoad();
    const token = plant.tokenOf("gw-01");
    const before = await load.send(bridge.url, token, 6000);
    await before.next("puback", ({ messageId }) => messageId === 6000);
    expect(bridge.ledger()).toMatchObject({ received: 6000, pending: 6000 });

    const cloud = await plant.startCloud();
    await cloud.next("telemetry");
    const during = await load.send(bridge.url, token, 1000);
    await during.next("puback", ({ messageId }) => messageId === 1000);
    await eventually(() => bridge.ledger()).toMatchObject({ received: 7000, delivered: 7000, pending: 0 });
    expect(audit(load, [cloud])).toEqual({ lost: [], disordered: [], arrived: 7000 });
    expect(cloud.received().filter(({ kind }) => kind === "telemetry")).toHaveLength(7000);
  });

  test("of large packets is kept in memory in small part, and goes up whole and in order", async () => {
    const limits = { messagesPerSecond: 100_000, bytesPerSecond: "1GiB" };
    const plant = await openPlant({ upstream: { limits } });
    await plant.stopCloud();
    const bridge = await plant.open();
    const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
    const point = (ts: number) => ({ ts, values: { text: "x".repeat(100_000) } });
    const packets = 60;
    for (let n = 0; n < packets; n++) {
      const points = Array.from({ length: 8 }, (_, k) => point(n * 8 + k));
      await gateway.say("v1/gateway/telemetry", { "pump-2": points });
    }
    expect(bridge.ledger()).toMatchObject({ received: packets, pending: packets });
    // Sixteen MiB are twenty-odd of them.
    const { queued } = bridge.status().gateways[0] as GatewayReport & GatewayStatus;
    expect(queued).toBeGreaterThan(10);
    expect(queued).toBeLessThan(packets / 2);

    const cloud = await plant.startCloud();
    await eventually(() => bridge.ledger()).toMatchObject({ delivered: packets, pending: 0 });
    const times = cloud
      .received()
      .filter(({ kind }) => kind === "telemetry")
      .flatMap(({ payload }) => (JSON.parse(payload.toString()) as { ts: number }[]).map(({ ts }) => ts));
    expect(times).toEqual(Array.from({ length: packets * 8 }, (_, n) => n));
  });

  test("of a device that is not let in does not keep others waiting, however large it is", async () => {
    const plant = await openPlant({ bound: ["pump-2"], upstream: { attachTimeout: "100ms" } });
    const { cloud } = plant;
    const bridge = await plant.open();
    const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
    const said = Array.from({ length: 1500 }, (_, n) =>
      gateway.say("v1/gateway/telemetry", { "ghost-1": [{ ts: n + 1, values: { n } }] }),
    );
    await gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts: 1, values: { t: 1 } }] });
    await cloud.next("telemetry", ({ device }) => device === "pump-2");
    await Promise.all(said);
    await eventually(() => bridge.ledger()).toMatchObject({ received: 1501, delivered: 1, held: 1500, pending: 0 });

    cloud.addDevice({ id: "ghost-1" });
    cloud.bind("gw-01", "ghost-1");
    await gateway.say("v1/gateway/connect", { device: "ghost-1" });
    await gateway.say("v1/gateway/telemetry", { "ghost-1": [{ ts: 1501, values: { n: 1500 } }] });
    await eventually(() => bridge.ledger()).toMatchObject({ received: 1503, delivered: 1503, held: 0, pending: 0 });
    const numbers = cloud
      .received()
      .filter(({ kind, device }) => kind === "telemetry" && device === "ghost-1")
      .map(({ payload }) => (JSON.parse(payload.toString()) as { ts: number }[])[0]?.ts);
    expect(numbers).toEqual(Array.from({ length: 1501 }, (_, n) => n + 1));
  });
});

test("with the cloud's own limits in force it is never closed for speed", async () => {
  // 100 messages and 512 KB a second, as the vendors have it, and nothing said about that in the configuration.
  const plant = await openPlant({ cloud: { limits: {} }, upstream: { limits: {} } });
  const { cloud } = plant;
  const bridge = await plant.open();
  const load = createLoad();
  const gateway = await load.send(bridge.url, plant.tokenOf("gw-01"), 200);
  await gateway.next("puback", ({ messageId }) => messageId === 200);
  await eventually(() => bridge.ledger()).toMatchObject({ received: 200, delivered: 200 });
  expect(cloud.records.filter(({ kind }) => kind === "closed" || kind === "error")).toEqual([]);
  expect(audit(load, [cloud])).toMatchObject({ lost: [], disordered: [] });
});

describe("attach and detach", () => {
  test("a repeated connect is free, and its profile is not sent", async () => {
    const { cloud, bridge, gateway } = await open();
    for (const type of ["thermostat", "default", undefined]) {
      await gateway.say("v1/gateway/connect", { device: "pump-2", type });
    }
    await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 3 });
    expect(cloud.received().map(({ kind, payload }) => [kind, payload.toString()])).toEqual([["attach", "{}"]]);
  });

  test("a disconnect goes out behind what the device said before, and what it says then attaches it again", async () => {
    const { cloud, bridge, gateway } = await open();
    for (const n of [1, 2, 3]) await gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts: n, values: { n } }] });
    await gateway.say("v1/gateway/disconnect", { device: "pump-2" });
    await gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts: 4, values: { n: 4 } }] });
    await eventually(() => bridge.ledger()).toMatchObject({ received: 5, delivered: 5 });
    expect(cloud.received().map(({ kind }) => kind)).toEqual([
      ...["attach", "telemetry", "telemetry", "telemetry", "detach", "attach", "telemetry"],
    ]);
  });

  test("a disconnect of a device that was never there attaches nothing", async () => {
    const { cloud, bridge, gateway } = await open();
    await gateway.say("v1/gateway/disconnect", { device: "never-1" });
    await gateway.say("v1/gateway/rpc", { device: "never-2", id: 1, data: 1 });
    await gateway.say("v1/gateway/telemetry", '{"pump-2":[{"ts":1,"values":{"t":1}}]}');
    await cloud.next("telemetry");
    expect(cloud.received().map(({ device }) => device)).toEqual(["pump-2", "pump-2"]);
    expect(bridge.ledger()).toMatchObject({ received: 3, dropped: { unmatched: 1 } });
  });

  test("after detachAfter without the gateway its devices are detached; when it is back they come back by what they say", async () => {
    const { plant, cloud, bridge, gateway } = await open({ rules: { detachAfter: "200ms" } });
    await gateway.say("v1/gateway/connect", { device: "pump-1" });
    await gateway.say("v1/gateway/connect", { device: "pump-2" });
    await cloud.next("acknowledged", ({ device }) => device === "pump-2");
    await gateway.end();
    await cloud.next("detach", ({ device }) => device === "pump-1");
    await cloud.next("detach", ({ device }) => device === "pump-2");
    const again = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
    await again.say("v1/gateway/telemetry", '{"pump-2":[{"ts":1,"values":{"t":1}}]}');
    await cloud.next("telemetry");
    expect(cloud.attached("gw-01")).toEqual(["pump-2"]);
  });
});

test.each([
  ["point", { telemetry: { shape: "point" } }, ['{"ts":1,"values":{"a":1.0,"b":[2]}}', '{"ts":2,"values":{"a":null}}']],
  ["flat", { telemetry: { shape: "flat" } }, ['{"ts":1,"a":1.0,"b":[2]}', '{"ts":2,"a":null}']],
])("telemetry in the shape %s is one publish per point", async (_shape, rules: ConfigSections["rules"], bodies) => {
  const { cloud, bridge, gateway } = await open(rules === undefined ? {} : { rules });
  await gateway.say(
    "v1/gateway/telemetry",
    '{"pump-2":[{"ts":1,"values":{"a":1.0,"b":[2]}},{"ts":2,"values":{"a":null}}]}',
  );
  await eventually(() => bridge.ledger()).toMatchObject({ received: 1, delivered: 1 });
  const sent = cloud.received().filter(({ kind }) => kind === "telemetry");
  expect(sent.map(({ payload }) => payload.toString())).toEqual(bodies);
});

test("state as-is publishes each change alone, at the pace the cloud allows", async () => {
  const { cloud, bridge, gateway } = await open({ rules: { state: { mode: "as-is" } } });
  await gateway.say("v1/gateway/attributes", '{"pump-2":{"a":1}}');
  await gateway.say("v1/gateway/attributes", '{"pump-2":{"b":2}}');
  await eventually(() => bridge.ledger()).toMatchObject({ received: 2, delivered: 2 });
  expect(cloud.deviceOf("pump-2")?.states.map(String)).toEqual(['{"a":1}', '{"b":2}']);
});

test("many changes of state become one document at most each second; the newest wins and all count as delivered", async () => {
  const { cloud, bridge, gateway } = await open();
  for (let n = 1; n <= 20; n++) await gateway.say("v1/gateway/attributes", { "pump-2": { n } });
  await eventually(() => bridge.ledger()).toMatchObject({ received: 20, delivered: 20 });
  const states = cloud.received().filter(({ kind }) => kind === "state");
  expect(states.length).toBeLessThanOrEqual(3);
  expect(states.at(-1)?.payload.toString()).toBe('{"n":20}');
  expect(cloud.records.filter(({ kind }) => kind === "error")).toEqual([]);
});

test("one packet with many devices becomes one publish for each", async () => {
  const { cloud, bridge, gateway } = await open();
  const names = Array.from({ length: 50 }, (_, n) => `meter ${n}`);
  const packet = Object.fromEntries(names.map((name, n) => [name, [{ ts: n + 1, values: { n } }]]));
  await gateway.say("v1/gateway/telemetry", packet);
  await eventually(() => bridge.ledger()).toMatchObject({ received: 50, delivered: 50 });
  expect(cloud.attached("gw-01")).toHaveLength(50);
  for (const [n, name] of names.entries()) {
    const id = name.replace(" ", "%20");
    const [record] = cloud.received().filter(({ kind, device }) => kind === "telemetry" && device === id);
    expect(record?.payload.toString()).toBe(`[{"ts":${n + 1},"values":{"n":${n}}}]`);
  }
});
