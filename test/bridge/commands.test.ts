import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { type ConfigSections, eventually, openPlant } from "./harness.ts";

const topic = "v1/gateway/rpc";

/** A gateway with `pump-2` attached and subscribed in the cloud. */
async function open(sections: ConfigSections = {}) {
  const plant = await openPlant(sections);
  const { cloud } = plant;
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, {
    ...{ token: plant.tokenOf("gw-01"), filters: [topic, "v1/devices/me/rpc/request/+"] },
  });
  await gateway.say("v1/gateway/connect", { device: "pump-2" });
  await cloud.next("acknowledged", ({ device }) => device === "pump-2");
  /** The nth answer that the cloud got, from devices or from dragoman for them. */
  const answer = async (fits: (text: string) => boolean = () => true) => {
    const record = await cloud.next(
      "telemetry",
      ({ folder, payload }) => folder === "responses" && fits(payload.toString()),
    );
    return { device: record.device, text: record.payload.toString() };
  };
  return { cloud, plant, bridge, gateway, answer };
}

const idOf = (text: string) => (JSON.parse(text) as { data: { id: number } }).data.id;

test.each([
  [
    "its own envelope",
    undefined,
    '{"method":"setLed","params":{"on":true},"id":"c-1"}',
    '"method":"setLed","params":{"on":true}',
    '"c-1"',
  ],
  ["an envelope without params", undefined, '{"method":"ping"}', '"method":"ping","params":{}', "null"],
  ["a folder as method", "ota/start", '{"v":2}', '"method":"ota.start","params":{"v":2}', "null"],
  ["a body without a folder", undefined, "[1,2]", '"method":"command","params":[1,2]', "null"],
  ["text", "say", "hello", '"method":"say","params":"hello"', "null"],
  ["nothing", "blink", "", '"method":"blink","params":""', "null"],
  ["bytes", "raw", Buffer.from([0xff, 0xfe]), '"method":"raw","params":"//4="', "null"],
])("a command with %s reaches the gateway, and its reply the cloud", async (_what, folder, body, call, ownId) => {
  const { cloud, gateway, answer } = await open();
  expect(cloud.sendCommand("pump-2", body, folder)).toEqual({ delivered: true });
  const { text } = await gateway.next(topic);
  expect(text).toBe(`{"device":"pump-2","data":{"id":${idOf(text)},${call}}}`);
  await gateway.say(topic, { device: "pump-2", id: idOf(text), data: { ok: true } }, 0);
  const method = /"method":"[^"]+"/.exec(call)?.[0];
  expect(await answer()).toEqual({ device: "pump-2", text: `{"id":${ownId},${method},"data":{"ok":true}}` });
  await cloud.next("acknowledged", ({ what }) => what === "command");
});

test("many commands at once have ids of their own, and replies in any order find them", async () => {
  const { cloud, gateway, answer } = await open();
  for (const n of [1, 2, 3]) cloud.sendCommand("pump-2", `{"method":"m","id":${n}}`);
  const calls = await gateway.heard.take(3);
  const ids = calls.map(({ text }) => idOf(text));
  expect(new Set(ids).size).toBe(3);
  for (const n of [2, 0, 1]) await gateway.say(topic, { device: "pump-2", id: ids[n], data: n + 1 });
  for (const n of [1, 2, 3]) {
    expect((await answer((text) => text.startsWith(`{"id":${n},`))).text).toBe(`{"id":${n},"method":"m","data":${n}}`);
  }
});

test("a command that nobody answers is answered with timeout, and the late reply is dropped", async () => {
  const { cloud, bridge, gateway, answer } = await open({ rules: { commands: { timeout: "1s" } } });
  cloud.sendCommand("pump-2", '{"method":"sleep","id":4}');
  const { text } = await gateway.next(topic);
  expect((await answer()).text).toBe('{"id":4,"method":"sleep","error":"timeout"}');
  await gateway.say(topic, { device: "pump-2", id: idOf(text), data: "late" });
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, dropped: { unmatched: 1 } });
});

test("a command while no gateway is connected is answered with offline", async () => {
  const { cloud, bridge, gateway, answer } = await open();
  await gateway.end();
  await bridge.log.next(({ msg }) => msg === "gateway-disconnected");
  expect(cloud.sendCommand("pump-2", '{"method":"setLed","id":5}')).toEqual({ delivered: true });
  expect(await answer()).toEqual({ device: "pump-2", text: '{"id":5,"method":"setLed","error":"offline"}' });
  await cloud.next("acknowledged", ({ what }) => what === "command");
  await eventually(() => bridge.ledger().down.dropped).toMatchObject({ offline: 1 });
});

test("a command for the gateway itself is refused; one that is listed passes", async () => {
  const { cloud, bridge, gateway, answer } = await open({ rules: { commands: { gateway: ["gateway_ping"] } } });
  cloud.sendCommand("gw-01", '{"method":"gateway_reboot","id":6}');
  expect(await answer()).toEqual({ device: "gw-01", text: '{"id":6,"method":"gateway_reboot","error":"forbidden"}' });
  expect(gateway.heard.all).toEqual([]);

  cloud.sendCommand("gw-01", '{"method":"gateway_ping","id":7}');
  const call = await gateway.heard.next(() => true);
  expect(call.text).toBe('{"method":"gateway_ping","params":{}}');
  const id = /^v1\/devices\/me\/rpc\/request\/(\d+)$/.exec(call.topic)?.[1];
  await gateway.say(`v1/devices/me/rpc/response/${id}`, '{"code":200,"resp":"pong"}', 0);
  expect((await answer((text) => text.startsWith('{"id":7,'))).text).toBe(
    '{"id":7,"method":"gateway_ping","data":{"code":200,"resp":"pong"}}',
  );
  await eventually(() => bridge.ledger().down.dropped).toMatchObject({ forbidden: 2 });
});

test("a reply to an unknown id, and a second reply, are dropped as unmatched", async () => {
  const { cloud, bridge, gateway, answer } = await open();
  await gateway.say(topic, { device: "pump-2", id: 99, data: 1 });
  cloud.sendCommand("pump-2", '{"method":"m","id":8}');
  const { text } = await gateway.next(topic);
  await gateway.say(topic, { device: "pump-2", id: idOf(text), data: "first" });
  await gateway.say(topic, { device: "pump-2", id: idOf(text), data: "second" });
  expect((await answer()).text).toBe('{"id":8,"method":"m","data":"first"}');
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, dropped: { unmatched: 2 } });
  expect(cloud.received().filter(({ folder }) => folder === "responses")).toHaveLength(1);
});

test("a reply under a new name, as a renamed device gives it, finds its command by the id", async () => {
  const { cloud, gateway, answer } = await open();
  cloud.sendCommand("pump-2", '{"method":"m","id":9}');
  const { text } = await gateway.next(topic);
  await gateway.say(topic, { device: "Pump two, renamed", id: idOf(text), data: 1 });
  expect(await answer()).toEqual({ device: "pump-2", text: '{"id":9,"method":"m","data":1}' });
});

test("answers go to the folder that the rules name", async () => {
  const { cloud, gateway } = await open({ rules: { commands: { responses: "rpc/answers" } } });
  cloud.sendCommand("pump-2", '{"method":"m"}');
  const { text } = await gateway.next(topic);
  await gateway.say(topic, { device: "pump-2", id: idOf(text), data: 1 });
  expect(await cloud.next("telemetry")).toMatchObject({ topic: "/devices/pump-2/events/rpc/answers" });
});
