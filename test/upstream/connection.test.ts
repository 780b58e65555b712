import { Socket } from "node:net";
import type { Packet } from "mqtt-packet";
import { describe, expect, test, vi } from "vitest";
import { openUpstream } from "../../src/upstream/connection.ts";
import type { FakePeer } from "./fake-server.ts";
import { openToFake } from "./open-to-fake.ts";
import { createRecorder, packet } from "./recorder.ts";

/** Sends something that is answered at once, and returns what the client sent before that answer. */
async function sentSoFar(peer: FakePeer, { acknowledge }: { acknowledge: () => Promise<void> }): Promise<Packet[]> {
  peer.send({ cmd: "publish", topic: "fence", payload: "", qos: 1, messageId: 60_000, dup: false, retain: false });
  await acknowledge();
  const packets: Packet[] = [];
  for (;;) {
    const next = await peer.next();
    if (next.cmd === "puback" && next.messageId === 60_000) return packets;
    packets.push(next);
  }
}

const fenceOf = (fake: Awaited<ReturnType<typeof openToFake>>) => ({
  acknowledge: async () => {
    for (;;) {
      const received = await fake.next("received");
      if (received.topic === "fence") return fake.connection.acknowledge(received.inbound);
    }
  },
});

function inboundPublish(messageId: number, topic: string, payload: string | Buffer = "", qos: 0 | 1 | 2 = 1): Packet {
  return { cmd: "publish", topic, payload, qos, messageId, dup: false, retain: false };
}

describe("CONNECT", () => {
  test.each([
    [3, "MQIsdp"],
    [4, "MQTT"],
    [5, "MQTT"],
  ] as const)("at level %i is clean, has no will, and carries the login", async (protocol, protocolId) => {
    const fake = await openToFake({ protocol });
    const connect = await (await fake.server.peer()).accept();
    expect(connect).toMatchObject({ protocolId, protocolVersion: protocol, clean: true, keepalive: 60 });
    expect(connect).toMatchObject({ clientId: "gw-01", username: "unused", password: Buffer.from("secret") });
    expect(connect.will).toBeUndefined();
    await fake.next("opened");
    expect(fake.connection).toMatchObject({ state: "open", lastProvenMs: fake.time.now() });
  });

  test("a login without user name and password sends neither", async () => {
    const fake = await openToFake({ login: async () => ({ clientId: "" }) });
    const connect = await (await fake.server.peer()).nextOf("connect");
    expect([connect.username, connect.password]).toEqual([undefined, undefined]);
  });

  test("a login that fails is the reason credentials, and is tried again", async () => {
    let tries = 0;
    const fake = await openToFake({
      login: async () => {
        tries += 1;
        if (tries === 1) throw new Error("the key is gone");
        return { clientId: "gw-01" };
      },
    });
    expect(await fake.next("closed")).toMatchObject({ reason: "credentials", detail: "the key is gone" });
    fake.time.advance(1500);
    await fake.opened();
    expect(tries).toBe(2);
  });

  test("a login that MQTT cannot carry is the reason credentials", async () => {
    const fake = await openToFake({ login: async () => ({ clientId: "gw-01", password: "hidden" }) });
    const { reason, detail } = await fake.next("closed");
    expect({ reason, detail }).toEqual({ reason: "credentials", detail: "Username is required to use password" });
  });
});

test("openUpstream() refuses a URL that is not MQTT's", () => {
  const options = {
    protocol: 4,
    keepaliveMs: 0,
    connectTimeoutMs: 1,
    login: async () => ({ clientId: "" }),
    reconnects: [],
  } as const;
  const { handlers } = createRecorder();
  for (const url of ["http://127.0.0.1", "127.0.0.1:1883"]) {
    const message = `Cannot connect to "${url}": wanted an mqtt:// or mqtts:// URL`;
    expect(() => openUpstream({ ...options, url }, handlers)).toThrow(new TypeError(message));
  }
});

