import { afterEach, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { connectAs, errorsIn, openPlant, publish, subscribe } from "./plant.ts";
import type { RawClient } from "./raw-client.ts";

let cloud: Cloud;
afterEach(() => cloud.close());

async function connectGateway(...attached: readonly string[]): Promise<RawClient> {
  const client = await connectAs(cloud, "gw-01");
  client.send(subscribe(1, ["/devices/gw-01/errors", 0]));
  await client.next("suback");
  for (const [at, device] of attached.entries()) {
    client.send(publish(`/devices/${device}/attach`, "", at + 2));
    await client.next("puback");
  }
  return client;
}

const text = (packet: { readonly payload: string | Buffer }) => packet.payload.toString();

test("a subscription to config is answered, then the latest is delivered, then every newer one", async () => {
  cloud = await openPlant();
  cloud.setConfig("sensor-7", "old");
  expect(cloud.setConfig("sensor-7", "two")).toBe(3);
  const client = await connectGateway("sensor-7");
  client.send(subscribe(5, ["/devices/sensor-7/config", 1]));
  const first = await client.next("publish");
  expect(client.heard.map(({ cmd }) => cmd).slice(-2)).toEqual(["suback", "publish"]);
  expect(first).toMatchObject({ topic: "/devices/sensor-7/config", qos: 1, dup: false, retain: false });
  expect(text(first)).toBe("two");
  client.send({ cmd: "puback", messageId: first.messageId ?? 0 });
  expect(await cloud.next("acknowledged")).toMatchObject({ device: "sensor-7", what: "config", version: 3 });
  expect(cloud.deviceOf("sensor-7")?.configs.at(-1)?.acknowledgedAt).toBeDefined();
  cloud.setConfig("sensor-7", "three");
  expect(text(await client.next("publish"))).toBe("three");
  expect(cloud.deviceOf("sensor-7")?.configs.at(-1)?.acknowledgedAt).toBeUndefined();
});

test("a device without configuration gets an empty one, version 1", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  client.send(subscribe(5, ["/devices/gw-01/config", 1]));
  const first = await client.next("publish");
  expect(first.payload).toHaveLength(0);
  client.send({ cmd: "puback", messageId: first.messageId ?? 0 });
  expect(await cloud.next("acknowledged")).toMatchObject({ device: "gw-01", version: 1 });
});

test("a configuration that is not acknowledged is sent again with the same id and DUP", async () => {
  cloud = await openPlant({ redeliverMs: 20 });
  const client = await connectGateway();
  client.send(subscribe(5, ["/devices/gw-01/config", 1]));
  const first = await client.next("publish");
  const again = await client.next("publish");
  expect(again).toMatchObject({ messageId: first.messageId, dup: true });
  // One PUBACK for each of the two is right, and more is not.
  for (let n = 0; n < 2; n++) client.send({ cmd: "puback", messageId: first.messageId ?? 0 });
  await client.settle();
  const sent = cloud.records.filter(({ kind }) => kind === "sent").length;
  if (sent === 2) expect(errorsIn(client.heard)).toEqual([]);
  for (let n = 2; n <= sent; n++) client.send({ cmd: "puback", messageId: first.messageId ?? 0 });
  await client.settle();
  expect(errorsIn(client.heard)).toMatchObject([
    { error_type: "GATEWAY_UNEXPECTED_PACKET_ID", packet_id: first.messageId },
  ]);
});

test("of unacknowledged configurations only the newest is sent again", async () => {
  cloud = await openPlant({ redeliverMs: 20 });
  const client = await connectGateway();
  client.send(subscribe(5, ["/devices/gw-01/config", 1]));
  cloud.setConfig("gw-01", "ignored, not subscribed yet");
  await client.next("publish");
  const mark = cloud.records.at(-1);
  cloud.setConfig("gw-01", "newest");
  const again = await cloud.next("sent", (record) => record.kind === "sent" && record.again, mark);
  expect(again).toMatchObject({ version: 3 });
  const newest = await client.next("publish");
  client.send({ cmd: "puback", messageId: newest.messageId ?? 0 });
  expect(await cloud.next("acknowledged")).toMatchObject({ version: 3 });
});

test("a configuration at QoS 0 is sent once and never acknowledged", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  client.send(subscribe(5, ["/devices/gw-01/config", 0]));
  expect(await client.next("publish")).toMatchObject({ qos: 0 });
  expect(cloud.deviceOf("gw-01")?.configs.at(-1)?.acknowledgedAt).toBeUndefined();
});

