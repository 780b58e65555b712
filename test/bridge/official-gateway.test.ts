import { generate, type ISubscribePacket, type Packet } from "mqtt-packet";
import { expect, test } from "vitest";
import { allFilters } from "./gateway-client.ts";
import { eventually, openPlant, type Plant, type RunningBridge } from "./harness.ts";
import { openRawGateway, publishPacket, type RawGateway } from "./raw-gateway.ts";

// What the official ThingsBoard gateway sends, packet by packet, as traced from its daemon (SDK 1.13, MQTT 5).

const subscribes = allFilters.map(
  (topic, index): ISubscribePacket => ({
    cmd: "subscribe",
    messageId: index + 1,
    subscriptions: [{ topic, qos: 1, nl: false, rap: false, rh: 0 }],
  }),
);
const askLimits = publishPacket(
  "v1/devices/me/rpc/request/1",
  '{"method":"getSessionLimits","params":{"timeout":5000}}',
  {
    id: 8,
  },
);
const limits =
  '{"maxPayloadSize":65536,"maxInflightMessages":256,"rateLimits":{"messages":"80:1"},"gatewayRateLimits":{"messages":"80:1"}}';

/** Connects like its first start (`clean`) or like paho's automatic reconnect. */
async function connect(bridge: RunningBridge, token: string, clean: boolean): Promise<RawGateway> {
  const gateway = await openRawGateway(bridge.url);
  const hello = { protocolId: "MQTT", protocolVersion: 5, keepalive: 120, clientId: "", username: token } as const;
  const bytes = generate({ cmd: "connect", clean: true, ...hello }, { protocolVersion: 5 });
  // mqtt-packet does not write this combination, which MQTT 5 allows: clean start is bit 1 of the ninth byte.
  if (!clean) bytes[9] = (bytes[9] as number) & ~0x02;
  gateway.write(bytes);
  const connack = await gateway.next("connack");
  expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: false });
  expect(connack.properties?.assignedClientIdentifier).toMatch(/./);
  return gateway;
}

/** The dialect's own limits, of which the gateway is told. */
const limited = { upstream: { limits: {} } };

async function startUp(plant: Plant, bridge: RunningBridge): Promise<RawGateway> {
  const gateway = await connect(bridge, plant.tokenOf("gw-01"), true);
  // The request comes from another thread and overtakes the last subscriptions.
  gateway.send(...subscribes.slice(0, 5), askLimits, ...subscribes.slice(5));
  for (const { messageId } of subscribes) {
    const suback = await gateway.next("suback", (packet) => packet.messageId === messageId);
    expect(suback.granted).toEqual([1]);
  }
  await gateway.next("puback", ({ messageId }) => messageId === 8);
  expect(await gateway.message("v1/devices/me/rpc/response/1")).toBe(limits);
  return gateway;
}

const attributesWithSecrets = (token: string) =>
  JSON.stringify({
    general_configuration: {
      thingsboard: { host: "127.0.0.1", security: { type: "accessToken", accessToken: token } },
      ts: 1795176628000,
    },
    storage_configuration: { type: "memory", ts: 1795176628000 },
    grpc_configuration: { enabled: false, ts: 1795176628000 },
    logs_configuration: { level: "INFO", ts: 1795176628000 },
    active_connectors: ["MQTT Broker Connector", "Old Connector"],
    Version: "3.8.3",
  });
const connector =
  '{"MQTT Broker Connector":{"configurationJson":{"broker":{"security":{"password":"broker-pass-1"}}}}}';
const oldConnector = '{"Old Connector":{"server":{"password":"opc-pass-2"}}}';

