import { expect, test } from "vitest";
import { publish, subscribe } from "../plant.ts";
import { connectAs, hear, lastWords, levels, openTenant, say } from "./tenant.ts";

test("a device uploads telemetry and attributes of its own, by long and short topics", async () => {
  const cloud = await openTenant({ now: () => 1000 });
  const client = await connectAs(cloud, "plain");
  await say(client, "v1/devices/me/telemetry", '[{"t":1},{"ts":5,"values":{"t":"2","metadata":{}}}]');
  await say(client, "v2/t", { t: 3 });
  await say(client, "v1/devices/me/attributes", { a: 1 });
  await say(client, "v2/a/j", { b: "x" });
  expect(cloud.received()).toMatchObject([
    { kind: "telemetry", device: "plain", tsMs: 1000, isServerTime: true, values: '{"t":1}' },
    { kind: "telemetry", tsMs: 5, isServerTime: false, values: '{"t":2,"metadata":{}}' },
    { kind: "telemetry", values: '{"t":3}' },
    { kind: "attributes", values: '{"a":1}' },
    { kind: "attributes", values: '{"b":"x"}' },
  ]);
  expect(cloud.received().some(({ gateway }) => gateway !== undefined)).toBe(false);
  expect(cloud.clientAttributes("plain")).toBe('{"a":1,"b":"x"}');
});

test("its shared attributes come while it is subscribed", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "plain");
  cloud.setShared("plain", '{"n":0}');
  client.send(subscribe(1, ["v1/devices/me/attributes", 0]));
  await client.next("suback");
  cloud.setShared("plain", '{"n":1}');
  expect(await hear(client)).toEqual({ topic: "v1/devices/me/attributes", qos: 0, body: { n: 1 } });
  cloud.deleteShared("plain", ["n"]);
  expect(await hear(client)).toMatchObject({ body: { deleted: ["n"] } });
});

test.each<[string, object, object]>([
  ["all", {}, { client: { a: 1, b: 2 }, shared: { c: 3 } }],
  ["some of a scope", { clientKeys: "b,zzz" }, { client: { b: 2 } }],
  ["what there is not", { sharedKeys: "a" }, {}],
])("it asks for %s of its attributes", async (_name, fields, answer) => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "plain");
  await say(client, "v1/devices/me/attributes", { a: 1, b: 2 });
  cloud.setShared("plain", '{"c":3}');
  await say(client, "v1/devices/me/attributes/request/7", fields);
  expect(await hear(client)).toEqual({ topic: "v1/devices/me/attributes/response/7", qos: 1, body: answer });
  await say(client, "v2/a/req/j/8", fields);
  expect(await hear(client)).toMatchObject({ topic: "v2/a/res/j/8" });
  await say(client, "v1/devices/me/attributes/request/-1", fields);
  await client.settle();
  expect(client.heard.filter(({ cmd }) => cmd === "publish")).toHaveLength(2);
});

test("its calls are answered by the rules, by the transport, or by a timeout", async () => {
  const cloud = await openTenant({
    ownCallTimeoutMs: 1,
    answerCall: ({ method }) => (method === "getCurrentTime" ? "1700000000000" : undefined),
    rateLimits: { device: { messages: "1000:1" } },
  });
  const client = await connectAs(cloud, "plain");
  await say(client, "v1/devices/me/rpc/request/1", { method: "getCurrentTime", params: {} });
  expect(await hear(client)).toMatchObject({ topic: "v1/devices/me/rpc/response/1", body: 1_700_000_000_000 });
  await say(client, "v1/devices/me/rpc/request/2", { method: "other" });
  expect(await hear(client)).toMatchObject({ body: { error: "timeout" } });
  await say(client, "v1/devices/me/rpc/request/3", { method: "getSessionLimits", params: {} });
  const own = { messages: "1000:1", telemetryMessages: null, telemetryDataPoints: null };
  expect((await hear(client)).body).toEqual({ maxPayloadSize: 65_536, maxInflightMessages: 100, rateLimits: own });
});

test.each(levels)("what is wrong with its own messages is answered or closes (level %i)", async (level) => {
  const cloud = await openTenant();
  for (const [topic, payload] of [
    ["v1/devices/me/telemetry", "5"],
    ["v1/devices/me/telemetry", ""],
    ["v1/devices/me/attributes", "[]"],
    ["v1/devices/me/attributes/request/1", "[]"],
    ["v1/devices/me/rpc/request/1", "{}"],
    ["v1/devices/me/claim", '{"durationMs":"soon"}'],
  ] as const) {
    const client = await connectAs(cloud, "plain", level);
    client.send(publish(topic, payload, 1));
    if (level === 5) expect((await client.next("puback")).reasonCode).toBe(0x99);
    else expect(await lastWords(client)).toEqual([]);
  }
  const client = await connectAs(cloud, "plain", level);
  expect(await say(client, "sensors/x", "{}")).toBe(level === 5 ? 0x90 : 0);
  client.send(publish("v1/devices/me/attributes/request/x", "{}", 2));
  expect((await lastWords(client)).slice(1)).toEqual(level === 5 ? [["disconnect", 0x83]] : []);
});

test("there is no firmware, and asking for it closes", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "plain", 5);
  client.send(publish("v2/fw/request/1/chunk/0", "", 1));
  expect((await client.next("publish")).payload.toString()).toBe("NOT_FOUND");
  await client.closed;
});

test("a claim of its own needs nothing", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "plain");
  await say(client, "v1/devices/me/claim", "");
  expect(await cloud.next("claim")).toMatchObject({ device: "plain", secretKey: "", durationMs: 0 });
});
