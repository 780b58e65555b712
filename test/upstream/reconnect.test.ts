import { describe, expect, onTestFinished, test } from "vitest";
import { openUpstream, type UpstreamConnection } from "../../src/upstream/connection.ts";
import { openFakeServer } from "./fake-server.ts";
import { createManualTimers } from "./manual-timers.ts";
import { openToFake } from "./open-to-fake.ts";
import { createRecorder, packet } from "./recorder.ts";

/** When the connection will try again, in ms; it must be waiting. */
function waits(fake: Awaited<ReturnType<typeof openToFake>>): number | undefined {
  expect(fake.connection.state).toBe("waiting");
  const due = fake.time.due();
  expect(due).toHaveLength(1);
  return due[0];
}

describe("why a connection ended", () => {
  test.each([
    [4, 1, "CONNACK 1: this version of MQTT is not accepted"],
    [4, 2, "CONNACK 2: the client id is refused"],
    [4, 3, "CONNACK 3: the server is unavailable"],
    [4, 5, "CONNACK 5: not authorized"],
    [4, 13, "CONNACK 13: refused without a reason"],
    [4, 19, "CONNACK 19: refused without a reason"],
    [4, 200, "CONNACK 200: no known meaning"],
    [5, 1, "CONNACK 1: this version of MQTT is not accepted"],
    [5, 135, "CONNACK 135: not authorized"],
    [5, 241, "CONNACK 241: no known meaning"],
  ] as const)("level %i, CONNACK %i", async (protocol, code, detail) => {
    const fake = await openToFake({ protocol });
    const peer = await fake.server.peer();
    await peer.nextOf("connect");
    peer.socket.write(Buffer.from(protocol === 5 && code > 127 ? [0x20, 3, 0, code, 0] : [0x20, 2, 0, code]));
    expect(await fake.next("closed")).toEqual({
      kind: "closed",
      reason: `connack-${code}`,
      detail,
      unacknowledged: [],
    });
    await peer.ended;
  });

  test("a v5 server's own words stand in the detail, in a form for logs", async () => {
    const fake = await openToFake({ protocol: 5 });
    const peer = await fake.server.peer();
    await peer.nextOf("connect");
    peer.send({ cmd: "connack", sessionPresent: false, reasonCode: 151, properties: { reasonString: "too\nmany" } });
    const { detail } = await fake.next("closed");
    expect(detail).toBe('CONNACK 151: quota exceeded, the server says "too?many"');
  });

  test.each([
    [0x8e, "identity-conflict", "DISCONNECT 142: another connection took over"],
    [0x8d, "keepalive", "DISCONNECT 141: keepalive timeout"],
    [0x97, "disconnect-151", "DISCONNECT 151: quota exceeded"],
    [0xf1, "disconnect-241", "DISCONNECT 241: no known meaning"],
  ])("v5 DISCONNECT %i", async (code, reason, detail) => {
    const fake = await openToFake({ protocol: 5 });
    const peer = await fake.opened();
    fake.connection.publish(packet("a"), 4);
    await peer.nextOf("publish");
    peer.socket.end(Buffer.from([0xe0, 2, code, 0]));
    expect(await fake.next("closed")).toEqual({ kind: "closed", reason, detail, unacknowledged: [4] });
  });

  test("a close without a word, before and after CONNACK", async () => {
    const fake = await openToFake();
    (await fake.server.peer()).socket.end();
    expect(await fake.next("closed")).toMatchObject({ reason: "closed", detail: "closed before CONNACK" });
    fake.time.advance(5000);
    (await fake.opened()).socket.end();
    expect(await fake.next("closed")).toMatchObject({ reason: "closed", detail: "the server closed the connection" });
  });

  test("no one listens", async () => {
    const fake = await openToFake();
    await fake.server.close();
    fake.connection.reconnect("again");
    await fake.next("closed");
    fake.time.advance(5000);
    expect(await fake.next("closed")).toMatchObject({
      reason: "refused",
      detail: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("a host without an address", async () => {
    const fake = await openToFake({ url: "mqtt://nowhere.invalid:1883" });
    expect(await fake.next("closed")).toMatchObject({ reason: "dns" });
  });
});

describe("when it connects again", () => {
  test("waits longer each time for one reason, and starts over after 60 s of connection", async () => {
    const fake = await openToFake({ reconnects: [{ reason: "connack-3", firstMs: 100, capMs: 300, jitterMs: 10 }] });
    const refuse = async () => {
      await (await fake.server.peer()).accept({ returnCode: 3 });
      await fake.next("closed");
      return waits(fake) ?? 0;
    };
    for (const expected of [105, 205, 305, 305]) {
      expect(await refuse()).toBe(expected);
      fake.time.advance(expected);
    }
    const unstable = await fake.opened();
    fake.time.advance(59_999);
    unstable.socket.end();
    await fake.next("closed");
    fake.time.advance(1500);
    expect(await refuse()).toBe(305);
    fake.time.advance(305);
    const stable = await fake.opened();
    fake.time.advance(60_000);
    stable.socket.end();
    await fake.next("closed");
    fake.time.advance(1500);
    expect(await refuse()).toBe(105);
  });

  test("each try logs in anew", async () => {
    let logins = 0;
    const fake = await openToFake({
      login: async () => {
        logins += 1;
        return { clientId: `gw-${logins}` };
      },
    });
    const first = await fake.server.peer();
    expect(await first.accept({ returnCode: 5 })).toMatchObject({ clientId: "gw-1" });
    await fake.next("closed");
    fake.time.advance(1500);
    expect(await (await fake.server.peer()).accept()).toMatchObject({ clientId: "gw-2" });
  });

  test("reconnect() while waiting replaces the wait by that reason's", async () => {
    const fake = await openToFake({
      reconnects: [{ reason: "closed", firstMs: 900_000, capMs: 900_000, jitterMs: 0 }],
    });
    (await fake.server.peer()).socket.end();
    await fake.next("closed");
    expect(waits(fake)).toBe(900_000);
    fake.connection.reconnect("elimination");
    expect(waits(fake)).toBe(1500);
  });

  test("reconnect() when told of a close says what it was: for the other reason it is no failure", async () => {
    let connection: UpstreamConnection | undefined;
    const recorder = createRecorder();
    const time = createManualTimers();
    const server = await openFakeServer({ protocol: 4 });
    onTestFinished(() => server.close());
    let isElimination = false;
    connection = openUpstream(
      {
        ...{ url: server.url, protocol: 4, keepaliveMs: 60_000, connectTimeoutMs: 30_000 },
        ...{ now: time.now, timers: time.timers, random: () => 0.5 },
        reconnects: [{ reason: "closed", firstMs: 100, capMs: 800, jitterMs: 0 }],
        login: async () => ({ clientId: "gw-01" }),
      },
      {
        ...recorder.handlers,
        closed(...what) {
          recorder.handlers.closed(...what);
          if (isElimination) connection?.reconnect("elimination");
        },
      },
    );
    onTestFinished(() => connection?.close());
    const waits: (number | undefined)[] = [];
    for (isElimination of [false, true, true, false]) {
      const peer = await server.peer();
      await peer.accept();
      await recorder.next("opened");
      connection.publish(packet("a"), 1);
      await peer.nextOf("publish");
      peer.socket.end();
      await recorder.next("closed");
      waits.push(time.due()[0]);
      time.advance(time.due()[0] ?? 0);
    }
    expect(waits).toEqual([100, 1500, 1500, 200]);
  });

  test("closes soon after connecting, with nothing outstanding, three in a row: the identity is used twice", async () => {
    const fake = await openToFake({
      reconnects: [{ reason: "identity-conflict", firstMs: 300_000, capMs: 300_000, jitterMs: 0 }],
    });
    const reasons: string[] = [];
    for (let i = 0; i < 4; i++) {
      const peer = await fake.opened();
      fake.time.advance(2000);
      peer.socket.end();
      reasons.push((await fake.next("closed")).reason);
      fake.time.advance(fake.time.due()[0] ?? 0);
    }
    expect(reasons).toEqual(["closed", "closed", "identity-conflict", "identity-conflict"]);
  });

  test("closes with something outstanding may be a message's fault: no identity war", async () => {
    const fake = await openToFake();
    for (let i = 0; i < 5; i++) {
      const peer = await fake.opened();
      fake.connection.publish(packet("poison"), i);
      await peer.nextOf("publish");
      peer.socket.end();
      expect(await fake.next("closed")).toMatchObject({ reason: "closed", unacknowledged: [i] });
      fake.time.advance(fake.time.due()[0] ?? 0);
    }
  });
});

describe("tokens", () => {
  const hour = 3_600_000;
  const startMs = 1_800_000_000_000;

  test.each([
    [0, 0.5],
    [1, 0.8],
  ])("are renewed between half and four fifths of their lifetime: jitter %d", async (random, share) => {
    let logins = 0;
    const fake = await openToFake({
      random: () => random,
      login: async () => ({ clientId: "gw-01", expiresAtMs: startMs + hour * ++logins }),
    });
    const peer = await fake.opened();
    fake.connection.publish(packet("a"), 1);
    const { messageId = 0 } = await peer.nextOf("publish");
    peer.send({ cmd: "puback", messageId });
    await fake.next("acknowledged");
    await pingUntil(fake, peer, hour * share - 1);
    fake.connection.publish(packet("a"), 2);
    await peer.nextOf("publish");
    fake.time.advance(1);
    // Outstanding PUBACKs are waited for, and what comes now waits for the next connection.
    fake.connection.publish(packet("a"), 3);
    peer.send({ cmd: "puback", messageId: messageId + 1 });
    expect(await fake.next("acknowledged")).toMatchObject({ token: 2 });
    await peer.nextOf("disconnect");
    expect(await fake.next("closed")).toMatchObject({ reason: "token-expired", unacknowledged: [3] });
    expect(waits(fake)).toBe(0);
    fake.time.advance(0);
    await fake.opened();
    expect(logins).toBe(2);
  });

  test("a close after expiry is the token's, waits up to 5 s and is no failure", async () => {
    const fake = await openToFake({
      random: () => 0.5,
      login: async () => ({ clientId: "gw-01", expiresAtMs: startMs - 1000 }),
    });
    for (let i = 0; i < 3; i++) {
      const peer = await fake.server.peer();
      await peer.accept();
      await fake.next("opened");
      peer.socket.end();
      expect((await fake.next("closed")).reason).toBe("token-expired");
      expect(waits(fake)).toBe(2500);
      fake.time.advance(2500);
    }
  });

  async function pingUntil(
    fake: Awaited<ReturnType<typeof openToFake>>,
    peer: Awaited<ReturnType<typeof fake.opened>>,
    ms: number,
  ): Promise<void> {
    let leftMs = ms;
    for (; leftMs > 45_000; leftMs -= 45_000) {
      fake.time.advance(45_000);
      await peer.nextOf("pingreq");
      const proven = fake.connection.lastProvenMs;
      peer.send({ cmd: "pingresp" });
      while (fake.connection.lastProvenMs === proven) await new Promise((resolve) => setImmediate(resolve));
    }
    fake.time.advance(leftMs);
  }
});
