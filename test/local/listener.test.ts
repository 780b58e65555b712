import { readFile } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import type { Verdict } from "../../src/local/listener.ts";
import type { Packet } from "../../src/message/packet.ts";
import { connectPacket, enter, gate, gateway, openRaw, publishPacket, secret, start, stopAll } from "./harness.ts";

afterEach(stopAll);

const protocols = [3, 4, 5] as const;

for (const protocol of protocols) {
  test(`openListener() lets a gateway in, takes a publish and tells of its end, level ${protocol}`, async () => {
    const { port, heard, told, listener } = await start();
    const client = await enter(port, protocol);
    const { client: known } = await heard("connected");
    expect(known).toEqual({ gateway: "one", name: "one", connection: expect.any(Number), protocol });
    expect(listener.clients()).toEqual([known]);
    client.send(publishPacket("{}", 1, 7));
    expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 7 });
    client.send({ cmd: "pingreq" });
    expect(await client.next()).toMatchObject({ cmd: "pingresp" });
    client.send({ cmd: "disconnect" });
    await client.closed;
    expect(await heard("disconnected")).toMatchObject({ reason: "disconnect" });
    expect(told.map(({ kind }) => kind)).toEqual(["connected", "published", "disconnected"]);
    expect(listener.clients()).toEqual([]);
  });
}

test("openListener() answers publishes in the order they came, whatever the order of the verdicts", async () => {
  const gates = [gate<Verdict>(), gate<Verdict>(), gate<Verdict>()];
  let count = 0;
  const { port, heard } = await start({ publish: () => gates[count++]?.promise ?? Promise.reject(new Error("?")) });
  const client = await enter(port, 5);
  client.send(publishPacket("a", 1, 1));
  client.send(publishPacket("b", 1, 2));
  client.send(publishPacket("c", 1, 3));
  // All three wait at the same time, so that one disk sync can serve them.
  await heard("published", ({ text }) => text === "c");
  gates[2]?.open({ kind: "acknowledge" });
  gates[1]?.open({ kind: "reject", code: 0x99 });
  gates[0]?.open({ kind: "acknowledge" });
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 1, reasonCode: 0 });
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 2, reasonCode: 0x99 });
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 3, reasonCode: 0 });
});

test("openListener() asks for verdicts on a whole chunk at once and gives all its PUBACKs in one write", async () => {
  const safe = gate<Verdict>();
  const { port, heard } = await start({ publish: () => safe.promise });
  const client = await enter(port, 4);
  client.socket.cork();
  for (let id = 1; id <= 500; id++) client.send(publishPacket(`${id}`, 1, id));
  client.socket.uncork();
  await heard("published", ({ text }) => text === "500");
  const chunks: number[] = [];
  client.socket.on("data", (bytes) => chunks.push(bytes.length));
  safe.open({ kind: "acknowledge" });
  for (let id = 1; id <= 500; id++) expect(await client.next()).toMatchObject({ cmd: "puback", messageId: id });
  expect(chunks).toEqual([2000]);
});

test("openListener() reads no more of a client while that had better wait", async () => {
  const order: string[] = [];
  const { port } = await start({
    publish: async (_from, packet) => {
      order.push(Buffer.from(packet.payload).toString());
      return { kind: "acknowledge" };
    },
    wiring: {
      isAhead: () => {
        if (!order.includes("a")) return false;
        order.push("?");
        return order.length < 4;
      },
    },
  });
  const client = await enter(port, 4);
  client.send(publishPacket("a", 1, 1));
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 1 });
  client.send(publishPacket("b", 1, 2));
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 2 });
  expect(order.slice(0, 4)).toEqual(["a", "?", "?", "?"]);
});

test("openListener() takes what a client sends in the end, however long that had better wait", async () => {
  const { port } = await start({ wiring: { isAhead: () => true } });
  const client = await enter(port, 4);
  for (let id = 1; id <= 5; id++) {
    client.send(publishPacket(`${id}`, 1, id));
    expect(await client.next()).toMatchObject({ cmd: "puback", messageId: id });
  }
  client.send({ cmd: "pingreq" });
  expect(await client.next()).toMatchObject({ cmd: "pingresp" });
});

