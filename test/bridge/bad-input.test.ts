import { expect, test } from "vitest";
import { connectGateway, type GatewayClient } from "./gateway-client.ts";
import { eventually, openPlant, type RunningBridge } from "./harness.ts";

interface Scene {
  readonly plant: Awaited<ReturnType<typeof openPlant>>;
  readonly bridge: RunningBridge;
  readonly gateway: GatewayClient;
}

async function open(options: { readonly protocolVersion?: 4 | 5; readonly strict?: boolean } = {}): Promise<Scene> {
  const { protocolVersion = 5, strict = false } = options;
  const plant = await openPlant({ local: { strict } });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01"), protocolVersion });
  return { plant, bridge, gateway };
}

/** After whatever came before, ordinary traffic still passes on the same connection. */
async function expectAlive({ plant, gateway }: Scene): Promise<void> {
  await gateway.say("v1/gateway/telemetry", '{"alive-1":[{"ts":7,"values":{"ok":1}}]}');
  const record = await plant.cloud.next("telemetry", ({ device }) => device === "alive-1");
  expect(record.payload.toString()).toBe('[{"ts":7,"values":{"ok":1}}]');
}

test("what only JSON5 can read goes on as strict JSON", async () => {
  const scene = await open();
  await scene.gateway.say("v1/gateway/connect", "{device:'A 1'}");
  expect((await scene.plant.cloud.next("attach")).device).toBe("A%201");
  await scene.gateway.say("v1/gateway/telemetry", "{'A 1':[{ts:1,values:{t:+.5,s:'it\\'s',},},],}");
  const record = await scene.plant.cloud.next("telemetry");
  expect(JSON.parse(record.payload.toString())).toEqual([{ ts: 1, values: { t: 0.5, s: "it's" } }]);
});

const unreadable = ["{device:", "\u0000\u0001", '{"A":', "", "[1,2", "hello world"];

test.each(unreadable)("MQTT 5: %j is refused with 0x99, quarantined, and the connection stays", async (payload) => {
  const scene = await open();
  await expect(scene.gateway.say("v1/gateway/telemetry", payload)).rejects.toMatchObject({ code: 0x99 });
  await expectAlive(scene);
  await eventually(() => scene.bridge.ledger()).toMatchObject({ received: 2, delivered: 1, quarantined: 1 });
});

test.each(["{device:", "hello world"])("MQTT 3.1.1: %j is acknowledged and quarantined", async (payload) => {
  const scene = await open({ protocolVersion: 4 });
  await scene.gateway.say("v1/gateway/telemetry", payload);
  await expectAlive(scene);
  await eventually(() => scene.bridge.ledger()).toMatchObject({ received: 2, delivered: 1, quarantined: 1 });
});

test("MQTT 3.1.1 with strict: true: what cannot be read closes the connection, as the real server does", async () => {
  const { gateway, bridge } = await open({ protocolVersion: 4, strict: true });
  const closed = new Promise<void>((resolve) => gateway.client.once("close", () => resolve()));
  gateway.client.publish("v1/gateway/telemetry", "{device:", { qos: 1 });
  await closed;
  expect(bridge.ledger()).toMatchObject({ received: 0, quarantined: 0 });
});

test("a wrong shape in which no device is fine is like what cannot be read", async () => {
  const scene = await open();
  for (const payload of ["[]", "1", '"text"', "null", '{"A":7}', '{"":[{"t":1}]}']) {
    await expect(scene.gateway.say("v1/gateway/telemetry", payload), payload).rejects.toMatchObject({ code: 0x99 });
  }
  await expectAlive(scene);
  await eventually(() => scene.bridge.ledger()).toMatchObject({ received: 7, delivered: 1, quarantined: 6 });
});

test("a packet in which some devices are fine: those are delivered, one message is quarantined for the rest", async () => {
  const scene = await open();
  await scene.gateway.say(
    "v1/gateway/telemetry",
    '{"good-1":[{"ts":1,"values":{"t":1}}],"bad":5,"good-2":[{"ts":2,"values":{"t":2}}],"":[{"t":1}]}',
  );
  await scene.plant.cloud.next("telemetry", ({ device }) => device === "good-2");
  await eventually(() => scene.bridge.ledger()).toMatchObject({
    received: 3,
    delivered: 2,
    quarantined: 1,
    pending: 0,
  });
});

test('{"A":[]} is acknowledged and dropped as empty; beside another device only its own part is', async () => {
  const scene = await open();
  await scene.gateway.say("v1/gateway/telemetry", '{"A":[]}');
  await scene.gateway.say("v1/gateway/telemetry", '{"A":[],"pump-2":[{"ts":1,"values":{"t":1}}]}');
  await scene.plant.cloud.next("telemetry");
  await eventually(() => scene.bridge.ledger()).toMatchObject({
    ...{ received: 3, delivered: 1, quarantined: 0, pending: 0 },
    dropped: { empty: 2 },
  });
  expect(scene.plant.cloud.received().map(({ device }) => device)).toEqual(["pump-2", "pump-2"]);
});