describe("publish()", () => {
  test("sends all of one turn, acknowledgements included, in one socket write", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    peer.send(inboundPublish(5, "a/config"));
    const { inbound } = await fake.next("received");
    const write = vi.spyOn(Socket.prototype, "write");
    fake.connection.acknowledge(inbound);
    fake.connection.subscribe([{ filter: "a", qos: 1 }], 1);
    for (let i = 0; i < 100; i++) fake.connection.publish(packet(`/devices/${i}/events`, "{}"), i);
    await peer.nextOf("subscribe");
    const ours = write.mock.contexts.filter((socket) => socket !== peer.socket);
    write.mockRestore();
    expect(ours).toHaveLength(1);
    for (let i = 0; i < 100; i++) expect(await peer.nextOf("publish")).toMatchObject({ messageId: i + 2, qos: 1 });
  });

  test("keeps the order of calls with subscribe() and unsubscribe()", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    fake.connection.subscribe(
      [
        { filter: "errors", qos: 0 },
        { filter: "config", qos: 1 },
      ],
      1,
    );
    fake.connection.publish(packet("attach"), 2);
    fake.connection.unsubscribe(["x", "y"]);
    fake.connection.publish(packet("events"), 3);
    const sent = [await peer.next(), await peer.next(), await peer.next(), await peer.next()];
    expect(sent).toMatchObject([
      {
        cmd: "subscribe",
        subscriptions: [
          { topic: "errors", qos: 0 },
          { topic: "config", qos: 1 },
        ],
      },
      { cmd: "publish", topic: "attach", retain: false, dup: false },
      { cmd: "unsubscribe", unsubscriptions: ["x", "y"] },
      { cmd: "publish", topic: "events" },
    ]);
  });

  test("takes PUBACKs in any order, and repeated and unknown ones calmly", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    for (const token of [10, 20, 30]) fake.connection.publish(packet("a"), token);
    for (const messageId of [3, 3, 1, 77, 1, 2]) peer.send({ cmd: "puback", messageId });
    expect((await fake.take("acknowledged", 3)).map(({ token }) => token)).toEqual([30, 10, 20]);
    expect(await sentSoFar(peer, fenceOf(fake))).toHaveLength(3);
    expect(fake.told).toEqual([]);
  });

  test("reports v5 reason codes, those of the future too", async () => {
    const fake = await openToFake({ protocol: 5 });
    const peer = await fake.opened();
    for (let token = 1; token <= 4; token++) fake.connection.publish(packet("a"), token);
    peer.socket.write(Buffer.from([0x40, 2, 0, 1, 0x40, 3, 0, 2, 0x97, 0x40, 4, 0, 3, 0x83, 0, 0x40, 3, 0, 4, 0xee]));
    expect((await fake.take("acknowledged", 4)).map(({ code }) => code)).toEqual([0, 0x97, 0x83, 0xee]);
  });

  test("what is unacknowledged when the connection ends is reported in order, and not sent again", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    for (const token of [1, 2, 3, 4, 5]) fake.connection.publish(packet("a", `${token}`), token);
    await peer.nextOf("publish");
    peer.send({ cmd: "puback", messageId: 3 });
    await fake.next("acknowledged");
    fake.connection.forget(2);
    peer.socket.resetAndDestroy();
    expect(await fake.next("closed")).toMatchObject({ reason: "reset", unacknowledged: [1, 4, 5] });
    fake.time.advance(5000);
    const again = await fake.opened();
    expect(await sentSoFar(again, fenceOf(fake))).toEqual([]);
  });

  test("what is published while there is no connection waits for one", async () => {
    const fake = await openToFake();
    fake.connection.publish(packet("early"), 1);
    const peer = await fake.opened();
    expect(await peer.nextOf("publish")).toMatchObject({ topic: "early" });
  });

  test("tokenOf() knows a packet id until it is answered", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    fake.connection.publish(packet("a"), 41);
    const { messageId = 0 } = await peer.nextOf("publish");
    expect(fake.connection.tokenOf(messageId)).toBe(41);
    peer.send({ cmd: "puback", messageId });
    await fake.next("acknowledged");
    expect([fake.connection.tokenOf(messageId), fake.connection.tokenOf(999)]).toEqual([undefined, undefined]);
  });

  test("keeps to the server's Receive Maximum, while acknowledgements overtake", async () => {
    const fake = await openToFake({ protocol: 5 });
    const peer = await fake.opened({ properties: { receiveMaximum: 2 } });
    for (let token = 1; token <= 5; token++) fake.connection.publish(packet("a", `${token}`), token);
    const first = await sentSoFar(peer, fenceOf(fake));
    expect(first.map((sent) => sent.cmd === "publish" && sent.payload.toString())).toEqual(["1", "2"]);
    peer.send({ cmd: "puback", messageId: 2, reasonCode: 0 });
    expect(await peer.nextOf("publish")).toMatchObject({ payload: Buffer.from("3") });
    expect(await sentSoFar(peer, fenceOf(fake))).toEqual([]);
  });

  test("a forgotten publish still counts against the Receive Maximum; a connection stuck in them is given up", async () => {
    const fake = await openToFake({ protocol: 5, keepaliveMs: 0 });
    const peer = await fake.opened({ properties: { receiveMaximum: 2 } });
    for (const token of [1, 2]) fake.connection.publish(packet("a", `${token}`), token);
    await peer.nextOf("publish");
    fake.connection.publish(packet("b"), 3);
    fake.connection.forget(1);
    expect(await sentSoFar(peer, fenceOf(fake))).toMatchObject([{ cmd: "publish" }]);
    peer.send({ cmd: "puback", messageId: 1, reasonCode: 0 }); // A late answer to the forgotten one frees its place.
    expect(await peer.nextOf("publish")).toMatchObject({ topic: "b" });
    fake.connection.publish(packet("c"), 4);
    for (const token of [2, 3]) fake.connection.forget(token);
    await sentSoFar(peer, fenceOf(fake));
    fake.time.advance(30_000);
    expect(await fake.next("closed")).toMatchObject({ reason: "unacknowledged", unacknowledged: [4] });
  });

  test("waits for a server that does not read, encoding little ahead", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    peer.socket.pause();
    const write = vi.spyOn(Socket.prototype, "write");
    const payload = new Uint8Array(256 * 1024);
    for (let token = 0; token < 64; token++) fake.connection.publish(packet("a", payload), token);
    fake.connection.publish(packet("last"), 64);
    await vi.waitFor(() => expect(write.mock.calls.length).toBeGreaterThan(0), { timeout: 60_000 });
    const ours = write.mock.contexts.find((socket) => socket !== peer.socket) as Socket;
    write.mockRestore();
    await new Promise((resolve) => setImmediate(resolve));
    expect(ours.writableLength).toBeLessThan(2 * 1024 * 1024);
    peer.socket.resume();
    for (;;) if ((await peer.nextOf("publish")).topic === "last") break;
  });
});