test("the first start: limits, statistics, a request for everything, its configuration with secrets, a device", async () => {
  const plant = await openPlant(limited);
  const { cloud } = plant;
  const bridge = await plant.open();
  const token = plant.tokenOf("gw-01");
  const gateway = await startUp(plant, bridge);

  gateway.publish("v1/devices/me/attributes", '{"totalMemory":"23.5G","totalDisk":"252.0G","cpuCount":2}', { id: 9 });
  gateway.publish(
    "v1/devices/me/telemetry",
    '[{"machineStats":{"diskUsage":3.5},"serviceStats":{},"connectorsStats":{}}]',
    {
      id: 10,
    },
  );
  gateway.publish("v1/devices/me/attributes/request/1", "{}", { id: 11 });
  expect(await gateway.message("v1/devices/me/attributes/response/1")).toBe("{}");
  gateway.publish("v1/devices/me/attributes", attributesWithSecrets(token), { id: 12 });
  gateway.publish("v1/devices/me/attributes", connector, { id: 13 });
  gateway.publish("v1/devices/me/attributes", oldConnector, { id: 14 });
  gateway.publish("v1/devices/me/telemetry", '[{"ALL_ERRORS_COUNT":0}]', { id: 15 });
  gateway.publish("v1/gateway/connect", '{"device":"SN-1","type":"thermo"}', { id: 16 });
  gateway.publish(
    "v1/gateway/attributes",
    '{"SN-1":{"connectorType":"mqtt","connectorName":"MQTT Broker Connector"}}',
    { id: 17 },
  );
  gateway.publish("v1/gateway/attributes", '{"SN-1":{"model":"M1"}}', { id: 18 });
  gateway.publish(
    "v1/gateway/telemetry",
    '{"SN-1":[{"ts":1795176628993,"values":{"temperature":1.5,"humidity":40.0}}]}',
    { id: 19 },
  );
  for (let id = 9; id <= 19; id++) {
    expect((await gateway.next("puback", ({ messageId }) => messageId === id)).reasonCode ?? 0).toBe(0);
  }

  const own = await cloud.next("telemetry", ({ device }) => device === "gw-01");
  expect(own.topic).toBe("/devices/gw-01/events");
  expect(JSON.parse(own.payload.toString())).toEqual([
    { ts: expect.any(Number), values: { machineStats: { diskUsage: 3.5 }, serviceStats: {}, connectorsStats: {} } },
  ]);
  const telemetry = await cloud.next("telemetry", ({ device }) => device === "SN-1");
  expect(telemetry.payload.toString()).toBe('[{"ts":1795176628993,"values":{"temperature":1.5,"humidity":40.0}}]');
  const state = await cloud.next(
    "state",
    ({ device, payload }) => device === "SN-1" && payload.toString().includes("model"),
  );
  expect(JSON.parse(state.payload.toString())).toEqual({
    ...{ connectorType: "mqtt", connectorName: "MQTT Broker Connector", model: "M1" },
  });
  await cloud.next("state", ({ device, payload }) => device === "gw-01" && payload.toString().includes("Version"));
  await eventually(() => bridge.ledger()).toMatchObject({ received: 12, delivered: 10, dropped: { withheld: 2 } });

  // None of its secrets has reached the cloud or the log.
  const seen = JSON.stringify([cloud.received().map(({ payload }) => payload.toString()), bridge.log.all]);
  for (const secret of [
    token,
    "accessToken",
    "broker-pass-1",
    "opc-pass-2",
    "general_configuration",
    'Old Connector"',
  ]) {
    expect(seen).not.toContain(secret);
  }
  expectNothingEchoed(gateway, ["v1/devices/me/rpc/response/1", "v1/devices/me/attributes/response/1"]);
});

test("a reconnect with clean start 0: data of known devices comes before connect and before the limits", async () => {
  const plant = await openPlant(limited);
  const { cloud } = plant;
  const bridge = await plant.open();
  const first = await startUp(plant, bridge);
  first.publish("v1/gateway/connect", '{"device":"SN-disc","type":"default"}', { id: 9 });
  await cloud.next("attach");
  first.destroy();
  await bridge.log.next(({ msg }) => msg === "gateway-disconnected");

  const gateway = await connect(bridge, plant.tokenOf("gw-01"), false);
  gateway.send(
    ...subscribes,
    publishPacket("v1/gateway/attributes", '{"SN-disc":{"model":"M1"}}', { id: 8 }),
    publishPacket("v1/gateway/telemetry", '{"SN-disc":[{"ts":1,"values":{"v":1}},{"ts":2,"values":{"v":2}}]}', {
      id: 9,
    }),
    publishPacket("v1/gateway/telemetry", '{"SN-new":[{"ts":3,"values":{"v":3}}]}', { id: 10 }),
    { ...askLimits, messageId: 11 },
  );
  for (const id of [8, 9, 10, 11]) await gateway.next("puback", ({ messageId }) => messageId === id);
  expect(await gateway.message("v1/devices/me/rpc/response/1")).toBe(limits);

  const known = await cloud.next("telemetry", ({ device }) => device === "SN-disc");
  expect(known.payload.toString()).toBe('[{"ts":1,"values":{"v":1}},{"ts":2,"values":{"v":2}}]');
  expect((await cloud.next("state")).payload.toString()).toBe('{"model":"M1"}');
  // A device that was never announced is attached by its first data.
  const fresh = await cloud.next("telemetry", ({ device }) => device === "SN-new");
  expect(fresh.payload.toString()).toBe('[{"ts":3,"values":{"v":3}}]');
  expect(cloud.attached("gw-01")).toEqual(["SN-disc", "SN-new"]);
  // The gateway's coming and going was not the devices': nothing was detached or attached again.
  expect(cloud.received().filter(({ kind }) => kind === "attach")).toHaveLength(2);
  expect(cloud.received().filter(({ kind }) => kind === "detach")).toEqual([]);
  expectNothingEchoed(gateway, ["v1/devices/me/rpc/response/1"]);
});

