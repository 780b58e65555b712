import { expect, test } from "vitest";
import { publish } from "../plant.ts";
import { connectAs, hear, lastWords, levels, openTenant, say } from "./tenant.ts";

test("connect creates a device once, and its type stays", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", 5);
  await say(client, "v1/gateway/connect", { device: "A", type: "pump" });
  await say(client, "v1/gateway/connect", { device: "A", type: "valve" });
  await say(client, "v1/gateway/disconnect", { device: "A" });
  await say(client, "v1/gateway/telemetry", { A: [{ t: 1 }] });
  expect(cloud.received().map(({ kind }) => kind)).toEqual(["attach", "detach", "attach", "telemetry"]);
  expect(cloud.deviceOf("A")).toMatchObject({ type: "pump", attachedBy: "gw-01" });
  expect(await cloud.next("attach", ({ isImplied }) => isImplied)).toMatchObject({ isNew: false });
});

test("attaching takes a device from another gateway, which is told nothing", async () => {
  const cloud = await openTenant();
  const one = await connectAs(cloud, "gw-01");
  const two = await connectAs(cloud, "gw-02");
  await say(one, "v1/gateway/connect", { device: "A" });
  await say(two, "v1/gateway/connect", { device: "A" });
  expect([cloud.attached("gw-01"), cloud.attached("gw-02")]).toEqual([[], ["A"]]);
  cloud.setShared("A", '{"n":1}');
  expect(await hear(two)).toMatchObject({ body: { device: "A", data: { n: 1 } } });
  await say(one, "v1/gateway/telemetry", { A: [{ t: 1 }] });
  expect(cloud.gatewayOf("A")).toBe("gw-01");
  await one.settle();
  expect(one.heard.map(({ cmd }) => cmd)).not.toContain("publish");
});

test.each(levels)("a device's own connection and its attachment end each other (level %i)", async (level) => {
  const cloud = await openTenant();
  const plain = await connectAs(cloud, "plain", level);
  const gateway = await connectAs(cloud, "gw-01");
  await say(gateway, "v1/gateway/connect", { device: "plain" });
  expect(await lastWords(plain)).toEqual(level === 5 ? [["disconnect", 0x8e]] : []);
  await connectAs(cloud, "plain", level);
  expect(cloud.attached("gw-01")).toEqual([]);
  expect(cloud.isConnected("plain")).toBe(true);
});

test("one bad device does not keep the others of a publish from being taken, in MQTT 5", async () => {
  const cloud = await openTenant();
  const five = await connectAs(cloud, "gw-01", 5);
  const points = { A: [{ t: 1 }], B: ["x"], C: [{ ts: "never", values: {} }], D: [{ t: 4 }] };
  expect(await say(five, "v1/gateway/telemetry", points)).toBe(0x99);
  const devices = () => cloud.received().flatMap((record) => (record.kind === "telemetry" ? [record.device] : []));
  expect(devices()).toEqual(["A", "D"]);
  await five.settle();
  expect(five.heard.filter(({ cmd }) => cmd === "puback")).toHaveLength(1);
  const three = await connectAs(cloud, "gw-02", 4);
  three.send(publish("v1/gateway/telemetry", JSON.stringify(points), 1));
  expect(await lastWords(three)).toEqual([]);
});

test.each(levels)("a device that cannot be attached is refused, the others are not (level %i)", async (level) => {
  const cloud = await openTenant({ maxDevices: 4 });
  const client = await connectAs(cloud, "gw-01", level);
  const code = (five: number) => (level === 5 ? five : 0);
  expect(await say(client, "v1/gateway/telemetry", { "": [{ t: 1 }], A: [{ t: 1 }] })).toBe(code(0x80));
  expect(await say(client, "v1/gateway/connect", { device: "B" })).toBe(code(0x97));
  expect(await say(client, "v1/gateway/connect", { device: "x".repeat(256) })).toBe(code(0x80));
  expect(await say(client, "v1/gateway/connect", { device: "<b>A</b>" })).toBe(code(0x80));
  expect(await say(client, "v1/gateway/attributes/request", { id: 1, device: "B", client: true, key: "k" })).toBe(
    code(0x83),
  );
  expect(await say(client, "v1/gateway/rpc", { device: "B", id: 1, data: 1 })).toBe(code(0x97));
  expect(cloud.attached("gw-01")).toEqual(["A"]);
  expect(client.isClosed()).toBe(false);
});

test("before 4.2.1 each device is acknowledged by itself, and one that cannot be attached not at all", async () => {
  const cloud = await openTenant({ puback: "legacy", maxDevices: 5 });
  const client = await connectAs(cloud, "gw-01", 4);
  client.send(publish("v1/gateway/telemetry", '{"A":[{"t":1}],"B":[{"t":1}],"C":[{"t":1}]}', 5));
  client.send(publish("v1/gateway/connect", '{"device":"D"}', 6));
  await client.settle();
  expect(client.heard.flatMap((packet) => (packet.cmd === "puback" ? [packet.messageId] : []))).toEqual([5, 5]);
});