describe("inbound", () => {
  test("a packet in single bytes arrives whole", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    const body = Buffer.from([0, 3, 0x61, 0x2f, 0x62, 0, 9, 0x78, 0x79]);
    for (const byte of [0x32, body.length, ...body]) peer.socket.write(Buffer.from([byte]));
    expect(await fake.next("received")).toMatchObject({ topic: "a/b", payload: "xy", qos: 1 });
  });

  test("v5 properties are passed over", async () => {
    const fake = await openToFake({ protocol: 5 });
    const peer = await fake.opened();
    peer.send({
      ...{ cmd: "publish", topic: "a", payload: "x", qos: 0, dup: false, retain: false },
      properties: { contentType: "text/plain", userProperties: { a: "b" } },
    });
    expect(await fake.next("received")).toEqual({ kind: "received", topic: "a", payload: "x", qos: 0, inbound: 0 });
  });

  test.each([
    [4, undefined],
    [5, 0x97],
  ] as const)(
    "a 12 MB packet at level %i is skipped, acknowledged and reported, and the next one arrives",
    async (protocol, reasonCode) => {
      const fake = await openToFake({ protocol });
      const peer = await fake.opened();
      peer.send(inboundPublish(8, "/devices/gw-01/config", Buffer.alloc(12_000_000)));
      peer.send(inboundPublish(9, "a", "small"));
      expect(await fake.next("oversized")).toMatchObject({
        topic: "/devices/gw-01/config",
        bytes: 12_000_025 + (protocol === 5 ? 1 : 0),
      });
      expect(await fake.next("received")).toMatchObject({ payload: "small" });
      const puback = await peer.nextOf("puback");
      expect([puback.messageId, puback.reasonCode]).toEqual([8, reasonCode]);
    },
  );

  test.each([
    ["an unknown packet", [0xf0, 0], "a packet of type 15"],
    ["a PUBLISH shorter than its topic", [0x30, 3, 0, 9, 0x61], "a malformed PUBLISH"],
    ["a QoS 1 PUBLISH with packet id 0", [0x32, 5, 0, 1, 0x61, 0, 0], "a malformed PUBLISH"],
    ["a QoS 2 PUBLISH", [0x34, 5, 0, 1, 0x61, 0, 1], "QoS 2"],
    ["a second CONNACK", [0x20, 2, 0, 0], "second CONNACK"],
    ["a length without end", [0x30, 0xff, 0xff, 0xff, 0xff, 1], "remaining length"],
    ["a SUBACK of one byte", [0x90, 1, 0], "a malformed SUBACK"],
    ["an UNSUBACK of one byte", [0xb0, 1, 0], "a malformed UNSUBACK"],
    ["a PUBACK of one byte", [0x40, 1, 0], "a malformed PUBACK"],
    ["a giant that is no PUBLISH", [0xd0, 0xff, 0xff, 0xff, 0x7f], "a packet of type 13"],
  ])("%s closes with the reason protocol", async (_name, bytes, text) => {
    const fake = await openToFake();
    const peer = await fake.opened();
    peer.socket.write(Buffer.from(bytes));
    const { reason, detail } = await fake.next("closed");
    expect(reason).toBe("protocol");
    expect(detail).toContain(text);
    await peer.ended;
  });

  test("SUBACK codes that no standard knows are reported as they came", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    fake.connection.subscribe(
      [
        { filter: "a", qos: 1 },
        { filter: "b", qos: 1 },
      ],
      3,
    );
    await peer.nextOf("subscribe");
    peer.socket.write(Buffer.from([0x90, 4, 0, 1, 0x80, 19]));
    expect(await fake.next("subscribed")).toEqual({ kind: "subscribed", token: 3, codes: [0x80, 19] });
  });
});

