import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { generate, type Packet as MqttPacket } from "mqtt-packet";
import { afterEach, expect, test } from "vitest";
import { connectPacket, enter, openRaw, publishPacket, start, stopAll } from "./harness.ts";

afterEach(stopAll);

/** A PUBLISH of QoS 1 with any bytes as its topic. */
function publishTo(topic: Uint8Array, protocol: 4 | 5, messageId = 1): Uint8Array {
  const properties = protocol === 5 ? [0] : [];
  const body = [0, topic.length, ...topic, 0, messageId, ...properties, 0x7b, 0x7d];
  return Uint8Array.from([0x32, body.length, ...body]);
}

const badTopics: readonly (readonly [string, Uint8Array])[] = [
  ["a wildcard #", Buffer.from("v1/#")],
  ["a wildcard +", Buffer.from("v1/+/x")],
  ["nothing", Buffer.alloc(0)],
  ["ill-formed UTF-8", Uint8Array.of(0x76, 0xff, 0x31)],
  ["a surrogate in UTF-8", Uint8Array.of(0xed, 0xa0, 0x80)],
  ["U+0000", Uint8Array.of(0x76, 0, 0x31)],
];

for (const [what, topic] of badTopics) {
  for (const protocol of [4, 5] as const) {
    test(`openListener() closes on a topic of ${what}, level ${protocol}, after answering what came before`, async () => {
      const { port, told, heard } = await start();
      const client = await enter(port, protocol);
      client.socket.cork();
      client.send(publishPacket("good", 1, 7));
      client.send(publishTo(topic, protocol));
      client.send(publishPacket("behind", 1, 8));
      client.socket.uncork();
      expect(await client.closed).toMatchObject([
        { cmd: "puback", messageId: 7 },
        ...(protocol === 5 ? [{ cmd: "disconnect", reasonCode: 0x81 }] : []),
      ]);
      await heard("disconnected");
      expect(told.flatMap((news) => (news.kind === "published" ? [news.text] : []))).toEqual(["good"]);
    });
  }
}

test("openListener() takes properties of MQTT 5, and closes on a topic alias or on properties that are none", async () => {
  const { port } = await start();
  const publish = (properties: readonly number[]): Uint8Array => {
    const body = [0, 1, 0x61, 0, 7, properties.length, ...properties, 0x7b, 0x7d];
    return Uint8Array.of(0x32, body.length, ...body);
  };
  const client = await enter(port, 5);
  client.send(publish([0x01, 1]));
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 7, reasonCode: 0 });
  client.send(publish([0x23, 0, 1]));
  expect(await client.closed).toMatchObject([{ cmd: "disconnect", reasonCode: 0x94 }]);
  const other = await enter(port, 5);
  other.send(publish([0x7f, 1]));
  expect(await other.closed).toMatchObject([{ cmd: "disconnect", reasonCode: 0x81 }]);
});

test("openListener() closes on packet id 0", async () => {
  const { port } = await start();
  for (const header of [0x32, 0x34]) {
    const client = await enter(port, 5);
    client.send(Uint8Array.of(header, 6, 0, 1, 0x61, 0, 0, 0));
    expect(await client.closed).toMatchObject([{ cmd: "disconnect", reasonCode: 0x81 }]);
  }
});

for (const protocol of [4, 5] as const) {
  test(`openListener() closes on a packet that is too large as soon as its header says so, level ${protocol}`, async () => {
    const { port, heard, told } = await start({ local: { maxPacketSize: 100_000 } });
    const client = await enter(port, protocol);
    // 100 001 bytes are announced; no more than the header and the topic are sent.
    client.send(Uint8Array.of(0x30, 0xa1, 0x8d, 0x06, 0, 1, 0x61));
    expect(await client.closed).toMatchObject(protocol === 5 ? [{ cmd: "disconnect", reasonCode: 0x95 }] : []);
    expect(await heard("disconnected")).toMatchObject({ reason: "packet too large" });
    expect(told.filter(({ kind }) => kind === "published")).toEqual([]);
  });

  test(`openListener() tells a client that is still sending a packet that is too large, level ${protocol}`, async () => {
    const { port } = await start({ local: { maxPacketSize: 100_000 } });
    const client = await enter(port, protocol);
    client.send(publishPacket("x".repeat(5_000_000), 1, 1));
    expect(await client.closed).toMatchObject(protocol === 5 ? [{ cmd: "disconnect", reasonCode: 0x95 }] : []);
  });

  test(`openListener() closes on a small packet that is above a small limit, level ${protocol}`, async () => {
    const { port, told, heard } = await start({ local: { maxPacketSize: 100 } });
    const client = await enter(port, protocol);
    client.socket.cork();
    client.send(publishPacket("x".repeat(200), 1, 1));
    client.send(publishPacket("y", 1, 2));
    client.socket.uncork();
    expect(await client.closed).toMatchObject(protocol === 5 ? [{ cmd: "disconnect", reasonCode: 0x95 }] : []);
    await heard("disconnected");
    expect(told.filter(({ kind }) => kind === "published")).toEqual([]);
  });
}

