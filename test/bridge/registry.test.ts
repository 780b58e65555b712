import { randomBytes } from "node:crypto";
import type * as mqtt from "mqtt-packet";
import { describe, expect, test } from "vitest";
import { mintToken } from "../cloud/identity.ts";
import { errorsIn, identityOf, publish, subscribe } from "../cloud/plant.ts";
import type { RawClient } from "../cloud/raw-client.ts";
import { eventually } from "./harness.ts";
import { openRegistryPlant, type RegistryPlant } from "./registry-plant.ts";

const settling = 60_000;
let lastId = 0;

/** Publishes at QoS 1 and waits for the PUBACK. */
async function say(client: RawClient, topic: string, payload: string | Buffer = ""): Promise<void> {
  lastId += 1;
  const id = lastId;
  client.send(publish(topic, payload, id));
  while ((await client.next("puback")).messageId !== id);
}

async function listen(
  client: RawClient,
  ...filters: readonly (readonly [string, 0 | 1])[]
): Promise<readonly number[]> {
  lastId += 1;
  client.send(subscribe(lastId, ...filters));
  return (await client.next("suback")).granted as readonly number[];
}

/** The next PUBLISH, acknowledged if it asks for that. */
async function hear(client: RawClient): Promise<mqtt.IPublishPacket> {
  const packet = await client.next("publish");
  if (packet.qos === 1) client.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
  return packet;
}

/** What came since `count` packets, once everything sent so far has been answered or will not be. */
async function settled(client: RawClient, plant: RegistryPlant, count: number): Promise<readonly mqtt.Packet[]> {
  client.send(publish(plant.topic("gw-01", "events"), "settled", settling));
  while ((await client.next("puback")).messageId !== settling);
  return client.heard.slice(count).filter(({ messageId }) => messageId !== settling);
}

/** Whether the cloud takes a publish, without waiting for a PUBACK that may not come. */
async function isTaken(client: RawClient, plant: RegistryPlant, topic: string): Promise<boolean> {
  const count = client.heard.length;
  lastId += 1;
  const id = lastId;
  client.send(publish(topic, "?", id));
  return (await settled(client, plant, count)).some(({ cmd, messageId }) => cmd === "puback" && messageId === id);
}

describe.each([
  ["google", "clearblade"],
  ["google", "omnicore"],
  ["omnicore", "google"],
] as const)("a %s gateway in front of %s", (local, upstream) => {
  test("says and hears everything as it is, under other topics and tokens", async () => {
    const plant = await openRegistryPlant({ local, upstream });
    const { cloud, topic } = plant;
    const there = (device: string, rest: string) =>
      `${upstream === "omnicore" ? "/plant-1" : "/devices"}/${device}/${rest}`;
    const gateway = await plant.connect("gw-01");
    await say(gateway, topic("sensor-7", "attach"), "{}");
    expect(await cloud.next("attach")).toMatchObject({ gateway: "gw-01", topic: there("sensor-7", "attach") });

    const bodies = [randomBytes(512), Buffer.from("{ 'no' : json"), Buffer.alloc(0), Buffer.from([0xff, 0])];
    for (const body of bodies) await say(gateway, topic("sensor-7", "events/deep/er"), body);
    await eventually(() => cloud.received().filter(({ kind }) => kind === "telemetry")).toHaveLength(bodies.length);
    const received = cloud.received().filter(({ kind }) => kind === "telemetry");
    expect(received.map(({ payload }) => payload.toString("hex"))).toEqual(bodies.map((body) => body.toString("hex")));
    expect(received.every((one) => one.topic === there("sensor-7", "events/deep/er") && one.qos === 1)).toBe(true);

    const state = randomBytes(64);
    await say(gateway, topic("gw-01", "state"), state);
    expect((await cloud.next("state", ({ device }) => device === "gw-01")).payload.equals(state)).toBe(true);

    const config = randomBytes(64);
    const version = cloud.setConfig("sensor-7", config);
    expect(await listen(gateway, [topic("sensor-7", "config"), 1], [topic("sensor-7", "commands/#"), 1])).toEqual([
      1, 1,
    ]);
    let heard = await hear(gateway);
    // The empty first one may have been on its way already.
    if (heard.payload.length === 0) heard = await hear(gateway);
    expect([heard.topic, Buffer.from(heard.payload)]).toEqual([topic("sensor-7", "config"), config]);
    await cloud.next("acknowledged", (record) => record.device === "sensor-7" && record.version === version);

    const order = randomBytes(64);
    await eventually(() => cloud.sendCommand("sensor-7", order, "ota/start")).toEqual({ delivered: true });
    const command = await hear(gateway);
    expect([command.topic, Buffer.from(command.payload)]).toEqual([topic("sensor-7", "commands/ota/start"), order]);

    await say(gateway, topic("sensor-7", "detach"));
    expect(await cloud.next("detach")).toMatchObject({ topic: there("sensor-7", "detach") });
    expect(cloud.records.filter(({ kind }) => kind === "warning" || kind === "error")).toEqual([]);
    await eventually(() => plant.bridge.ledger()).toMatchObject({ received: 7, delivered: 7, dropped: {} });
  });
});