function byText(verdicts: Readonly<Record<string, Verdict>>): (from: unknown, packet: Packet) => Promise<Verdict> {
  return async (_from, packet) => verdicts[Buffer.from(packet.payload).toString()] ?? { kind: "acknowledge" };
}

for (const protocol of [4, 5] as const) {
  test(`openListener() leaves a silenced publish unanswered and goes on, level ${protocol}`, async () => {
    const { port } = await start({ publish: byText({ hush: { kind: "silence" } }) });
    const client = await enter(port, protocol);
    client.send(publishPacket("hush", 1, 1));
    client.send(publishPacket("hush", 2, 2));
    client.send(publishPacket("b", 1, 3));
    expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 3 });
  });
}

test("openListener() answers a rejected publish with the code in MQTT 5 and plainly before", async () => {
  const { port } = await start({ publish: byText({ bad: { kind: "reject", code: 0x99 } }) });
  const [old, current] = [await enter(port, 4), await enter(port, 5, { username: "T2" })];
  old.send(publishPacket("bad", 1, 1));
  current.send(publishPacket("bad", 1, 1));
  expect(await old.next()).not.toHaveProperty("reasonCode");
  expect(await current.next()).toMatchObject({ cmd: "puback", messageId: 1, reasonCode: 0x99 });
});

test("openListener() takes nothing behind a publish that ends the connection, though what came before still waits", async () => {
  const taken: string[] = [];
  let answerFirst = (_: Verdict) => {};
  let refused = () => {};
  const isRefused = new Promise<void>((resolve) => {
    refused = resolve;
  });
  const { port } = await start({
    publish: async (_from, packet) => {
      const text = Buffer.from(packet.payload).toString();
      taken.push(text);
      if (text === "a") return new Promise<Verdict>((resolve) => (answerFirst = resolve));
      setImmediate(refused);
      return { kind: "close", code: 0x97 };
    },
  });
  const client = await enter(port, 5);
  client.send(publishPacket("a", 1, 1));
  client.send(publishPacket("full", 1, 2));
  await isRefused;
  client.send(publishPacket("c", 1, 3));
  client.send({ cmd: "pingreq" });
  expect(await client.next()).toMatchObject({ cmd: "pingresp" });
  answerFirst({ kind: "acknowledge" });
  expect(await client.closed).toMatchObject([
    { cmd: "puback", messageId: 1 },
    { cmd: "disconnect", reasonCode: 0x97 },
  ]);
  expect(taken).toEqual(["a", "full"]);
});

test("openListener() closes on a close verdict after answering what came before", async () => {
  const { port, heard } = await start({ publish: byText({ full: { kind: "close", code: 0x97 } }) });
  const client = await enter(port, 5);
  client.socket.cork();
  client.send(publishPacket("a", 1, 1));
  client.send(publishPacket("full", 1, 2));
  client.send(publishPacket("c", 1, 3));
  client.socket.uncork();
  expect(await client.closed).toMatchObject([
    { cmd: "puback", messageId: 1 },
    { cmd: "disconnect", reasonCode: 0x97 },
  ]);
  expect(await heard("disconnected")).toMatchObject({ reason: "refused" });
});

test("openListener() closes without PUBACK, and without DISCONNECT before MQTT 5, on a close verdict", async () => {
  const { port } = await start({ publish: byText({ a: { kind: "close" } }) });
  const client = await enter(port, 4);
  client.send(publishPacket("a", 1, 1));
  expect(await client.closed).toEqual([]);
});

test("openListener() takes publishes to any topic, for the dialect to judge", async () => {
  const { port, told } = await start();
  const client = await enter(port, 4);
  const topics = ["-", "/", "$SYS/x", "x".repeat(1000), "Gerät 1/ü"];
  for (const [index, topic] of topics.entries()) {
    const fields = { topic, payload: "", qos: 1 as const, messageId: index + 1, dup: false, retain: false };
    client.send({ cmd: "publish", ...fields });
    expect(await client.next()).toMatchObject({ cmd: "puback", messageId: index + 1 });
  }
  expect(told.flatMap((news) => (news.kind === "published" ? [news.topic] : []))).toEqual(topics);
});