test("replies to commands come at QoS 0, with JSON inside a string, or as the error for an unknown device", async () => {
  const plant = await openPlant(limited);
  const { cloud } = plant;
  const bridge = await plant.open();
  const gateway = await startUp(plant, bridge);
  gateway.publish("v1/gateway/connect", '{"device":"SN-1","type":"default"}', { id: 9 });
  await cloud.next("acknowledged", ({ device, what }) => device === "SN-1" && what === "config");

  const replies: string[] = [];
  const data = [
    ['{"r":42}', '{"r":42}'],
    ['"{\\"success\\": false}"', '{"success": false}'],
    ['"plain text"', '"plain text"'],
    ['{"error":"Request timeout","code":408}', '{"error":"Request timeout","code":408}'],
    ["42", "42"],
  ] as const;
  for (const [index, [said]] of data.entries()) {
    expect(cloud.sendCommand("SN-1", `{"method":"echo","id":${index}}`)).toEqual({ delivered: true });
    await gateway.next(
      "publish",
      ({ topic, payload }) => topic === "v1/gateway/rpc" && commandId(payload) === index + 1,
    );
    gateway.publish("v1/gateway/rpc", `{"device":"SN-1","id":${index + 1},"data":${said}}`, { qos: 0 });
    const reply = await cloud.next("telemetry", ({ payload }) => payload.toString().startsWith(`{"id":${index},`));
    expect(reply.topic).toBe("/devices/SN-1/events/responses");
    replies.push(reply.payload.toString());
  }
  expect(replies).toEqual(data.map(([, meant], index) => `{"id":${index},"method":"echo","data":${meant}}`));
});

test("two gateways with empty client ids do not push each other out", async () => {
  const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
  const bridge = await plant.open();
  const one = await connect(bridge, plant.tokenOf("gw-01"), true);
  const two = await connect(bridge, plant.tokenOf("gw-02"), true);
  one.publish("v1/gateway/telemetry", '{"SN-1":[{"ts":1,"values":{"v":1}}]}', { id: 1 });
  two.publish("v1/gateway/telemetry", '{"SN-1":[{"ts":2,"values":{"v":2}}]}', { id: 1 });
  await one.next("puback");
  await two.next("puback");
  expect(bridge.status().gateways.map(({ local }) => local.connected)).toEqual([true, true]);
});

test("an own attribute request by name, the gateway's server time and an unknown call are answered", async () => {
  const plant = await openPlant(limited);
  const bridge = await plant.open();
  const gateway = await startUp(plant, bridge);
  gateway.publish("v1/devices/me/attributes", '{"ck":1,"other":2}', { id: 9 });
  gateway.publish("v1/devices/me/attributes/request/2", '{"clientKeys":"ck","sharedKeys":"sk1,sk2"}', { id: 10 });
  expect(await gateway.message("v1/devices/me/attributes/response/2")).toBe('{"client":{"ck":1}}');
  gateway.publish(
    "v1/devices/me/attributes/request/3",
    '{"sharedKeys":"RemoteLoggingLevel,general_configuration,active_connectors"}',
    { id: 11 },
  );
  expect(await gateway.message("v1/devices/me/attributes/response/3")).toBe("{}");
  gateway.publish("v1/devices/me/rpc/request/2", '{"method":"getServerTime","params":{}}', { id: 12 });
  expect(await gateway.message("v1/devices/me/rpc/response/2")).toMatch(/^\{"time":\d{13}\}$/);
  gateway.publish("v1/devices/me/rpc/request/3", '{"method":"openPodBay","params":{}}', { id: 13 });
  expect(await gateway.message("v1/devices/me/rpc/response/3")).toBe('{"error":"unsupported"}');
});

test("a clean stop disconnects each device and then the gateway: the devices are detached in the cloud", async () => {
  const plant = await openPlant(limited);
  const { cloud } = plant;
  const bridge = await plant.open();
  const gateway = await startUp(plant, bridge);
  gateway.publish("v1/gateway/telemetry", '{"SN-1":[{"ts":1,"values":{"v":1}}]}', { id: 9 });
  gateway.publish("v1/gateway/telemetry", '{"SN-2":[{"ts":1,"values":{"v":1}}]}', { id: 10 });
  await cloud.next("telemetry", ({ device }) => device === "SN-2");
  gateway.publish("v1/gateway/disconnect", '{"device":"SN-1"}', { id: 11 });
  gateway.publish("v1/gateway/disconnect", '{"device":"SN-2"}', { id: 12 });
  await gateway.next("puback", ({ messageId }) => messageId === 12);
  gateway.send({ cmd: "disconnect", reasonCode: 0 });
  await cloud.next("detach", ({ device }) => device === "SN-2");
  expect(await bridge.log.next(({ msg }) => msg === "gateway-disconnected")).toMatchObject({ reason: "disconnect" });
  expect(cloud.attached("gw-01")).toEqual([]);

  // Its next start announces every device that it remembers.
  const next = await startUp(plant, bridge);
  next.publish("v1/gateway/connect", '{"device":"SN-1","type":"default"}', { id: 9 });
  next.publish("v1/gateway/connect", '{"device":"SN-2","type":"default"}', { id: 10 });
  await eventually(() => cloud.attached("gw-01")).toEqual(["SN-1", "SN-2"]);
});

function commandId(payload: string | Buffer): number {
  return (JSON.parse(payload.toString()) as { data: { id: number } }).data.id;
}

/** What it heard are answers to its own questions and nothing else. */
function expectNothingEchoed(gateway: RawGateway, answers: readonly string[]): void {
  const topics = gateway.heard.all.flatMap((packet: Packet) => (packet.cmd === "publish" ? [packet.topic] : []));
  expect(topics).toEqual(answers);
}
