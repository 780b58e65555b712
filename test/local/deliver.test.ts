import { afterEach, expect, test } from "vitest";
import type { Packet } from "../../src/message/packet.ts";
import { enter, type RawClient, start, stopAll } from "./harness.ts";

afterEach(stopAll);

const any = { needsSubscription: false };
const rpc: Packet = { topic: "v1/gateway/rpc", payload: Buffer.from("{}"), qos: 1 };

async function subscribe(client: RawClient, topic: string, qos: 0 | 1, identifier?: number): Promise<void> {
  client.send({
    cmd: "subscribe",
    messageId: 1,
    subscriptions: [{ topic, qos }],
    ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
  });
  expect(await client.next()).toMatchObject({ cmd: "suback" });
}

for (const protocol of [3, 4, 5] as const) {
  test(`deliver() resolves at PUBACK, level ${protocol}`, async () => {
    const { port, listener } = await start();
    const client = await enter(port, protocol);
    const delivered = listener.deliver("one", rpc, any);
    const packet = await client.next();
    expect(packet).toMatchObject({ cmd: "publish", topic: rpc.topic, qos: 1, retain: false, dup: false });
    expect(packet).toMatchObject({ payload: Buffer.from("{}") });
    client.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
    expect(await delivered).toBe("acknowledged");
  });
}

test("deliver() takes the lower QoS of packet and subscription, and 1 without a subscription", async () => {
  const { port, listener } = await start();
  const client = await enter(port, 4);
  await subscribe(client, "v1/gateway/rpc", 0);
  expect(await listener.deliver("one", rpc, any)).toBe("written");
  expect(await client.next()).toMatchObject({ qos: 0 });
  await subscribe(client, "v1/gateway/rpc", 1);
  expect(await listener.deliver("one", { ...rpc, qos: 0 }, any)).toBe("written");
  expect(await client.next()).toMatchObject({ qos: 0 });
  const delivered = listener.deliver("one", { ...rpc, qos: 2 }, any);
  expect(await client.next()).toMatchObject({ qos: 1 });
  client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["v1/gateway/rpc"] });
  expect(await client.next()).toMatchObject({ cmd: "unsuback" });
  void listener.deliver("one", rpc, any);
  expect(await client.next()).toMatchObject({ qos: 1 });
  expect(await listener.deliver("one", rpc, { needsSubscription: true })).toBe("unsubscribed");
  client.socket.destroy();
  expect(await delivered).toBe("offline");
});

test("deliver() finds the subscription through a wildcard and sends its identifier along", async () => {
  const { port, listener } = await start();
  const client = await enter(port, 5);
  await subscribe(client, "v1/devices/me/rpc/request/+", 1, 42);
  await subscribe(client, "deep/#", 0);
  void listener.deliver("one", { ...rpc, topic: "v1/devices/me/rpc/request/7" }, { needsSubscription: true });
  expect(await client.next()).toMatchObject({ qos: 1, properties: { subscriptionIdentifier: 42 } });
  expect(await listener.deliver("one", { ...rpc, topic: "deep" }, { needsSubscription: true })).toBe("written");
  expect(await client.next()).toMatchObject({ topic: "deep", qos: 0 });
  expect(await listener.deliver("one", { ...rpc, topic: "deeper" }, { needsSubscription: true })).toBe("unsubscribed");
});

test("deliver() is offline for a gateway that is not there, or not on that connection any more", async () => {
  const { port, listener, heard } = await start();
  expect(await listener.deliver("one", rpc, any)).toBe("offline");
  await enter(port, 4);
  const { client } = await heard("connected");
  const current = await enter(port, 4);
  expect(await listener.deliver("one", rpc, { ...any, connection: client.connection })).toBe("offline");
  expect(await listener.deliver("two", rpc, any)).toBe("offline");
  const second = await heard("connected", (news) => news.client.connection !== client.connection);
  const delivered = listener.deliver("one", rpc, { ...any, connection: second.client.connection });
  const packet = await current.next();
  current.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
  expect(await delivered).toBe("acknowledged");
});

