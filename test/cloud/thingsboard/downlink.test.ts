import { expect, test } from "vitest";
import { publish, subscribe } from "../plant.ts";
import { connectAs, hear, openTenant, say } from "./tenant.ts";

test("shared attributes reach a device that is attached, and only then", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  cloud.setShared("A", '{"early":1}');
  await say(client, "v1/gateway/connect", { device: "A" });
  cloud.setShared("A", '{"early":1,"d":1e3,"t":"007","n":null}');
  expect((await client.next("publish")).payload.toString()).toBe(
    '{"device":"A","data":{"early":1,"d":1000.0,"t":"007"}}',
  );
  cloud.deleteShared("A", ["early", "never"]);
  expect(await hear(client)).toMatchObject({ body: { device: "A", data: { deleted: ["early", "never"] } } });
  expect(cloud.sharedAttributes("A")).toBe('{"d":1000.0,"t":"007"}');
  await say(client, "v1/gateway/disconnect", { device: "A" });
  cloud.setShared("A", '{"late":1}');
  await client.settle();
  expect(client.heard.filter(({ cmd }) => cmd === "publish")).toHaveLength(2);
  expect(() => cloud.setShared("A", "[1]")).toThrow('Cannot set attributes of "A": body is no JSON object');
  expect(() => cloud.setShared("A", '{"n":9223372036854775808}')).toThrow(RangeError);
  expect(() => cloud.deleteShared("nobody", ["k"])).toThrow("no such device");
});

test("a command is answered by id, ids count per device from 0", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  await say(client, "v1/gateway/connect", { device: "A" });
  await say(client, "v1/gateway/connect", { device: "B" });
  const first = cloud.sendRpc("A", "m", '"p"');
  const second = cloud.sendRpc("A", "m", "12345678901234567890");
  const other = cloud.sendRpc("B", "m", "null");
  const heard = [await client.next("publish"), await client.next("publish"), await client.next("publish")];
  expect(heard.map(({ payload }) => payload.toString())).toEqual([
    '{"device":"A","data":{"id":0,"method":"m","params":"p"}}',
    '{"device":"A","data":{"id":1,"method":"m","params":12345678901234567890}}',
    '{"device":"B","data":{"id":0,"method":"m","params":null}}',
  ]);
  expect(heard.map(({ messageId }) => messageId)).toEqual([1, 2, 3]);
  // Official gateways answer at QoS 0.
  client.send(publish("v1/gateway/rpc", '{"device":"A","id":1,"data":"{\\"success\\":true}"}', 0, 0));
  client.send(publish("v1/gateway/rpc", '{"device":"A","id":0,"data":{"n": 1.0}}', 9));
  client.send(publish("v1/gateway/rpc", '{"device":"B","id":0,"data":null}', 10));
  expect(await second).toEqual({ kind: "reply", data: '"{\\"success\\":true}"' });
  expect(await first).toEqual({ kind: "reply", data: '{"n":1.0}' });
  expect(await other).toEqual({ kind: "reply", data: "null" });
  await say(client, "v1/gateway/rpc", { device: "A", id: 0, data: 1 });
  const replies = cloud.received().flatMap((record) => (record.kind === "reply" ? [record.isExpected] : []));
  expect(replies).toEqual([true, true, true, false]);
});

test("a command waits for its device, is repeated with its id on each attach, and times out", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  await say(client, "v1/gateway/connect", { device: "A" });
  await say(client, "v1/gateway/disconnect", { device: "A" });
  expect(await cloud.sendRpc("A", "m", "{}", { timeoutMs: 1 })).toEqual({ kind: "offline" });
  const waiting = cloud.sendRpc("A", "m", "{}");
  await say(client, "v1/gateway/telemetry", { A: [{ t: 1 }] });
  expect(await hear(client)).toMatchObject({ body: { data: { id: 1 } } });
  // Another gateway's attach has it repeated there, and an answer from there counts.
  const other = await connectAs(cloud, "gw-02");
  await say(other, "v1/gateway/connect", { device: "A" });
  expect(await hear(other)).toMatchObject({ body: { data: { id: 1 } } });
  await say(other, "v1/gateway/rpc", { device: "A", id: 1, data: 5 });
  expect(await waiting).toEqual({ kind: "reply", data: "5" });
  const unanswered = cloud.sendRpc("A", "m", "{}", { timeoutMs: 20 });
  expect(await hear(other)).toMatchObject({ body: { data: { id: 2 } } });
  expect(await unanswered).toEqual({ kind: "timeout" });
  expect(() => cloud.sendRpc("nobody", "m", "{}")).toThrow("no such device");
});

