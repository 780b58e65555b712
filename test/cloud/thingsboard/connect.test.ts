import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import { publish, subscribe } from "../plant.ts";
import { openRawClient } from "../raw-client.ts";
import { connectAs, connectPacket, hear, lastWords, levels, openTenant, say, tryConnect } from "./tenant.ts";

const basic = [
  { name: "by-client", credentials: { kind: "basic", clientId: "only-me" } },
  { name: "by-user", credentials: { kind: "basic", username: "u1", password: "p1" } },
  { name: "by-both", credentials: { kind: "basic", clientId: "c2", username: "u2", password: "p2" } },
  { name: "by-user-too", credentials: { kind: "basic", username: "u2", password: "other" } },
] as const;

describe.each(levels)("CONNECT at MQTT level %i", (level) => {
  const codes = (five: number, three: number) => (level === 5 ? five : three);
  test.each([
    ["a token, any client id and password", { username: "token-of-gw-01", password: Buffer.from("any") }, 0],
    ["the client id alone", { clientId: "only-me" }, 0],
    ["user name and password", { username: "u1", password: Buffer.from("p1") }, 0],
    ["client id, user name and password", { clientId: "c2", username: "u2", password: Buffer.from("p2") }, 0],
    ["the same user name at another client id", { username: "u2", password: Buffer.from("other") }, 0],
    // A mismatch for client id and user name together is final.
    [
      "that password at this client id",
      { clientId: "c2", username: "u2", password: Buffer.from("other") },
      codes(0x86, 5),
    ],
    ["a wrong token", { username: "nobody" }, codes(0x86, 5)],
    ["a wrong password", { username: "u1", password: Buffer.from("p2") }, codes(0x86, 5)],
    ["nothing but a client id", { clientId: "nobody" }, codes(0x85, 2)],
  ])("is decided on by %s", async (_name, fields, wanted) => {
    const cloud = await openTenant({ devices: basic });
    const { client, code, connack } = await tryConnect(cloud, level, fields);
    expect(code).toBe(wanted);
    expect(connack).toMatchObject({ sessionPresent: false });
    expect(connack.properties).toBeUndefined();
    if (wanted === 0) return;
    await client.closed;
    expect(client.heard.map(({ cmd }) => cmd)).toEqual(level === 5 ? ["connack", "disconnect"] : ["connack"]);
    expect(await cloud.next("refused")).toMatchObject({ code: wanted });
  });

  test("claims a session wherever one is asked for, refused or not", async () => {
    const cloud = await openTenant();
    const { connack } = await tryConnect(cloud, level, { clean: false, username: "token-of-gw-01" });
    expect(connack.sessionPresent).toBe(true);
    expect((await tryConnect(cloud, level, { clean: false, username: "x" })).connack.sessionPresent).toBe(true);
  });

  test("takes a device's connection over, whatever the client ids", async () => {
    const cloud = await openTenant();
    const first = await connectAs(cloud, "gw-01", level, { clientId: "one" });
    await say(first, "v1/gateway/connect", { device: "A" });
    const other = await connectAs(cloud, "gw-02", level, { clientId: "one" });
    await connectAs(cloud, "gw-01", level, { clientId: "two" });
    expect((await lastWords(first)).slice(1)).toEqual(level === 5 ? [["disconnect", 0x8e]] : []);
    expect(cloud.attached("gw-01")).toEqual([]);
    await other.settle();
    expect(other.isClosed()).toBe(false);
    expect(await cloud.next("closed")).toMatchObject({ device: "gw-01", reason: "taken-over" });
  });

  test("is refused over the rate limit, and a silent connection is closed", async () => {
    const cloud = await openTenant({ rateLimits: { gatewayDevice: { messages: "1:60" } }, inactivityMs: 50 });
    const client = await connectAs(cloud, "gw-01", level);
    expect((await tryConnect(cloud, level, { username: "token-of-gw-01" })).code).toBe(codes(0x9f, 3));
    expect(await lastWords(client)).toEqual(level === 5 ? [["disconnect", 0xa0]] : []);
    expect(await cloud.next("closed")).toMatchObject({ reason: "inactivity" });
  });

  test("can be refused on purpose", async () => {
    const cloud = await openTenant();
    cloud.faults.refuseConnects = [codes(0x88, 3), "close"];
    expect((await tryConnect(cloud, level, { username: "token-of-gw-01" })).code).toBe(codes(0x88, 3));
    await expect(tryConnect(cloud, level, { username: "token-of-gw-01" })).rejects.toThrow("connection closed");
    expect((await tryConnect(cloud, level, { username: "token-of-gw-01" })).code).toBe(0);
  });
});

test("a blank client id without credentials has codes of its own", async () => {
  const cloud = await openTenant();
  expect((await tryConnect(cloud, 5, { clientId: "" })).code).toBe(0x87);
  expect((await tryConnect(cloud, 4, { clientId: "" })).code).toBe(5);
});

test("MQTT 3.1 needs a client id of 1 to 23 characters, and its own protocol name", async () => {
  const cloud = await openTenant();
  const login = { username: "token-of-gw-01" };
  await expect(tryConnect(cloud, 3, { ...login, clientId: "x".repeat(24) })).rejects.toThrow("connection closed");
  await expect(tryConnect(cloud, 4, { ...login, protocolId: "MQIsdp" })).rejects.toThrow("connection closed");
  expect((await tryConnect(cloud, 4, { ...login, clientId: "x".repeat(24) })).code).toBe(0);
});