test("a device's token is checked by the bridge, and the cloud behind never sees it", async () => {
  const plant = await openRegistryPlant({
    local: "google",
    upstream: "clearblade",
    gateway: { authMethod: "ASSOCIATION_AND_DEVICE_AUTH_TOKEN" },
  });
  const { cloud, topic } = plant;
  const gateway = await plant.connect("gw-01");
  await listen(gateway, [topic("gw-01", "errors"), 0]);
  const attach = (device: string, signer: string, id: number) =>
    publish(topic(device, "attach"), JSON.stringify({ authorization: mintToken(identityOf(signer)) }), id);
  const count = gateway.heard.length;
  // All at once: what comes behind an attach waits until its token has been looked at.
  gateway.send(attach("pump-2", "gw-01", 1001));
  gateway.send(attach("sensor-7", "sensor-7", 1002));
  gateway.send(publish(topic("sensor-7", "events"), "first", 1003));
  gateway.send(attach("loose-9", "loose-9", 1004));
  gateway.send(publish(topic("pump-2", "events"), "x", 1005));
  const answers = await settled(gateway, plant, count);
  expect(answers.filter(({ cmd }) => cmd === "puback").map(({ messageId }) => messageId)).toEqual([1002, 1003]);
  expect(errorsIn(answers)).toMatchObject([
    { error_type: "GATEWAY_ATTACHMENT_ERROR", device_id: "pump-2", packet_id: 1001 },
    {
      error_type: "GATEWAY_ATTACHMENT_ERROR",
      device_id: "loose-9",
      description: "the device is not bound to the gateway",
    },
    { error_type: "GATEWAY_DEVICE_NOT_FOUND", device_id: "pump-2", packet_id: 1005 },
  ]);
  const attached = await cloud.next("attach");
  expect([attached.device, attached.payload.toString()]).toEqual(["sensor-7", "{}"]);
  expect((await cloud.next("telemetry", ({ device }) => device === "sensor-7")).payload.toString()).toBe("first");
});