test("openListener() hands QoS 0 over in order and answers nothing", async () => {
  const { port, heard, told } = await start();
  const client = await enter(port, 4);
  client.send(publishPacket("a", 0));
  client.send(publishPacket("b", 1, 1));
  client.send(publishPacket("c", 0));
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 1 });
  await heard("published", ({ text }) => text === "c");
  expect(told.flatMap((news) => (news.kind === "published" ? [[news.text, news.qos]] : []))).toEqual([
    ["a", 0],
    ["b", 1],
    ["c", 0],
  ]);
});

test("openListener() takes QoS 2 once, however often it is sent before its release", async () => {
  const { port, told } = await start();
  const client = await enter(port, 5);
  client.socket.cork();
  client.send(publishPacket("a", 2, 9));
  client.send(publishPacket("a", 2, 9));
  client.socket.uncork();
  expect(await client.next()).toMatchObject({ cmd: "pubrec", messageId: 9 });
  client.send(publishPacket("a", 2, 9));
  expect(await client.next()).toMatchObject({ cmd: "pubrec", messageId: 9 });
  client.send({ cmd: "pubrel", messageId: 9 });
  expect(await client.next()).toMatchObject({ cmd: "pubcomp", messageId: 9 });
  expect(told.filter(({ kind }) => kind === "published")).toHaveLength(1);
  client.send(publishPacket("b", 2, 9));
  expect(await client.next()).toMatchObject({ cmd: "pubrec", messageId: 9 });
  expect(told.filter(({ kind }) => kind === "published")).toHaveLength(2);
});

test("openListener() rejects QoS 2 in PUBREC, which ends the exchange", async () => {
  let count = 0;
  const { port } = await start({
    publish: async () => (count++ === 0 ? { kind: "reject", code: 0x99 } : { kind: "acknowledge" }),
  });
  const client = await enter(port, 5);
  client.send(publishPacket("a", 2, 9));
  expect(await client.next()).toMatchObject({ cmd: "pubrec", reasonCode: 0x99 });
  client.send(publishPacket("b", 2, 9));
  expect(await client.next()).toMatchObject({ cmd: "pubrec", reasonCode: 0 });
  expect(count).toBe(2);
});

test("openListener() grants what the dialect grants and survives filters that it does not", async () => {
  const wishes = ["v1/gateway/attributes", "v1/gateway/low", "v1/gateway/rpc", "nope", "#", "a+/b", "v1/#/x", "a\0"];
  for (const [protocol, refusal] of [
    [3, 0x80],
    [4, 0x80],
    [5, 0x8f],
  ] as const) {
    const { port, heard } = await start();
    const client = await enter(port, protocol);
    const subscriptions = wishes.map((topic, index) => ({ topic, qos: index === 2 ? (2 as const) : (1 as const) }));
    client.send({ cmd: "subscribe", messageId: 1, subscriptions });
    expect(await client.next()).toMatchObject({
      cmd: "suback",
      granted: [1, 0, 1, refusal, refusal, refusal, refusal, refusal],
    });
    expect(await heard("subscribed")).toMatchObject({
      filters: [
        { filter: "v1/gateway/attributes", qos: 1 },
        { filter: "v1/gateway/low", qos: 0 },
        { filter: "v1/gateway/rpc", qos: 1 },
      ],
    });
    client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["v1/gateway/rpc", "+#"] });
    expect(await client.next()).toMatchObject(
      protocol === 5 ? { cmd: "unsuback", messageId: 2, granted: [0, 0x11] } : { cmd: "unsuback", messageId: 2 },
    );
    client.send(publishPacket("a", 1, 1));
    expect(await client.next()).toMatchObject({ cmd: "puback" });
  }
});

