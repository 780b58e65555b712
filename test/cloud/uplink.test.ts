import { afterEach, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { connectAs, errorsIn, openPlant, publish, subscribe } from "./plant.ts";
import type { RawClient } from "./raw-client.ts";

let cloud: Cloud;
afterEach(() => cloud.close());

/** A gateway that hears errors and has attached `sensor-7`. */
async function connectGateway(): Promise<RawClient> {
  const client = await connectAs(cloud, "gw-01");
  client.send(subscribe(1, ["/devices/gw-01/errors", 0]));
  client.send(publish("/devices/sensor-7/attach", "", 2));
  await client.next("puback");
  return client;
}

async function whyClosed(client: RawClient): Promise<string> {
  await client.closed;
  const record = await cloud.next("closed");
  return record.kind === "closed" ? record.reason : "";
}

test("what is received is recorded with where it came from", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  client.send(publish("/devices/gw-01/events", "own", 3));
  client.send(publish("/devices/sensor-7/events/temp/raw", Buffer.of(0, 255), 0, 0));
  client.send({ ...publish("/devices/sensor-7/state", "s", 4), dup: true });
  await client.settle();
  expect(cloud.received().slice(1)).toMatchObject([
    {
      kind: "telemetry",
      gateway: "gw-01",
      device: "gw-01",
      qos: 1,
      packetId: 3,
      attributes: { deviceId: "gw-01", subFolder: "" },
    },
    {
      kind: "telemetry",
      gateway: "gw-01",
      device: "sensor-7",
      folder: "temp/raw",
      qos: 0,
      attributes: { gatewayId: "gw-01", subFolder: "temp/raw" },
    },
    { kind: "state", device: "sensor-7", dup: true, stored: true },
  ]);
  expect(cloud.received()[1]?.attributes).not.toHaveProperty("gatewayId");
  expect(cloud.received()[2]?.payload).toEqual(Buffer.of(0, 255));
  expect(cloud.deviceOf("sensor-7")?.states.map(String)).toEqual(["s"]);
  expect(client.heard.filter(({ cmd }) => cmd === "puback").map((packet) => packet.messageId)).toEqual([2, 3, 4]);
});

test("a plain device speaks for itself, and is closed for anything else", async () => {
  cloud = await openPlant();
  for (const [topic, reason] of [
    ["/devices/pump-2/events", "unknown-topic"],
    ["/devices/sensor-7/attach", "not-a-gateway"],
    ["/devices/sensor-7/detach", "not-a-gateway"],
    ["/devices/sensor-7/config", "unknown-topic"],
    ["/devices/sensor-7/events/", "unknown-topic"],
    ["devices/sensor-7/events", "unknown-topic"],
    ["/devices/sensor-7/events/+", "protocol-error"],
  ] as const) {
    const client = await connectAs(cloud, "sensor-7");
    const connected = cloud.records.findLast(({ kind }) => kind === "connected");
    client.send(publish("/devices/sensor-7/events", "x", 1));
    await client.next("puback");
    client.send(publish(topic, "x", 2));
    await client.closed;
    expect(await cloud.next("closed", () => true, connected), topic).toMatchObject({ reason });
  }
  expect(cloud.received().every(({ gateway }) => gateway === undefined)).toBe(true);
});

test("a gateway's bad topic is reported; a strict cloud then closes, a lenient one goes on", async () => {
  for (const strict of [true, false]) {
    cloud = await openPlant({ strict });
    const client = await connectGateway();
    client.send(publish("/devices/sensor-7/events/", "x", 3));
    if (strict) expect(await whyClosed(client)).toBe("unknown-topic");
    else await client.settle();
    expect(client.isClosed()).toBe(strict);
    expect(errorsIn(client.heard)).toMatchObject([
      { error_type: "GATEWAY_INVALID_MQTT_TOPIC", device_id: "sensor-7", packet_id: 3 },
    ]);
    if (strict) await cloud.close();
  }
});

test("an error about an attached device comes on its own errors topic too, where that is subscribed", async () => {
  cloud = await openPlant({ strict: false });
  const client = await connectGateway();
  client.send(subscribe(3, ["/devices/sensor-7/errors", 1]));
  client.send(publish("/devices/sensor-7/state/sub", "x", 4));
  await client.settle();
  const topics = client.heard.flatMap((packet) => (packet.cmd === "publish" ? [packet.topic] : []));
  expect(topics).toEqual(["/devices/gw-01/errors", "/devices/sensor-7/errors"]);
});

test.each([
  ["telemetry", "events", 262_144],
  ["state", "state", 65_536],
])("%s over its limit closes the connection", async (_name, kind, limit) => {
  cloud = await openPlant();
  const client = await connectGateway();
  client.send(publish(`/devices/sensor-7/${kind}`, Buffer.alloc(limit), 3));
  await client.next("puback");
  client.send(publish(`/devices/sensor-7/${kind}`, Buffer.alloc(limit + 1), 4));
  expect(await whyClosed(client)).toBe("oversize");
});

test("a packet that would never end is not read to its end", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  // PUBLISH with 256 MB announced.
  client.socket.write(Buffer.of(0x32, 0xff, 0xff, 0xff, 0x7f));
  client.socket.write(Buffer.alloc(400_000));
  expect(await whyClosed(client)).toBe("oversize");
});

test("without limits nothing is too large or too fast", async () => {
  cloud = await openPlant({ limits: false });
  const client = await connectGateway();
  client.send(publish("/devices/sensor-7/events", Buffer.alloc(300_000), 3));
  for (let id = 4; id < 304; id++) client.send(publish("/devices/sensor-7/state", `${id}`, id));
  await client.settle();
  expect(client.heard.filter(({ cmd }) => cmd === "puback")).toHaveLength(302);
});