test("deliver() keeps to the window and its order, and takes acknowledgements in any", async () => {
  const { port, listener } = await start({ tuning: { window: 3 } });
  const client = await enter(port, 4);
  const delivered = [0, 1, 2, 3, 4].map((n) => listener.deliver("one", { ...rpc, payload: Buffer.from(`${n}`) }, any));
  const first = [await client.next(), await client.next(), await client.next()];
  client.send({ cmd: "pingreq" });
  expect(await client.next()).toMatchObject({ cmd: "pingresp" });
  expect(new Set(first.map(({ messageId }) => messageId)).size).toBe(3);
  client.send({ cmd: "puback", messageId: first[2]?.messageId ?? 0 });
  expect(await delivered[2]).toBe("acknowledged");
  const fourth = await client.next();
  expect(fourth).toMatchObject({ payload: Buffer.from("3") });
  client.send({ cmd: "puback", messageId: 60_000 });
  client.send({ cmd: "puback", messageId: first[2]?.messageId ?? 0 });
  client.send({ cmd: "puback", messageId: first[0]?.messageId ?? 0 });
  expect(await client.next()).toMatchObject({ payload: Buffer.from("4") });
  client.socket.destroy();
  expect(await Promise.all(delivered)).toEqual(["acknowledged", "offline", "acknowledged", "offline", "offline"]);
});

test("deliver() respects what an MQTT 5 client says it takes", async () => {
  const { port, listener } = await start();
  const client = await enter(port, 5, { properties: { receiveMaximum: 1, maximumPacketSize: 50 } });
  expect(await listener.deliver("one", { ...rpc, payload: Buffer.alloc(50) }, any)).toBe("rejected");
  const delivered = [listener.deliver("one", rpc, any), listener.deliver("one", rpc, any)];
  const first = await client.next();
  client.send({ cmd: "puback", messageId: first.messageId ?? 0, reasonCode: 0x99 });
  expect(await delivered[0]).toBe("rejected");
  const second = await client.next();
  client.send({ cmd: "puback", messageId: second.messageId ?? 0, reasonCode: 0x10 });
  expect(await delivered[1]).toBe("acknowledged");
});

test("deliver() gives packet ids that are free, also after 65535 of them", async () => {
  const { port, listener } = await start();
  const client = await enter(port, 4);
  void listener.deliver("one", rpc, any);
  const stuck = (await client.next()).messageId;
  const ids = new Set<number>();
  for (let round = 0; round < 700; round++) {
    const delivered = Array.from({ length: 100 }, () => listener.deliver("one", rpc, any));
    for (const _ of delivered) {
      const { messageId = 0 } = await client.next();
      ids.add(messageId);
      client.send({ cmd: "puback", messageId });
    }
    await Promise.all(delivered);
  }
  expect(ids.size).toBe(65_534);
  expect(ids).not.toContain(0);
  expect(ids).not.toContain(stuck);
});

test("deliver() refuses a topic that cannot be published to", async () => {
  const { port, listener } = await start();
  await enter(port, 4);
  expect(await listener.deliver("one", { ...rpc, topic: "a/#" }, any)).toBe("rejected");
  expect(await listener.deliver("one", { ...rpc, topic: "ü".repeat(32_768) }, any)).toBe("rejected");
});

test("openListener() closes a connection that lets too much wait unacknowledged", async () => {
  const { port, listener, heard } = await start({ tuning: { window: 1, maxWaitingBytes: 1000 } });
  const client = await enter(port, 5);
  const delivered = [0, 1, 2].map(() => listener.deliver("one", { ...rpc, payload: Buffer.alloc(600) }, any));
  expect(await Promise.all(delivered)).toEqual(["offline", "offline", "offline"]);
  expect(await heard("disconnected")).toMatchObject({ reason: "does not acknowledge" });
  expect(await client.closed).toMatchObject([{ cmd: "publish" }, { cmd: "disconnect", reasonCode: 0x97 }]);
});

test("openListener() closes a connection that does not acknowledge in time, but not before its keep-alive", async () => {
  let now = 1_000_000;
  const { port, listener, heard } = await start({ tuning: { sweepMs: 5, now: () => now } });
  const client = await enter(port, 4, { keepalive: 60 });
  const delivered = listener.deliver("one", rpc, any);
  await client.next();
  now += 90_000;
  client.send({ cmd: "pingreq" });
  expect(await client.next()).toMatchObject({ cmd: "pingresp" });
  expect(listener.clients()).toHaveLength(1);
  now += 1;
  expect(await delivered).toBe("offline");
  expect(await heard("disconnected")).toMatchObject({ reason: "does not acknowledge" });
});

test("openListener() closes a connection that does not read", async () => {
  const { port, listener, heard } = await start();
  const client = await enter(port, 4);
  client.socket.pause();
  const packet = { ...rpc, payload: Buffer.alloc(256 * 1024), qos: 0 as const };
  let outcome = "written";
  for (let sent = 0; outcome === "written" && sent < 1000; sent++) {
    outcome = await listener.deliver("one", packet, any);
    await new Promise(setImmediate);
  }
  expect(outcome).toBe("offline");
  expect(await heard("disconnected")).toMatchObject({ reason: "does not read" });
});