test("who is no gateway meets with silence", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "plain", 5);
  client.send(publish("v1/gateway/connect", '{"device":"A"}', 1));
  client.send(publish("v1/gateway/telemetry", "no JSON", 2));
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "pingresp"]);
  expect(cloud.deviceOf("A")).toBeUndefined();
});

test("QoS 2 gets a PUBACK, and QoS 0 nothing", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", 5);
  client.send(publish("v1/gateway/connect", '{"device":"A"}', 1, 2));
  expect((await client.next("puback")).messageId).toBe(1);
  client.send(publish("v1/gateway/telemetry", '{"A":[1]}', 0, 0));
  client.send(publish("v1/gateway/nowhere", "{}", 0, 0));
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "puback", "pingresp"]);
});

test("a profile can have payloads acknowledged that are not JSON", async () => {
  const credentials = { kind: "token", token: "token-of-lax" } as const;
  const cloud = await openTenant({ devices: [{ name: "lax", gateway: true, credentials, acknowledgesInvalid: true }] });
  const client = await connectAs(cloud, "lax", 4);
  await say(client, "v1/gateway/telemetry", "{");
  client.send(publish("v1/gateway/telemetry", "{", 0, 0));
  await client.closed;
});

test.each<[string, object, object | undefined]>([
  ["one name", { client: false, key: "s1" }, { value: 1 }],
  ["one name in a list", { client: true, keys: ["c1"] }, { value: "x" }],
  ["the same name twice", { client: true, keys: ["c1", "c1"] }, { value: "x" }],
  ["one name of the other scope", { client: true, key: "s1" }, {}],
  ["two names, one found", { client: false, keys: ["s1", "none"] }, { values: { s1: 1 } }],
  ["two names, none found", { client: true, keys: ["s1", "s2"] }, {}],
  [
    "no names: one in the client scope, two in the shared",
    { client: true, keys: [] },
    { value: "x", values: { s1: 1, s2: 2 } },
  ],
])("an attribute request for %s is answered in its form", async (_name, fields, answer) => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  cloud.setShared("A", '{"s1":1,"s2":2}');
  await say(client, "v1/gateway/attributes", { A: { c1: "x", gone: null } });
  client.send(publish("v1/gateway/attributes/request", JSON.stringify({ id: 0, device: "A", ...fields }), 1));
  const topic = "v1/gateway/attributes/response";
  expect(await hear(client)).toEqual({ topic, qos: 1, body: { id: 0, device: "A", ...answer } });
});

test("no names: a single value of each scope comes as one value, several as one object with the shared on top", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  const ask = async (device: string) => {
    await say(client, "v1/gateway/attributes/request", { id: 1, device, client: false, keys: [] });
    return (await hear(client)).body;
  };
  cloud.setShared("A", '{"k":"shared"}');
  cloud.setShared("B", '{"k":"shared","s":2}');
  await say(client, "v1/gateway/attributes", { A: { k: "client" }, B: { k: "client", c: 1 } });
  expect(await ask("A")).toEqual({ id: 1, device: "A", value: "shared" });
  expect(await ask("B")).toEqual({ id: 1, device: "B", values: { k: "shared", c: 1, s: 2 } });
  expect(await ask("C")).toEqual({ id: 1, device: "C" });
  cloud.faults.swallowAttributeRequests = true;
  await say(client, "v1/gateway/attributes/request", { id: 1, device: "A", client: false, key: "k" });
  await client.settle();
  expect(client.heard.filter(({ cmd }) => cmd === "publish")).toHaveLength(3);
});

test("values come back as the platform keeps them", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  await say(
    client,
    "v1/gateway/attributes",
    '{"A":{"serial":"007","big":9007199254740993,"d":42.0,"j":{"b":1,"a":[1.0]}}}',
  );
  expect(cloud.clientAttributes("A")).toBe('{"serial":7,"big":9007199254740993,"d":42.0,"j":{"b":1,"a":[1.0]}}');
});

test("a silent device is detached unless the gateway keeps it active", async () => {
  const credentials = { kind: "token", token: "token-of-keen" } as const;
  const keen = { name: "keen", gateway: true, credentials, overwriteActivityTime: true };
  const cloud = await openTenant({ childInactivityMs: 60, devices: [keen] });
  const usual = await connectAs(cloud, "gw-01");
  const keeping = await connectAs(cloud, "keen");
  await say(usual, "v1/gateway/connect", { device: "A" });
  await say(keeping, "v1/gateway/connect", { device: "B" });
  const pings = setInterval(() => {
    for (const client of [usual, keeping]) client.send({ cmd: "pingreq" });
    // A connect does not count as activity.
    usual.send(publish("v1/gateway/connect", '{"device":"A"}', 9));
  }, 5);
  expect(await cloud.next("detach")).toMatchObject({ device: "A", reason: "inactivity" });
  clearInterval(pings);
  expect(cloud.attached("keen")).toEqual(["B"]);
  expect(usual.isClosed()).toBe(false);
});