test("openListener() takes a packet of exactly the limit", async () => {
  const { port } = await start({ local: { maxPacketSize: 100 } });
  const client = await enter(port, 4);
  // Topic and its length 22, packet id 2.
  client.send(publishPacket("x".repeat(76), 1, 1));
  expect(await client.next()).toMatchObject({ cmd: "puback" });
});

test("openListener() reads packets that come in pieces", async () => {
  const { port } = await start();
  const client = openRaw(port, { protocol: 5 });
  const connect: MqttPacket = connectPacket(5, { username: "T1" });
  const bytes = Buffer.concat(
    [connect, publishPacket("abc", 1, 1)].map((packet) => generate(packet, { protocolVersion: 5 })),
  );
  for (const byte of bytes) {
    client.socket.write(Uint8Array.of(byte));
    await new Promise(setImmediate);
  }
  expect(await client.next()).toMatchObject({ cmd: "connack", reasonCode: 0 });
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 1 });
});

test("openListener() goes on when a client leaves in the middle of a packet", async () => {
  const { port, heard } = await start();
  const client = await enter(port, 4);
  client.send(Uint8Array.of(0x32, 50, 0, 1, 0x61));
  client.socket.end();
  await client.closed;
  expect(await heard("disconnected")).toMatchObject({ reason: "lost" });
  await enter(port, 4);
});

test("openListener() closes on a second CONNECT and on packets that only servers send", async () => {
  const { port } = await start();
  const again = await enter(port, 4);
  again.send(connectPacket(4, { username: "T1" }));
  await again.closed;
  const confused = await enter(port, 5);
  confused.send({ cmd: "pingresp" });
  await confused.closed;
});

test("openListener() closes on SUBSCRIBE without a filter or a packet id", async () => {
  const { port } = await start();
  for (const bytes of [
    Uint8Array.of(0x82, 2, 0, 1),
    Uint8Array.of(0x82, 6, 0, 0, 0, 1, 0x61, 0),
    Uint8Array.of(0xa2, 2, 0, 1),
  ]) {
    const client = await enter(port, 4);
    client.send(bytes);
    expect(await client.closed).toEqual([]);
  }
});

test("openListener() closes a connection that never says CONNECT, or not all of it", async () => {
  const { port, heard } = await start({ local: { connectTimeout: 50 } });
  await openRaw(port).closed;
  expect(await heard("refused")).toMatchObject({ reason: "connect did not arrive in time" });
  const slow = openRaw(port);
  slow.send(Uint8Array.of(0x10, 20, 0, 4));
  await slow.closed;
});

test("openListener() closes on what is not MQTT before it is parsed", async () => {
  const { port, heard } = await start();
  for (const text of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "\x10\xff\xff\xff\xff\xff", "\x20\x02\0\0"]) {
    const client = openRaw(port);
    client.send(Buffer.from(text, "latin1"));
    expect(await client.closed).toEqual([]);
  }
  expect(await heard("refused")).toMatchObject({ reason: "not MQTT" });
  const large = openRaw(port);
  large.send(Uint8Array.of(0x10, 0x81, 0x80, 0x04));
  await large.closed;
  await heard("refused", ({ reason }) => reason === "CONNECT of 65537 bytes is too large");
});

test("openListener() refuses levels and flags of CONNECT that no MQTT has", async () => {
  const { port } = await start();
  for (const [level, flags] of [
    [6, 2],
    [2, 2],
    [4, 3],
    [4, 0xc2],
  ] as const) {
    const client = openRaw(port);
    client.send(Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, level, flags, 0, 60, 0, 1, 0x63));
    await client.closed;
  }
  await enter(port, 4);
});

test("openListener() survives garbage, before CONNECT and after", async () => {
  const { port, listener } = await start();
  const attempt = (bytes: readonly Uint8Array[]): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.on("data", () => {});
      for (const part of bytes) socket.write(part);
      socket.end();
    });
  for (let round = 0; round < 300; round++) {
    const protocol = ([3, 4, 5] as const)[round % 3] ?? 4;
    const hello = generate(connectPacket(protocol, { username: "T1" }), { protocolVersion: protocol });
    const garbage = randomBytes(1 + (round % 60));
    // A valid header in front of it gets garbage further into the parser.
    const header = [0x10, 0x30, 0x32, 0x34, 0x40, 0x62, 0x82, 0xa2, 0xe0, 0xf0][round % 10] ?? 0;
    const framed = Buffer.concat([Uint8Array.of(header, garbage.length), garbage]);
    await attempt([garbage]);
    await attempt([hello, framed]);
    // CONNECT with one byte changed.
    const bent = Buffer.from(hello);
    bent[2 + (round % (bent.length - 2))] = round % 256;
    await attempt([bent, framed]);
  }
  const client = await enter(port, 5);
  client.send(publishPacket("a", 1, 1));
  expect(await client.next()).toMatchObject({ cmd: "puback" });
  expect(listener.clients()).toHaveLength(1);
});