test("commands go to who is connected and subscribed, and to nobody else", async () => {
  cloud = await openPlant();
  expect(cloud.sendCommand("ghost-1", "x")).toEqual({ delivered: false, reason: "unknown-device" });
  expect(cloud.sendCommand("sensor-7", "x")).toEqual({ delivered: false, reason: "offline" });
  const client = await connectGateway("sensor-7");
  expect(cloud.sendCommand("sensor-7", "x")).toEqual({ delivered: false, reason: "unsubscribed" });
  client.send(subscribe(5, ["/devices/sensor-7/commands/#", 2]));
  expect((await client.next("suback")).granted).toEqual([1]);
  expect(cloud.sendCommand("sensor-7", "top")).toEqual({ delivered: true });
  expect(cloud.sendCommand("sensor-7", Buffer.of(0, 200), "ota/start")).toEqual({ delivered: true });
  const [top, sub] = [await client.next("publish"), await client.next("publish")];
  expect([top.topic, text(top), top.qos]).toEqual(["/devices/sensor-7/commands", "top", 1]);
  expect([sub.topic, sub.payload]).toEqual(["/devices/sensor-7/commands/ota/start", Buffer.of(0, 200)]);
  client.send({ cmd: "puback", messageId: top.messageId ?? 0 });
  expect(await cloud.next("acknowledged")).toMatchObject({ what: "command", device: "sensor-7" });
  client.send({ cmd: "unsubscribe", messageId: 6, unsubscriptions: ["/devices/sensor-7/commands/#"] });
  await client.next("unsuback");
  expect(cloud.sendCommand("sensor-7", "x")).toEqual({ delivered: false, reason: "unsubscribed" });
});

test("a detach takes the device's subscriptions along, and an attach does not bring them back", async () => {
  cloud = await openPlant();
  const client = await connectGateway("sensor-7");
  client.send(subscribe(5, ["/devices/sensor-7/commands/#", 1]));
  client.send(publish("/devices/sensor-7/detach", "", 6));
  client.send(publish("/devices/sensor-7/attach", "", 7));
  await client.settle();
  expect(cloud.sendCommand("sensor-7", "x")).toEqual({ delivered: false, reason: "unsubscribed" });
});

test("what is too large or has a bad folder is not sent", async () => {
  cloud = await openPlant();
  expect(() => cloud.setConfig("gw-01", Buffer.alloc(65_537))).toThrow(RangeError);
  expect(() => cloud.setConfig("ghost-1", "x")).toThrow('Cannot configure "ghost-1": no such device');
  expect(() => cloud.sendCommand("gw-01", Buffer.alloc(262_145))).toThrow(RangeError);
  expect(() => cloud.sendCommand("gw-01", "x", "a/#")).toThrow(RangeError);
  expect(cloud.setConfig("gw-01", Buffer.alloc(65_536))).toBe(2);
});

test("several filters in one SUBSCRIBE are answered in order", async () => {
  cloud = await openPlant({ strict: false });
  const client = await connectGateway("sensor-7");
  client.send(
    subscribe(
      5,
      ["/devices/sensor-7/config", 0],
      ["/devices/pump-2/config", 1],
      ["/devices/+/config", 1],
      ["/devices/sensor-7/commands/#", 1],
      ["/devices/sensor-7/commands/+", 1],
      ["/devices/gw-01/errors", 1],
      ["/devices/sensor-7/state", 1],
      ["/devices/sensor-7/config/#", 1],
      ["#", 0],
    ),
  );
  expect((await client.next("suback")).granted).toEqual([0, 128, 128, 1, 128, 0, 128, 128, 128]);
});

test.each([
  "/devices/pump-2/config",
  "/devices/+/config",
  "/devices/sensor-7/events",
  "/devices/sensor-7/config/#",
  "nonsense",
])("a strict cloud closes on a subscription to %s", async (filter) => {
  cloud = await openPlant();
  const client = await connectGateway("sensor-7");
  client.send(subscribe(5, [filter, 1]));
  await client.closed;
  expect(await cloud.next("closed")).toMatchObject({ reason: "unknown-filter" });
});

test("a plain device hears its own configuration and commands, and no errors", async () => {
  cloud = await openPlant();
  const client = await connectAs(cloud, "sensor-7");
  client.send(
    subscribe(5, ["/devices/sensor-7/config", 1], ["/devices/sensor-7/commands/#", 0], ["/devices/sensor-7/errors", 0]),
  );
  expect((await client.next("suback")).granted).toEqual([1, 0, 128]);
  await client.next("publish");
  cloud.sendCommand("sensor-7", "on", "led");
  expect(await client.next("publish")).toMatchObject({ topic: "/devices/sensor-7/commands/led", qos: 0 });
  client.send({ cmd: "puback", messageId: 999 });
  await client.settle();
  expect(await cloud.next("warning")).toMatchObject({ warning: "unexpected-packet-id" });
  client.send({ cmd: "pubrel", messageId: 1 });
  await client.closed;
});

test("next() finds what has happened, waits for what has not, and ends with the cloud", async () => {
  cloud = await openPlant();
  const later = cloud.next("telemetry");
  const client = await connectGateway();
  const connected = await cloud.next((record) => record.kind === "connected");
  client.send(publish("/devices/gw-01/events", "one", 3));
  const first = await later;
  client.send(publish("/devices/gw-01/events", "two", 4));
  expect((await cloud.next("telemetry", () => true, first)).payload.toString()).toBe("two");
  expect(await cloud.next("telemetry", () => true, connected)).toBe(first);
  const never = cloud.next("detach");
  const kinds: string[] = [];
  const followed = (async () => {
    for await (const { kind } of cloud) kinds.push(kind);
  })();
  await cloud.close();
  await expect(never).rejects.toThrow("the stand-in cloud is closed");
  await followed;
  expect(kinds).toEqual(["connected", "subscribed", "telemetry", "telemetry", "closed"]);
});