test("an unknown topic is acknowledged and counted, at every QoS", async () => {
  const scene = await open();
  for (const topic of ["v1/devices/me/nothing", "v2/t", "sensors/temperature", "v1/gateway/telemetry/x", "/"]) {
    await scene.gateway.say(topic, '{"A":1}');
  }
  await scene.gateway.say("other", "x", 2);
  await scene.gateway.say("other", "x", 0);
  await expectAlive(scene);
  await eventually(() => scene.bridge.ledger()).toMatchObject({
    ...{ received: 8, delivered: 1 },
    dropped: { unknownTopic: 7 },
  });
});

test("a claim is acknowledged and dropped, and its secret goes nowhere", async () => {
  const scene = await open();
  await scene.gateway.say("v1/gateway/claim", '{"pump-2":{"secretKey":"claim-secret-7","durationMs":60000}}');
  await expectAlive(scene);
  await eventually(() => scene.bridge.ledger()).toMatchObject({ received: 2, dropped: { unsupported: 1 } });
  const seen = JSON.stringify([
    scene.bridge.log.all,
    scene.plant.cloud.received().map(({ payload }) => payload.toString()),
  ]);
  expect(seen).not.toContain("claim-secret-7");
});

test("QoS 0, 1 and 2 are all spooled and go up at QoS 1, in order", async () => {
  const scene = await open();
  for (const [qos, ts] of [
    [0, 1],
    [1, 2],
    [2, 3],
    [0, 4],
  ] as const) {
    await scene.gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts, values: { qos } }] }, qos);
  }
  await scene.plant.cloud.next("telemetry", ({ payload }) => payload.toString().includes('"ts":4'));
  const records = scene.plant.cloud.received().filter(({ kind }) => kind === "telemetry");
  expect(records.map(({ qos }) => qos)).toEqual([1, 1, 1, 1]);
  expect(records.map(({ payload }) => (JSON.parse(payload.toString()) as { ts: number }[])[0]?.ts)).toEqual([
    1, 2, 3, 4,
  ]);
});

test("a packet above maxPacketSize closes the connection with 0x95; a large one below it passes in parts", async () => {
  const plant = await openPlant({ local: { maxPacketSize: "600KiB" } });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const points = Array.from({ length: 400 }, (_, ts) => ({ ts, values: { text: "x".repeat(1000) } }));
  await gateway.say("v1/gateway/telemetry", { "pump-2": points });
  await eventually(() => bridge.ledger()).toMatchObject({ received: 1, delivered: 1 });
  const bodies = plant.cloud.received().filter(({ kind }) => kind === "telemetry");
  expect(bodies.length).toBeGreaterThan(1);
  for (const { payload } of bodies) expect(payload.length).toBeLessThanOrEqual(256_000);
  expect(bodies.flatMap(({ payload }) => JSON.parse(payload.toString()) as unknown[])).toEqual(points);

  const goodbye = new Promise<number | undefined>((resolve) => {
    gateway.client.once("disconnect", ({ reasonCode }) => resolve(reasonCode));
  });
  gateway.client.publish("v1/gateway/telemetry", JSON.stringify({ "pump-2": [{ t: "y".repeat(700_000) }] }), {
    qos: 1,
  });
  expect(await goodbye).toBe(0x95);
});

test("one point above the cloud's limit is quarantined; the points beside it and what comes after are delivered", async () => {
  const scene = await open();
  await scene.gateway.say("v1/gateway/telemetry", {
    "pump-2": [
      { ts: 1, values: { t: 1 } },
      { ts: 2, values: { text: "x".repeat(300_000) } },
      { ts: 3, values: { t: 3 } },
    ],
  });
  await expectAlive(scene);
  await eventually(() => scene.bridge.ledger()).toMatchObject({ received: 2, pending: 0, quarantined: 1 });
});

test("a state above the cloud's limit is held as oversize; the last good one stays, telemetry flows", async () => {
  const scene = await open();
  const { plant, gateway, bridge } = scene;
  await gateway.say("v1/gateway/attributes", { "pump-2": { fw: 1 } });
  await plant.cloud.next("state");
  await gateway.say("v1/gateway/attributes", { "pump-2": { text: "x".repeat(70_000) } });
  await expectAlive(scene);
  await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 2, held: 1, pending: 0 });
  expect(plant.cloud.deviceOf("pump-2")?.states.map(String)).toEqual(['{"fw":1}']);
});