test("errors have the vendors' exact form, flat and nested, and a copy goes where the device's own are heard", async () => {
  const plant = await openRegistryPlant({ local: "google" });
  const { topic } = plant;
  const gateway = await plant.connect("gw-01");
  await say(gateway, topic("sensor-7", "attach"));
  expect(await listen(gateway, [topic("gw-01", "errors"), 1], [topic("sensor-7", "errors"), 0])).toEqual([0, 0]);
  gateway.send(publish("/devices/loose-9/attach", "{}", 12));
  expect((await hear(gateway)).payload.toString()).toBe(
    '{"error_type":"GATEWAY_ATTACHMENT_ERROR","device_id":"loose-9","description":"the device is not bound to the gateway",' +
      '"message_type":"PUBLISH","topic":"/devices/loose-9/attach","packet_id":12,' +
      '"mqtt_message_info":{"message_type":"PUBLISH","topic":"/devices/loose-9/attach","packet_id":12}}',
  );
  gateway.send({ cmd: "pubrel", messageId: 9 });
  expect((await hear(gateway)).payload.toString()).toBe(
    '{"error_type":"GATEWAY_UNEXPECTED_MESSAGE_TYPE","device_id":"gw-01","description":"PUBREL is not supported",' +
      '"message_type":"PUBREL","topic":"","packet_id":9,' +
      '"mqtt_message_info":{"message_type":"PUBREL","topic":"","packet_id":9}}',
  );
  await say(gateway, topic("sensor-7", "detach"));
  gateway.send(publish(topic("sensor-7", "events"), "x", 13));
  expect([(await hear(gateway)).topic]).toEqual(["/devices/gw-01/errors"]);
});

test("what the cloud behind reports goes down to the gateway's own errors topic", async () => {
  const plant = await openRegistryPlant({ local: "google", upstream: "omnicore" });
  const { bridge, cloud, topic } = plant;
  const gateway = await plant.connect("gw-01");
  await listen(gateway, [topic("gw-01", "errors"), 0]);
  cloud.unbind("gw-01", "dev-1001");
  await say(gateway, topic("dev-1001", "attach"));
  await say(gateway, topic("dev-1001", "events"), "kept");
  const { topic: where, payload } = await hear(gateway);
  expect([where, JSON.parse(payload.toString())]).toMatchObject([
    "/devices/gw-01/errors",
    { error_type: "GATEWAY_ATTACHMENT_ERROR", device_id: "dev-1001" },
  ]);
  await eventually(() => bridge.ledger()).toMatchObject({ held: 2, pending: 0 });
  cloud.bind("gw-01", "dev-1001");
  await say(gateway, topic("dev-1001", "attach"));
  expect((await cloud.next("telemetry", ({ device }) => device === "dev-1001")).payload.toString()).toBe("kept");
});

test("a device detached hears nothing any more, though its gateway never unsubscribed", async () => {
  const plant = await openRegistryPlant({ local: "clearblade" });
  const { cloud, topic } = plant;
  const gateway = await plant.connect("gw-01");
  await say(gateway, topic("sensor-7", "attach"));
  await listen(gateway, [topic("sensor-7", "commands/#"), 1], [topic("gw-01", "commands/#"), 1]);
  await eventually(() => cloud.sendCommand("sensor-7", "one")).toEqual({ delivered: true });
  expect((await hear(gateway)).payload.toString()).toBe("one");
  await say(gateway, topic("sensor-7", "detach"));
  await say(gateway, topic("sensor-7", "attach"));
  await cloud.next(
    "subscribed",
    (record) => record.filter === topic("sensor-7", "commands/#"),
    await cloud.next("detach"),
  );
  expect(cloud.sendCommand("sensor-7", "two")).toEqual({ delivered: true });
  expect(cloud.sendCommand("gw-01", "three")).toEqual({ delivered: true });
  expect((await hear(gateway)).payload.toString()).toBe("three");
  await listen(gateway, [topic("sensor-7", "commands/#"), 1]);
  expect(cloud.sendCommand("sensor-7", "four")).toEqual({ delivered: true });
  expect((await hear(gateway)).payload.toString()).toBe("four");
});