test("a one-way command is over when it is sent; a persistent one only at QoS 0, whatever PUBACK comes", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  await say(client, "v1/gateway/connect", { device: "A" });
  expect(await cloud.sendRpc("A", "m", "{}", { oneWay: true })).toEqual({ kind: "delivered" });
  const kept = cloud.sendRpc("A", "m", "{}", { oneWay: true, persistent: true });
  await client.next("publish");
  client.send({ cmd: "puback", messageId: (await client.next("publish")).messageId ?? 0 });
  await client.settle();
  expect(cloud.deviceOf("A")?.openCalls).toEqual([1]);
  client.send(subscribe(1, ["v1/gateway/rpc", 0]));
  await client.next("suback");
  await say(client, "v1/gateway/disconnect", { device: "A" });
  await say(client, "v1/gateway/connect", { device: "A" });
  expect(await kept).toEqual({ kind: "delivered" });
  await say(client, "v1/gateway/disconnect", { device: "A" });
  expect(await cloud.sendRpc("A", "m", "{}", { persistent: true, timeoutMs: 1 })).toEqual({ kind: "timeout" });
});

test("a gateway's own commands need a subscription, which brings those that wait", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", 5);
  const waiting = cloud.sendRpc("gw-01", "gateway_ping", "{}");
  const delivered = cloud.sendRpc("gw-01", "m", "1", { oneWay: true, persistent: true });
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "pingresp"]);
  client.send(subscribe(1, ["v1/devices/me/rpc/request/+", 1]));
  expect(await hear(client)).toEqual({
    topic: "v1/devices/me/rpc/request/0",
    qos: 1,
    body: { method: "gateway_ping", params: {} },
  });
  await say(client, "v1/devices/me/rpc/response/0", "any bytes");
  expect(await waiting).toEqual({ kind: "reply", data: "any bytes" });
  client.send({ cmd: "puback", messageId: (await client.next("publish")).messageId ?? 0 });
  expect(await delivered).toEqual({ kind: "delivered" });
});

test("a renamed device keeps its old name while it is attached, and is another afterwards", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  client.send(subscribe(1, ["v1/devices/me/rpc/request/+", 1]));
  await say(client, "v1/gateway/connect", { device: "Old" });
  cloud.renameDevice("Old", "New");
  expect(await hear(client)).toMatchObject({ body: { method: "gateway_device_renamed", params: { Old: "New" } } });
  cloud.setShared("New", '{"n":1}');
  expect(await hear(client)).toMatchObject({ body: { device: "Old", data: { n: 1 } } });
  await say(client, "v1/gateway/attributes", { Old: { c: 1 } });
  expect(cloud.clientAttributes("New")).toBe('{"c":1}');
  await say(client, "v1/gateway/disconnect", { device: "Old" });
  await say(client, "v1/gateway/connect", { device: "Old" });
  expect(cloud.clientAttributes("Old")).toBe("{}");
  expect(() => cloud.renameDevice("Old", "New")).toThrow('Cannot rename "Old" to "New": name is taken');
});

test("a removed device is detached, and created anew by its next message", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  client.send(subscribe(1, ["v1/devices/me/rpc/request/+", 1]));
  await say(client, "v1/gateway/attributes", { A: { c: 1 } });
  const call = cloud.sendRpc("A", "m", "{}");
  await client.next("publish");
  cloud.removeDevice("A");
  expect(await call).toEqual({ kind: "offline" });
  expect(await hear(client)).toMatchObject({ body: { method: "gateway_device_deleted", params: "A" } });
  expect(cloud.attached("gw-01")).toEqual([]);
  await say(client, "v1/gateway/telemetry", { A: [{ t: 1 }] });
  expect(cloud.clientAttributes("A")).toBe("{}");
  const five = await connectAs(cloud, "gw-02", 5);
  cloud.removeDevice("gw-02");
  await five.closed;
  expect(five.heard.at(-1)).toMatchObject({ cmd: "disconnect", reasonCode: 0x98 });
});

test("an expelled device is told of in MQTT 5 only", async () => {
  const cloud = await openTenant();
  const three = await connectAs(cloud, "gw-01", 4);
  await say(three, "v1/gateway/connect", { device: "A" });
  cloud.expel("A");
  await three.settle();
  expect(three.heard.map(({ cmd }) => cmd)).not.toContain("publish");
  expect(cloud.attached("gw-01")).toEqual([]);
});
