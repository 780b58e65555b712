import { afterEach, expect, test } from "vitest";
import type { Verdict } from "../../src/local/listener.ts";
import { connectPacket, enter, gate, openRaw, publishPacket, start, stopAll } from "./harness.ts";

afterEach(stopAll);

test("openListener() tells an MQTT 5 client what would close its connection, and older ones nothing", async () => {
  const { port } = await start({ local: { maxPacketSize: 2000 } });
  const client = openRaw(port, { protocol: 5 });
  client.send(connectPacket(5, { username: "T1" }));
  expect(await client.next()).toMatchObject({
    cmd: "connack",
    sessionPresent: false,
    properties: { maximumPacketSize: 2000, sharedSubscriptionAvailable: false },
  });
  const old = openRaw(port, { protocol: 4 });
  old.send(connectPacket(4, { username: "T2", clean: false }));
  expect(await old.next()).toMatchObject({ cmd: "connack", length: 2, sessionPresent: false });
});

/** CONNECT of MQTT 5 for the token T1, with any properties. */
function connectWith(properties: readonly number[]): Uint8Array {
  const body = [0, 4, ...Buffer.from("MQTT"), 5, 0x82, 0, 60, properties.length, ...properties, 0, 0, 0, 2, 0x54, 0x31];
  return Uint8Array.of(0x10, body.length, ...body);
}

test.each([
  ["a Receive Maximum of 0", [0x21, 0, 0], 0x82],
  ["a Maximum Packet Size of 0", [0x27, 0, 0, 0, 0], 0x82],
  ["an Authentication Method", [0x15, 0, 1, 0x61], 0x8c],
  ["Authentication Data alone", [0x16, 0, 1, 0x61], 0x82],
])("openListener() refuses %s", async (_what, properties, reasonCode) => {
  const { port } = await start();
  const client = openRaw(port, { protocol: 5 });
  client.send(connectWith(properties));
  expect(await client.closed).toMatchObject([{ cmd: "connack", reasonCode }]);
});

test("openListener() closes on a property that stands there twice", async () => {
  const { port, heard } = await start();
  const client = openRaw(port, { protocol: 5 });
  client.send(connectWith([0x21, 0, 5, 0x21, 0, 6]));
  expect(await client.closed).toEqual([]);
  expect(await heard("refused")).toMatchObject({ reason: "malformed: the property receiveMaximum more than once" });
});

test.each([
  ["PUBACK without a packet id", [0x40, 0], 0x81],
  ["PUBREL with half a packet id", [0x62, 1, 0], 0x81],
  ["PINGREQ with a body", [0xc0, 1, 0], 0x81],
  ["PUBACK with reserved bits", [0x42, 2, 0, 1], 0x81],
  ["SUBSCRIBE that is marked as sent again", [0x8a, 7, 0, 1, 0, 0, 1, 0x61, 0], 0x81],
  ["SUBSCRIBE with reserved options", [0x82, 7, 0, 1, 0, 0, 1, 0x61, 0x40], 0x81],
  ["SUBSCRIBE with the identifier 0", [0x82, 9, 0, 1, 2, 0x0b, 0, 0, 1, 0x61, 0], 0x82],
  ["PUBLISH with a subscription identifier", [0x30, 6, 0, 1, 0x61, 2, 0x0b, 1], 0x82],
  ["PUBLISH with QoS 3", [0x36, 6, 0, 1, 0x61, 0, 1, 0], 0x81],
  ["AUTH", [0xf0, 2, 0x18, 0], 0x82],
  ["a packet of type 0", [0, 0], 0x81],
])("openListener() closes on %s", async (_what, bytes, reasonCode) => {
  const { port, told } = await start();
  const client = await enter(port, 5);
  client.send(Uint8Array.from(bytes));
  expect(await client.closed).toMatchObject([{ cmd: "disconnect", reasonCode }]);
  expect(told.filter(({ kind }) => kind === "published")).toEqual([]);
});

test("openListener() lets MQTT 3.1 mark what is sent again", async () => {
  const { port } = await start();
  const client = await enter(port, 3);
  client.send(Uint8Array.of(0x8a, 6, 0, 1, 0, 1, 0x61, 0));
  expect(await client.next()).toMatchObject({ cmd: "suback", messageId: 1 });
  client.send(Uint8Array.of(0x6a, 2, 0, 2));
  expect(await client.next()).toMatchObject({ cmd: "pubcomp", messageId: 2 });
});

test("openListener() closes on a PUBREL before its PUBREC, after answering the PUBLISH", async () => {
  const safe = gate<Verdict>();
  const { port, heard } = await start({ publish: () => safe.promise });
  const client = await enter(port, 5);
  client.send(publishPacket("a", 2, 9));
  client.send({ cmd: "pubrel", messageId: 9 });
  await heard("published");
  safe.open({ kind: "acknowledge" });
  expect(await client.closed).toMatchObject([
    { cmd: "pubrec", messageId: 9 },
    { cmd: "disconnect", reasonCode: 0x82 },
  ]);
});

test("openListener() takes nothing behind a DISCONNECT, not even when all came with CONNECT", async () => {
  const { port, heard, told } = await start();
  const client = openRaw(port);
  client.socket.cork();
  client.send(connectPacket(4, { username: "T1" }));
  client.send(publishPacket("before", 0));
  client.send({ cmd: "disconnect" });
  client.send(publishPacket("behind", 0));
  client.socket.uncork();
  expect(await heard("disconnected")).toMatchObject({ reason: "disconnect" });
  expect(told.flatMap((news) => (news.kind === "published" ? [news.text] : []))).toEqual(["before"]);
});