test("a number is another name: as client id, in topics, and for what is heard", async () => {
  const plant = await openRegistryPlant({ local: "google" });
  const { cloud } = plant;
  const gateway = await plant.connect("gw-01", { clientId: plant.clientIdOf("2581234567890001") });
  await listen(gateway, ["/devices/2581234567890001/errors", 0], ["/devices/2581234567890001/config", 1]);
  await say(gateway, "/devices/2581234567890007/attach");
  expect(await cloud.next("attach")).toMatchObject({ gateway: "gw-01", device: "sensor-7" });
  await say(gateway, "/devices/sensor-7/events", "by name");
  await say(gateway, "/devices/2581234567890007/events", "by number");
  await say(gateway, "/devices/2581234567890001/events", "own");
  await eventually(() => cloud.received().filter(({ kind }) => kind === "telemetry")).toHaveLength(3);
  const received = cloud.received().filter(({ kind }) => kind === "telemetry");
  expect(received.map(({ device, payload }) => `${device} ${payload}`).sort()).toEqual([
    "gw-01 own",
    "sensor-7 by name",
    "sensor-7 by number",
  ]);
  expect(await hear(gateway)).toMatchObject({ topic: "/devices/2581234567890001/config" });
  await listen(gateway, ["/devices/2581234567890007/config", 1]);
  expect(await hear(gateway)).toMatchObject({ topic: "/devices/2581234567890007/config" });
  gateway.send(publish("/devices/pump-2/events", "x", 77));
  expect(await hear(gateway)).toMatchObject({ topic: "/devices/2581234567890001/errors" });
});

test("a plain device connects by itself, and for itself only", async () => {
  const plant = await openRegistryPlant({ local: "google", upstream: "omnicore", plain: ["pump-2"] });
  const { cloud, topic } = plant;
  const device = await plant.connect("pump-2");
  await say(device, topic("pump-2", "events/a"), "mine");
  expect(await cloud.next("telemetry")).toMatchObject({ device: "pump-2", topic: "/plant-1/pump-2/events/a" });
  await say(device, topic("pump-2", "state"), "up");
  await cloud.next("state");
  cloud.setConfig("pump-2", "c");
  expect(
    await listen(
      device,
      ...[[topic("pump-2", "config"), 1] as const, [topic("pump-2", "commands/#"), 1] as const],
      ...[[topic("pump-2", "errors"), 0] as const, [topic("sensor-7", "config"), 1] as const],
    ),
  ).toEqual([1, 1, 128, 128]);
  const config = await hear(device);
  if (config.payload.length === 0) expect((await hear(device)).payload.toString()).toBe("c");
  await eventually(() => cloud.sendCommand("pump-2", "go")).toEqual({ delivered: true });
  expect((await hear(device)).payload.toString()).toBe("go");
  for (const what of ["sensor-7/attach", "sensor-7/detach", "sensor-7/events", "pump-2/attach", "nonsense"]) {
    const again = await plant.connect("pump-2");
    again.send(publish(`/devices/${what}`, "", 1));
    await again.closed;
    expect(again.heard.map(({ cmd }) => cmd)).toEqual(["connack"]);
  }
});

test("two gateways never see, attach or publish for each other's devices", async () => {
  const plant = await openRegistryPlant({ local: "google" });
  const { cloud, topic } = plant;
  const one = await plant.connect("gw-01");
  const two = await plant.connect("gw-02");
  await say(one, topic("sensor-7", "attach"));
  await listen(one, [topic("sensor-7", "config"), 1]);
  await listen(two, [topic("gw-02", "errors"), 0]);
  const count = two.heard.length;
  for (const [at, what] of [
    "sensor-7/attach",
    "gw-01/attach",
    "2581234567890007/attach",
    "sensor-7/events",
  ].entries()) {
    two.send(publish(`/devices/${what}`, "", 2001 + at));
  }
  two.send(publish("/devices/gw-01/state", "", 2010));
  expect(
    await listen(two, [topic("sensor-7", "config"), 1], [topic("gw-01", "errors"), 0], ["/devices/+/config", 1]),
  ).toEqual([128, 128, 128]);
  two.send(publish(topic("gw-02", "events"), "settled", settling));
  while ((await two.next("puback")).messageId !== settling);
  const answers = two.heard.slice(count).filter(({ cmd }) => cmd !== "suback");
  expect(errorsIn(answers).map((error) => [error["error_type"], error["device_id"]])).toEqual([
    ["GATEWAY_ATTACHMENT_ERROR", "sensor-7"],
    ["GATEWAY_ATTACHMENT_ERROR", "gw-01"],
    ["GATEWAY_ATTACHMENT_ERROR", "2581234567890007"],
    ["GATEWAY_DEVICE_NOT_FOUND", "sensor-7"],
    ["GATEWAY_DEVICE_NOT_FOUND", "gw-01"],
  ]);
  expect(answers.filter(({ cmd }) => cmd === "puback").map(({ messageId }) => messageId)).toEqual([settling]);
  // Without a list any other device may attach.
  await say(two, topic("roamer-1", "attach"));
  expect(await cloud.next("attach", ({ gateway }) => gateway === "gw-02")).toMatchObject({ device: "roamer-1" });
  const version = cloud.setConfig("sensor-7", "secret");
  await cloud.next(
    "sent",
    (record) => record.device === "sensor-7" && record.what === "config" && record.version === version,
  );
  const texts = (client: RawClient) =>
    client.heard.map((packet) => (packet.cmd === "publish" ? `${packet.payload}` : ""));
  // The empty first one may have been on its way already, and has to be acknowledged before the next one comes.
  for (let heard = await hear(one); heard.payload.toString() !== "secret"; heard = await hear(one));
  expect(texts(two)).not.toContain("secret");
});