describe("time", () => {
  test("pings after three quarters of a keepalive without proof, and notices that nobody answers half a keepalive later", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    fake.time.advance(45_000);
    await peer.nextOf("pingreq");
    peer.send({ cmd: "pingresp" });
    await vi.waitFor(() => expect(fake.connection.lastProvenMs).toBe(fake.time.now()), { timeout: 60_000 });
    fake.time.advance(45_000);
    await peer.nextOf("pingreq");
    fake.time.advance(30_000);
    expect(await fake.next("closed")).toMatchObject({ reason: "keepalive", detail: expect.stringContaining("75 s") });
  });

  test("takes the keepalive that a v5 server asks for", async () => {
    const fake = await openToFake({ protocol: 5 });
    const peer = await fake.opened({ properties: { serverKeepAlive: 20 } });
    fake.time.advance(15_000);
    await peer.nextOf("pingreq");
  });

  test("gives a connection up when the oldest publish has waited 30 s", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    fake.connection.publish(packet("a"), 1);
    fake.connection.publish(packet("a"), 2);
    await peer.nextOf("publish");
    peer.send({ cmd: "puback", messageId: 2 });
    await fake.next("acknowledged");
    fake.time.advance(29_999);
    expect(fake.told).toEqual([]);
    fake.time.advance(1);
    expect(await fake.next("closed")).toMatchObject({ reason: "unacknowledged", unacknowledged: [1] });
  });

  test("a server that is slow but answers in order is not given up", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    for (let token = 1; token <= 4; token++) fake.connection.publish(packet("a"), token);
    await peer.nextOf("publish");
    for (let messageId = 1; messageId <= 4; messageId++) {
      fake.time.advance(20_000);
      peer.send({ cmd: "puback", messageId });
      await fake.next("acknowledged");
    }
    expect(fake.connection.state).toBe("open");
  });

  test("a SUBSCRIBE without an answer fails alone, each filter of it", async () => {
    const fake = await openToFake({ keepaliveMs: 0 });
    const peer = await fake.opened();
    fake.connection.subscribe(
      [
        { filter: "a", qos: 1 },
        { filter: "b", qos: 1 },
      ],
      6,
    );
    fake.connection.unsubscribe(["c"]);
    await peer.nextOf("unsubscribe");
    fake.time.advance(30_000);
    expect(await fake.next("subscribed")).toEqual({ kind: "subscribed", token: 6, codes: [0x80, 0x80] });
    expect(fake.connection.state).toBe("open");
  });

  test("a server that takes the connection and says nothing is the reason timeout", async () => {
    const fake = await openToFake();
    await (await fake.server.peer()).nextOf("connect");
    fake.time.advance(30_000);
    expect(await fake.next("closed")).toMatchObject({ reason: "timeout", detail: "no CONNACK within 30 s" });
  });
});

describe("close()", () => {
  test("sends DISCONNECT and reports what stayed unacknowledged when its time is up", async () => {
    const fake = await openToFake();
    const peer = await fake.opened();
    fake.connection.publish(packet("a"), 1);
    fake.connection.publish(packet("a"), 2);
    const closed = fake.connection.close({ drainMs: 10_000 });
    await peer.nextOf("publish");
    peer.send({ cmd: "puback", messageId: 1 });
    await fake.next("acknowledged");
    fake.time.advance(10_000);
    await peer.nextOf("disconnect");
    await closed;
    expect(await fake.next("closed")).toMatchObject({ reason: "shutdown", unacknowledged: [2] });
    expect(fake.time.due()).toEqual([]);
  });

  test("while connecting, or waiting to, ends at once", async () => {
    const connecting = await openToFake();
    await connecting.server.peer();
    await connecting.connection.close({ drainMs: 60_000 });
    expect(await connecting.next("closed")).toMatchObject({ reason: "shutdown" });

    const waiting = await openToFake({ login: () => Promise.reject(new Error("no")) });
    await waiting.next("closed");
    await waiting.connection.close();
    const atOnce = await openToFake();
    await atOnce.connection.close();
    for (const { connection, time } of [connecting, waiting, atOnce]) {
      expect([connection.state, time.due()]).toEqual(["closed", []]);
    }
  });
});