test("openListener() answers a filter that is asked for twice twice", async () => {
  const { port } = await start();
  const client = await enter(port, 4);
  const subscription = { topic: "v1/gateway/rpc", qos: 1 as const };
  client.send({ cmd: "subscribe", messageId: 1, subscriptions: [subscription, subscription] });
  expect(await client.next()).toMatchObject({ cmd: "suback", granted: [1, 1] });
});

test("openListener() lets a client subscribe before CONNACK, and passes over what comes before CONNECT", async () => {
  const { port, told } = await start();
  const client = openRaw(port);
  const subscription = { topic: "v1/gateway/rpc", qos: 1 as const };
  client.socket.cork();
  client.send({ cmd: "subscribe", messageId: 1, subscriptions: [subscription] });
  client.send({ cmd: "pingreq" });
  client.send(connectPacket(4, { username: "T1" }));
  client.send({ cmd: "subscribe", messageId: 2, subscriptions: [subscription] });
  client.send(publishPacket("a", 1, 3));
  client.socket.uncork();
  expect(await client.next()).toMatchObject({ cmd: "connack", returnCode: 0 });
  expect(await client.next()).toMatchObject({ cmd: "suback", messageId: 2 });
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 3 });
  expect(told.map(({ kind }) => kind)).toEqual(["connected", "subscribed", "published"]);
});

test("openListener() keeps two gateways with one client id apart", async () => {
  const { port, heard, told } = await start();
  const one = await enter(port, 4, { clientId: "same", username: "T1" });
  const two = await enter(port, 4, { clientId: "same", username: "T2" });
  await heard("connected", ({ client }) => client.gateway === "two");
  one.send(publishPacket("1", 1, 1));
  two.send(publishPacket("2", 1, 1));
  expect(await one.next()).toMatchObject({ cmd: "puback" });
  expect(await two.next()).toMatchObject({ cmd: "puback" });
  expect(told.flatMap((news) => (news.kind === "published" ? [[news.client.gateway, news.text]] : [])).sort()).toEqual([
    ["one", "1"],
    ["two", "2"],
  ]);
});

for (const protocol of protocols) {
  test(`openListener() takes empty client ids of several gateways, clean or not, level ${protocol}`, async () => {
    const { port, heard } = await start();
    const connacks = [];
    for (const [username, clean] of [
      ["T1", true],
      ["T2", false],
    ] as const) {
      const client = openRaw(port, { protocol });
      client.send(namelessConnect(protocol, username, clean));
      connacks.push(await client.next());
    }
    await heard("connected", ({ client }) => client.gateway === "two");
    expect(connacks).toMatchObject([{ sessionPresent: false }, { sessionPresent: false }]);
    const assigned = connacks.map(
      (connack) => connack.cmd === "connack" && connack.properties?.assignedClientIdentifier,
    );
    if (protocol === 5) expect(new Set(assigned).size).toBe(2);
  });

  test(`openListener() lets a gateway's new connection take over from its old one, level ${protocol}`, async () => {
    const { port, heard, told, listener } = await start();
    const old = await enter(port, protocol, { clientId: "a" });
    const { client } = await heard("connected");
    const current = await enter(port, protocol, { clientId: "b" });
    expect(await old.closed).toMatchObject(protocol === 5 ? [{ cmd: "disconnect", reasonCode: 0x8e }] : []);
    expect(told.slice(0, 3)).toMatchObject([
      { kind: "connected", client },
      { kind: "disconnected", client, reason: "takeover" },
      { kind: "connected", client: { gateway: "one" } },
    ]);
    expect(listener.clients()).toHaveLength(1);
    current.send(publishPacket("a", 1, 1));
    expect(await current.next()).toMatchObject({ cmd: "puback" });
  });
}

test("openListener() drops the verdicts of a connection that was taken over", async () => {
  const safe = gate<Verdict>();
  const { port, heard } = await start({ publish: () => safe.promise });
  const old = await enter(port, 4);
  old.send(publishPacket("a", 1, 1));
  await heard("published");
  const current = await enter(port, 4);
  safe.open({ kind: "acknowledge" });
  expect(await old.closed).toEqual([]);
  current.send(publishPacket("b", 1, 2));
  expect(await current.next()).toMatchObject({ cmd: "puback", messageId: 2 });
});