describe("after a token refresh", () => {
  test("nothing is attached until the gateway attaches it again", async () => {
    const plant = await openRegistryPlant({ local: "google", rules: { detachAfter: "300ms" } });
    const { cloud, topic } = plant;
    const first = await plant.connect("gw-01");
    for (const device of ["sensor-7", "pump-2"]) {
      await say(first, topic(device, "attach"));
      await cloud.next("attach", (record) => record.device === device);
    }
    const second = await plant.connect("gw-01");
    await first.closed;
    expect(await isTaken(second, plant, topic("sensor-7", "events"))).toBe(false);
    await say(second, topic("sensor-7", "attach"));
    expect(await isTaken(second, plant, topic("sensor-7", "events"))).toBe(true);
    // In the cloud behind, only who was not attached again is detached, after a while.
    expect(await cloud.next("detach")).toMatchObject({ device: "pump-2" });
    expect(cloud.attached("gw-01")).toEqual(["sensor-7"]);
    expect(cloud.records.filter(({ kind }) => kind === "attach")).toHaveLength(2);
  });

  test("with restoreAttachments everything is, also when the bridge was restarted meanwhile", async () => {
    let plant = await openRegistryPlant({
      local: "clearblade",
      options: { restoreAttachments: true },
      directory: "spool",
    });
    const { topic } = plant;
    const first = await plant.connect("gw-01");
    await say(first, topic("sensor-7", "attach"));
    await say(first, topic("pump-2", "attach"));
    await say(first, topic("pump-2", "detach"));
    const second = await plant.connect("gw-01");
    expect(await isTaken(second, plant, topic("sensor-7", "events"))).toBe(true);
    expect(await isTaken(second, plant, topic("pump-2", "events"))).toBe(false);
    plant = await plant.restart();
    const third = await plant.connect("gw-01");
    expect(await isTaken(third, plant, topic("sensor-7", "events"))).toBe(true);
    expect(await isTaken(third, plant, topic("pump-2", "events"))).toBe(false);
  });
});