test("more than 100 messages per second close the connection, subscriptions counted", async () => {
  const nowMs = Date.now();
  cloud = await openPlant({ now: () => nowMs });
  const client = await connectGateway();
  for (let id = 3; id < 53; id++) client.send(publish("/devices/sensor-7/events", "x", id));
  for (let id = 53; id < 101; id++) client.send(subscribe(id, ["/devices/sensor-7/commands/#", 1]));
  await client.settle();
  expect(client.isClosed()).toBe(false);
  client.send(publish("/devices/sensor-7/events", "x", 101));
  expect(await whyClosed(client)).toBe("too-many-messages");
});

test("80 messages each second go through, in lumps too", async () => {
  let nowMs = Date.now();
  cloud = await openPlant({ now: () => nowMs });
  const client = await connectGateway();
  for (let second = 0; second < 5; second++) {
    for (let id = 0; id < 80; id++) client.send(publish("/devices/sensor-7/events", "x", 100 + id));
    await client.settle();
    nowMs += second % 2 === 0 ? 900 : 1100;
  }
  expect(client.isClosed()).toBe(false);
});

test("more than 512 KB per second close the connection", async () => {
  const nowMs = Date.now();
  cloud = await openPlant({ now: () => nowMs });
  const client = await connectGateway();
  for (const id of [3, 4, 5]) client.send(publish("/devices/sensor-7/events", Buffer.alloc(200_000), id));
  expect(await whyClosed(client)).toBe("too-many-bytes");
});

test("states a second apart are taken, counted from the answer and over reconnects", async () => {
  let nowMs = Date.now();
  cloud = await openPlant({ now: () => nowMs });
  const client = await connectGateway();
  for (const id of [3, 4]) {
    client.send(publish("/devices/sensor-7/state", `${id}`, id));
    await client.settle();
    nowMs += 1000;
  }
  nowMs -= 1;
  client.end();
  await cloud.next("closed");
  const again = await connectGateway();
  again.send(publish("/devices/sensor-7/state", "5", 5));
  await again.settle();
  expect(errorsIn(again.heard)).toMatchObject([
    { error_type: "GATEWAY_DETACHMENT_DEVICE_ERROR", device_id: "sensor-7" },
  ]);
  expect(cloud.deviceOf("sensor-7")?.states.map(String)).toEqual(["3", "4"]);
  expect(again.isClosed()).toBe(false);
});

test("a state sent before the last one was answered is too fast, whatever time has passed", async () => {
  let nowMs = Date.now();
  cloud = await openPlant({ now: () => nowMs });
  const client = await connectGateway();
  cloud.faults.acknowledge = false;
  client.send(publish("/devices/sensor-7/state", "1", 3));
  await client.settle();
  nowMs += 5000;
  client.send(publish("/devices/sensor-7/state", "2", 4));
  await client.settle();
  expect(cloud.attached("gw-01")).toEqual([]);
});

test("a fast state of the gateway itself closes the connection; elsewhere it is only not kept", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  client.send(publish("/devices/gw-01/state", "1", 3));
  client.send(publish("/devices/gw-01/state", "2", 4));
  expect(await whyClosed(client)).toBe("state-too-fast");
  await cloud.close();
  cloud = await openPlant({ dialect: "clearblade", fastState: "accept" });
  const other = await connectGateway();
  other.send(publish("/devices/gw-01/state", "1", 3));
  other.send(publish("/devices/gw-01/state", "2", 4));
  await other.settle();
  expect(cloud.received().slice(1)).toMatchObject([{ stored: true }, { stored: false }]);
});

test("without a sink events close the connection and states do not", async () => {
  cloud = await openPlant({ sink: false });
  const client = await connectGateway();
  client.send(publish("/devices/sensor-7/state", "1", 3));
  await client.next("puback");
  client.send(publish("/devices/sensor-7/events", "1", 4));
  expect(await whyClosed(client)).toBe("no-sink");
  expect(cloud.deviceOf("gw-01")?.lastErrorStatus).toMatchObject({ code: 9 });
});

test("acknowledgements stop, come late, and connections close as the faults say", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  cloud.faults.acknowledge = false;
  client.send(publish("/devices/sensor-7/events", "unanswered", 3));
  await client.settle();
  cloud.faults.acknowledge = true;
  cloud.faults.acknowledgeDelayMs = 20;
  client.send(publish("/devices/sensor-7/events", "late", 4));
  client.send({ cmd: "pingreq" });
  expect((await client.next("puback")).messageId).toBe(4);
  expect(client.heard.slice(-2).map(({ cmd }) => cmd)).toEqual(["pingresp", "puback"]);
  cloud.faults.acknowledgeDelayMs = 0;
  cloud.faults.failPublish.set("sensor-7", "UNKNOWN");
  client.send(publish("/devices/sensor-7/events", "failed", 5));
  client.send(publish("/devices/sensor-7/events", "fine", 6));
  expect((await client.next("puback")).messageId).toBe(6);
  expect(errorsIn(client.heard)).toMatchObject([{ error_type: "UNKNOWN", packet_id: 5 }]);
  cloud.faults.closeOn = ({ payload }) => payload.includes("poison");
  client.send(publish("/devices/sensor-7/events", "poison", 7));
  expect(await whyClosed(client)).toBe("fault");
  cloud.faults.closeAtPublish = 3;
  const other = await connectGateway();
  other.send(publish("/devices/sensor-7/events", "second", 7));
  await other.next("puback");
  other.send(publish("/devices/sensor-7/events", "third", 8));
  await other.closed;
  expect(cloud.received().map(({ payload }) => payload.toString())).toEqual([
    "",
    "unanswered",
    "late",
    "fine",
    "",
    "second",
  ]);
});