test("openListener() never publishes a will, nor keeps what is retained", async () => {
  const { port, heard, told } = await start();
  const will = { topic: "v1/gateway/rpc", payload: Buffer.from("will"), qos: 1 as const, retain: true };
  const client = await enter(port, 4, { will });
  const other = await enter(port, 4, { username: "T2" });
  const rpc = {
    cmd: "subscribe" as const,
    messageId: 1,
    subscriptions: [{ topic: "v1/gateway/rpc", qos: 1 as const }],
  };
  other.send(rpc);
  expect(await other.next()).toMatchObject({ cmd: "suback" });
  client.send(rpc);
  expect(await client.next()).toMatchObject({ cmd: "suback" });
  client.send({
    cmd: "publish",
    topic: "v1/gateway/rpc",
    payload: "x",
    qos: 1,
    messageId: 2,
    dup: false,
    retain: true,
  });
  // Neither an echo, nor to the other gateway.
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 2 });
  client.socket.destroy();
  await heard("disconnected", (news) => news.client.gateway === "one");
  const later = await enter(port, 4);
  later.send(rpc);
  expect(await later.next()).toMatchObject({ cmd: "suback" });
  for (const quiet of [later, other]) {
    quiet.send({ cmd: "pingreq" });
    expect(await quiet.next()).toMatchObject({ cmd: "pingresp" });
  }
  expect(told.filter(({ kind }) => kind === "published")).toHaveLength(1);
});

test("openListener() survives a tight loop of reconnects", async () => {
  const { port, heard, listener, told } = await start();
  for (let round = 0; round < 50; round++) {
    const client = openRaw(port);
    client.send(connectPacket(4, { username: "T1", clientId: "" }));
    if (round % 2 === 0) await client.next();
    client.socket.destroy();
  }
  const last = await enter(port, 5);
  last.send(publishPacket("end", 1, 1));
  expect(await last.next()).toMatchObject({ cmd: "puback" });
  await heard("published", ({ text }) => text === "end");
  expect(listener.clients()).toHaveLength(1);
  const balance = told.reduce(
    (sum, { kind }) => sum + (kind === "connected" ? 1 : kind === "disconnected" ? -1 : 0),
    0,
  );
  expect(balance).toBe(1);
});

test("openListener() closes a client that is silent for one and a half keep-alives, and no other", async () => {
  const { port, heard } = await start();
  const silent = await enter(port, 4, { keepalive: 1 });
  const other = await enter(port, 4, { keepalive: 0, username: "T2" });
  await silent.closed;
  expect(await heard("disconnected")).toMatchObject({ client: { gateway: "one" }, reason: "keepalive" });
  other.send({ cmd: "pingreq" });
  expect(await other.next()).toMatchObject({ cmd: "pingresp" });
});

test("openListener() reads no further while much waits for its verdict, and does not take that for silence", async () => {
  const safe = gate<Verdict>();
  const { port, heard, told } = await start({ publish: () => safe.promise });
  const busy = await enter(port, 4, { keepalive: 1 });
  for (let id = 1; id <= 20; id++) busy.send(publishPacket("x".repeat(100_000), 1, id));
  await heard("published");
  // Connected later, so it is closed later than the other one would be.
  const silent = await enter(port, 4, { keepalive: 1, username: "T2" });
  await silent.closed;
  const taken = told.filter(({ kind }) => kind === "published").length;
  expect(taken).toBeGreaterThan(1);
  expect(taken).toBeLessThan(10);
  safe.open({ kind: "acknowledge" });
  for (let id = 1; id <= 20; id++) expect(await busy.next()).toMatchObject({ cmd: "puback", messageId: id });
});

test.runIf(process.platform === "linux")(
  "openListener() has the operating system ask whether a client without keep-alive is still there",
  async () => {
    const { port } = await start();
    await enter(port, 4, { keepalive: 0 });
    const ours = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    // Of each connection: its number, our address, theirs, its state (01: established), queues, which timer runs (02: keep-alive).
    const timer = async (): Promise<string | undefined> =>
      (await readFile("/proc/net/tcp", "utf8"))
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .find(([, local, , state]) => local === ours && state === "01")?.[5]
        ?.slice(0, 2);
    await expect.poll(timer, { timeout: 10_000 }).toBe("02");
  },
);