describe("a configuration", () => {
  test("comes at every subscription, and each newer one by itself, but not because we connect upstream anew", async () => {
    const plant = await openRegistryPlant({ local: "google" });
    const { bridge, cloud, topic } = plant;
    const gateway = await plant.connect("gw-01");
    cloud.setConfig("gw-01", "one");
    await listen(gateway, [topic("gw-01", "config"), 1]);
    let heard = await hear(gateway);
    if (heard.payload.length === 0) heard = await hear(gateway);
    expect(heard.payload.toString()).toBe("one");
    await listen(gateway, [topic("gw-01", "config"), 0]);
    expect(await hear(gateway)).toMatchObject({ qos: 0, payload: Buffer.from("one") });
    const second = cloud.setConfig("gw-01", "two");
    expect((await hear(gateway)).payload.toString()).toBe("two");
    await cloud.next("acknowledged", ({ version }) => version === second);
    cloud.disconnect("gw-01");
    const closed = await cloud.next("closed");
    await cloud.next("sent", (record) => record.what === "config" && record.version === second, closed);
    const count = gateway.heard.length;
    expect(await settled(gateway, plant, count)).toEqual([]);
    await eventually(() => bridge.ledgers()["gw-01"]?.down).toMatchObject({ pending: 0, dropped: {} });
  });

  test("waits for a gateway that is there and does not listen, and only the newest is told", async () => {
    const plant = await openRegistryPlant({ local: "google" });
    const { bridge, cloud, topic } = plant;
    const gateway = await plant.connect("gw-01");
    await say(gateway, topic("sensor-7", "attach"));
    await cloud.next("subscribed", ({ filter }) => filter === topic("sensor-7", "config"));
    for (const text of ["one", "two", "three"]) {
      const version = cloud.setConfig("sensor-7", text);
      await cloud.next("sent", (record) => record.what === "config" && record.version === version);
    }
    await eventually(() => bridge.ledger().down.dropped["superseded"]).toBe(3);
    await listen(gateway, [topic("sensor-7", "config"), 1]);
    const packet = await gateway.next("publish");
    expect(packet.payload.toString()).toBe("three");
    expect(cloud.records.filter((record) => record.kind === "acknowledged" && record.device === "sensor-7")).toEqual(
      [],
    );
    gateway.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
    await cloud.next("acknowledged", (record) => record.device === "sensor-7");
  });

  test("is known after a restart, with the cloud out of reach", async () => {
    let plant = await openRegistryPlant({ local: "google", directory: "spool" });
    const { cloud, topic } = plant;
    cloud.setConfig("sensor-7", "kept");
    const gateway = await plant.connect("gw-01");
    await say(gateway, topic("sensor-7", "attach"));
    await listen(gateway, [topic("sensor-7", "config"), 1]);
    expect((await hear(gateway)).payload.toString()).toBe("kept");
    await cloud.next("acknowledged", (record) => record.device === "sensor-7");
    await cloud.close();
    plant = await plant.restart();
    const again = await plant.connect("gw-01");
    await say(again, topic("sensor-7", "attach"));
    await listen(again, [topic("sensor-7", "config"), 1]);
    expect((await hear(again)).payload.toString()).toBe("kept");
  });
});

test("a reload keeps what is attached and subscribed on the connection, but for what the registry does not allow any more", async () => {
  const plant = await openRegistryPlant({ local: "google", upstream: "clearblade" });
  const { cloud, topic } = plant;
  const gateway = await plant.connect("gw-01");
  for (const device of ["sensor-7", "pump-2"]) {
    await say(gateway, topic(device, "attach"));
    expect(await listen(gateway, [topic(device, "commands/#"), 1])).toEqual([1]);
  }
  await eventually(() => cloud.records.filter(({ kind }) => kind === "attach")).toHaveLength(2);

  expect(await plant.reload({ rules: { detachAfter: "5m" } })).toMatchObject({ outcome: "applied" });
  await say(gateway, topic("sensor-7", "events"), "after");
  await cloud.next("telemetry", ({ device, payload }) => device === "sensor-7" && payload.toString() === "after");
  await eventually(() => cloud.sendCommand("pump-2", "go")).toEqual({ delivered: true });
  expect((await hear(gateway)).topic).toBe(topic("pump-2", "commands"));

  const devices = { "sensor-7": {}, "pump-2": { bound: false } };
  expect(await plant.reload({ gateway: { devices } })).toMatchObject({ outcome: "applied" });
  expect(await isTaken(gateway, plant, topic("sensor-7", "events"))).toBe(true);
  expect(await isTaken(gateway, plant, topic("pump-2", "events"))).toBe(false);
  expect(cloud.records.filter(({ kind, device }) => kind === "connected" && device === "gw-01")).toHaveLength(1);
});