test("packets before CONNECT are never answered, and the 101st ends the connection", async () => {
  const cloud = await openTenant();
  const client = await openRawClient(cloud.urls[0] ?? "");
  onTestFinished(() => client.end());
  client.send({ cmd: "pingreq" });
  client.send(connectPacket(4, { username: "token-of-gw-01" }));
  await client.next("connack");
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "pingresp"]);
  const other = await openRawClient(cloud.urls[0] ?? "");
  for (let n = 0; n < 101; n++) other.send({ cmd: "pingreq" });
  await other.closed;
  expect(other.heard).toEqual([]);
});

test.each(levels)("DISCONNECT ends everything, answered at level %i only if it is 5", async (level) => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", level);
  await say(client, "v1/gateway/connect", { device: "A" });
  client.send({ cmd: "disconnect", reasonCode: 0 });
  expect((await lastWords(client)).slice(1)).toEqual(level === 5 ? [["disconnect", 0]] : []);
  expect(await cloud.next("detach")).toMatchObject({ device: "A", reason: "closed" });
  expect(await cloud.next("closed")).toMatchObject({ by: "device", reason: "disconnect" });
});

test.each([
  ["v1/gateway/rpc", 1],
  ["v1/gateway/attributes", 1],
  ["v1/gateway/attributes/response", 1],
  ["v1/devices/me/rpc/request/+", 1],
  ["v2/r/res/j/+", 1],
  ["#", undefined],
  ["v1/gateway/+", undefined],
  ["v1/gateway/disconnect", undefined],
  ["v1/devices/me/attributes/response/1", undefined],
  ["v1/devices/me/rpc/request/#", undefined],
  ["v2/fw/response/+", undefined],
])("SUBSCRIBE %s is granted %s", async (filter, wanted) => {
  const cloud = await openTenant();
  const three = await connectAs(cloud, "gw-01", 4);
  const five = await connectAs(cloud, "gw-02", 5);
  for (const client of [three, five]) client.send(subscribe(1, [filter, 2], ["v1/gateway/rpc", 0]));
  expect((await three.next("suback")).granted).toEqual([wanted ?? 0x80, 0]);
  expect((await five.next("suback")).granted).toEqual([wanted ?? 0x8f, 0]);
});

test("a subscription sets the QoS of what is delivered anyway; without one it is 1", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", 5);
  await say(client, "v1/gateway/connect", { device: "A" });
  cloud.setShared("A", '{"n":1}');
  expect(await hear(client)).toMatchObject({ qos: 1 });
  client.send(subscribe(1, ["v1/gateway/attributes", 0]));
  await client.next("suback");
  cloud.setShared("A", '{"n":1}');
  expect(await hear(client)).toMatchObject({ qos: 0, body: { device: "A", data: { n: 1 } } });
  client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["v1/gateway/attributes", "v1/gateway/rpc"] });
  expect((await client.next("unsuback")).granted).toEqual([0, 0x11]);
  cloud.setShared("A", '{"n":2}');
  expect(await hear(client)).toMatchObject({ qos: 1 });
});

test("packets of 65,536 bytes pass, larger ones and malformed ones close", async () => {
  const cloud = await openTenant();
  const topic = "v1/gateway/connect";
  const payload = '{"device":"A"}'.padEnd(65_536 - 4 - topic.length);
  const client = await connectAs(cloud, "gw-01", 4);
  expect(await say(client, topic, payload)).toBe(0);
  client.send(publish(topic, `${payload} `, 1));
  await client.closed;
  const five = await connectAs(cloud, "gw-01", 5);
  five.send(publish("v1/gateway/+", "{}", 1));
  expect(await lastWords(five)).toEqual([["disconnect", 0x81]]);
  const zero = await connectAs(cloud, "gw-01", 5);
  zero.send(publish(topic, '{"device":"A"}', 0));
  expect(await lastWords(zero)).toEqual([["disconnect", 0x81]]);
  const broken = await connectAs(cloud, "gw-01", 5);
  broken.socket.write(Buffer.of(0xf7, 0x01, 0x00));
  expect(await lastWords(broken)).toEqual([["disconnect", 0x81]]);
});

test("what is larger than a client of MQTT 5 takes is not sent", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", 5, { properties: { maximumPacketSize: 100 } });
  await say(client, "v1/gateway/connect", { device: "A" });
  cloud.setShared("A", `{"big":"${"x".repeat(100)}"}`);
  cloud.setShared("A", '{"small":1}');
  expect(await hear(client)).toMatchObject({ body: { data: { small: 1 } } });
});

test("a client certificate wins over user name and password", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ["server", "client", "stranger"]) {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", `${name}.key`];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    const args = ["req", "-x509", "-nodes", "-days", "1", ...key, "-out", `${name}.pem`, ...subject];
    execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  }
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const cloud = await openTenant({
    listen: ["mqtts://127.0.0.1:0"],
    tls: { certificate: read("server.pem"), key: read("server.key") },
    devices: [{ name: "gw-x", gateway: true, credentials: { kind: "certificate", certificate: read("client.pem") } }],
  });
  const connect = (more: object) =>
    connectAsync(
      cloud.urls[0] ?? "",
      { reconnectPeriod: 0, ca: read("server.pem"), protocolVersion: 5, ...more },
      false,
    );
  const username = "token-of-gw-01";
  const client = await connect({ cert: read("client.pem"), key: read("client.key"), username });
  expect(await cloud.next("connected")).toMatchObject({ device: "gw-x" });
  await client.endAsync();
  const stranger = connect({ cert: read("stranger.pem"), key: read("stranger.key"), username });
  await expect(stranger).rejects.toMatchObject({ code: 0x87 });
  await (await connect({ username })).endAsync();
});