test("openListener() listens on several addresses for one set of gateways", async () => {
  const { listener, heard } = await start({ local: { listen: ["mqtt://127.0.0.1:0", "mqtt://localhost:0"] } });
  const ports = listener.urls.map((url) => Number(new URL(url).port));
  expect(new Set(ports).size).toBe(2);
  await enter(ports[0] ?? 0, 4);
  await enter(ports[1] ?? 0, 4);
  await heard("disconnected", ({ reason }) => reason === "takeover");
});

test("openListener() says which port is taken and what to do", async () => {
  const { url } = await start();
  await expect(start({ local: { listen: ["mqtt://127.0.0.1:0", url] } })).rejects.toMatchObject({
    code: "ERR_LISTEN",
    message: `Cannot listen on "${url}": port is taken by another program, wanted a free one; stop that program or set another port in local.listen`,
  });
});

test("openListener() refuses an address that it cannot read or have", async () => {
  await expect(start({ local: { listen: ["http://127.0.0.1:1"] } })).rejects.toMatchObject({ code: "ERR_LISTEN" });
  await expect(start({ local: { listen: ["mqtt://192.0.2.1:0"] } })).rejects.toMatchObject({ code: "ERR_LISTEN" });
  await expect(start({ local: { listen: ["mqtts://127.0.0.1:0"] } })).rejects.toMatchObject({
    message: 'Cannot listen on "mqtts://127.0.0.1:0": found no local.tls, wanted certificate and key',
  });
});

test("close() tells MQTT 5 clients, ends everybody and may be called twice", async () => {
  const { port, listener, heard } = await start();
  const current = await enter(port, 5);
  const old = await enter(port, 4, { username: "T2" });
  const stranger = openRaw(port);
  stranger.send(Buffer.from([0x10]));
  await Promise.all([listener.close(), listener.close()]);
  expect(await current.closed).toMatchObject([{ cmd: "disconnect", reasonCode: 0x8b }]);
  expect(await old.closed).toEqual([]);
  await stranger.closed;
  expect(await heard("disconnected")).toMatchObject({ reason: "shutdown" });
});

test("close() answers what had come before it ends a connection", async () => {
  const safe = gate<Verdict>();
  const { listener, port, heard } = await start({ publish: () => safe.promise });
  const client = await enter(port, 5);
  client.send(publishPacket("before", 1, 7));
  await heard("published");
  const closed = listener.close();
  client.send(publishPacket("too late", 1, 8));
  safe.open({ kind: "acknowledge" });
  await closed;
  expect(await client.closed).toMatchObject([
    { cmd: "puback", messageId: 7 },
    { cmd: "disconnect", reasonCode: 0x8b },
  ]);
});

test("openListener() turns away connections above the limit", async () => {
  const gateways = [gateway("one", { token: secret("T1") })];
  const { port, heard } = await start({ local: { maxConnections: 1 }, gateways });
  const first = await enter(port, 4);
  expect(await openRaw(port).closed).toEqual([]);
  expect(await heard("refused")).toEqual({ kind: "refused", reason: "too many connections" });
  first.socket.destroy();
  await heard("disconnected");
  await enter(port, 4);
});

/** CONNECT with an empty client id, which mqtt-packet does not print for all levels and flags. */
function namelessConnect(protocol: 3 | 4 | 5, username: string, clean: boolean): Uint8Array {
  const text = (value: string): number[] => [0, value.length, ...Buffer.from(value)];
  const flags = 0x80 | (clean ? 0x02 : 0);
  const properties = protocol === 5 ? [0] : [];
  const name = text(protocol === 3 ? "MQIsdp" : "MQTT");
  const body = [...name, protocol, flags, 0, 60, ...properties, ...text(""), ...text(username)];
  return Uint8Array.from([0x10, body.length, ...body]);
}
