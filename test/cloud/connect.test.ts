import { afterEach, expect, test } from "vitest";
import { type Cloud, openCloud } from "../../src/cloud/cloud.ts";
import { connectAs, connectPacket, gatewayRsa, identityOf, openPlant, publish, subscribe } from "./plant.ts";
import { openRawClient, type RawClient } from "./raw-client.ts";

let cloud: Cloud;
afterEach(() => cloud.close());

async function connack(client: RawClient): Promise<number | undefined> {
  const packet = await client.next("connack").catch(() => undefined);
  return packet?.returnCode;
}

async function knock(more: Parameters<typeof connectPacket>[2], device = "gw-01"): Promise<number | undefined> {
  const client = await openRawClient(cloud.urls[0] ?? "");
  client.send(connectPacket(cloud, device, more));
  const code = await connack(client);
  if (code === 0) client.end();
  await client.closed;
  return code;
}

test("CONNECT is refused for another place, a leading slash, an empty id", async () => {
  cloud = await openPlant();
  const id = cloud.clientIdOf("gw-01");
  expect(await knock({ clientId: id.replace("plant-1", "plant-2") })).toBe(5);
  expect(await knock({ clientId: id.replace("acme-iot", "Acme-iot") })).toBe(5);
  expect(await knock({ clientId: `/${id}` })).toBe(2);
  expect(await knock({ clientId: "" })).toBe(2);
  expect(await knock({ clientId: `${id}/x` })).toBe(2);
});

test("CONNECT works with the numeric id, in topics too", async () => {
  cloud = await openPlant({
    more: [{ id: "num-1", numericId: "2582332477650079", publicKeys: [identityOf("gw-02").publicPem] }],
  });
  const client = await openRawClient(cloud.urls[0] ?? "");
  client.send({ ...connectPacket(cloud, "gw-02"), clientId: cloud.clientIdOf("2582332477650079") });
  expect(await connack(client)).toBe(0);
  client.send(publish("/devices/2582332477650079/events", "x", 1));
  await client.next("puback");
  expect(cloud.received()).toMatchObject([{ kind: "telemetry", device: "num-1" }]);
  client.send(subscribe(2, ["/devices/2582332477650079/config", 1]));
  expect((await client.next("publish")).topic).toBe("/devices/2582332477650079/config");
});

test("CONNECT with a password but no user name is answered with a close", async () => {
  cloud = await openPlant();
  const client = await openRawClient(cloud.urls[0] ?? "");
  // mqtt-packet will not write it, so the user name flag and field are cut out of the bytes.
  const bytes = connectBytesWithoutUserName(connectPacket(cloud, "gw-01"));
  client.socket.write(bytes);
  expect(await connack(client)).toBeUndefined();
  await client.closed;
  expect(await cloud.next("refused")).toMatchObject({ reason: "password without a user name" });
});

function connectBytesWithoutUserName(packet: ReturnType<typeof connectPacket>): Buffer {
  const text = (value: Buffer) => Buffer.concat([Buffer.of(value.length >> 8, value.length & 255), value]);
  const body = Buffer.concat([
    text(Buffer.from("MQTT")),
    Buffer.of(4, 0b0100_0010, 0, 60),
    text(Buffer.from(packet.clientId)),
    text(packet.password ?? Buffer.alloc(0)),
  ]);
  return Buffer.concat([Buffer.of(0x10, (body.length & 127) | 128, body.length >> 7), body]);
}

test("CONNECT is refused for a blocked device, and for one bound to a blocked gateway", async () => {
  cloud = await openPlant();
  cloud.block("gw-01");
  expect(await knock({})).toBe(5);
  expect(await knock({}, "sensor-7")).toBe(5);
  expect(await knock({}, "loose-9")).toBe(0);
  cloud.unblock("gw-01");
  expect(await knock({})).toBe(0);
});

test.each([
  ["google", 3, undefined],
  ["google", 5, undefined],
  ["clearblade", 5, 1],
  ["omnicore", 3, 1],
] as const)("%s answers MQTT level %d with CONNACK %s", async (dialect, protocolVersion, code) => {
  cloud = await openPlant({ dialect });
  const protocolId = protocolVersion === 3 ? "MQIsdp" : "MQTT";
  expect(await knock({ protocolVersion, protocolId })).toBe(code);
});

test.each([
  ["google", 5],
  ["clearblade", 4],
  ["omnicore", 5],
] as const)("%s answers a bad token with CONNACK %d", async (dialect, code) => {
  cloud = await openPlant({ dialect });
  expect(await knock({ password: Buffer.from("not-a-token") })).toBe(code);
  const { password: _none, ...bare } = connectPacket(cloud, "gw-01");
  const client = await openRawClient(cloud.urls[0] ?? "");
  client.send(bare);
  expect(await connack(client)).toBe(code);
});

test("any of a gateway's keys lets it in, and four keys are a mistake", async () => {
  cloud = await openPlant();
  const rs256 = {
    cmd: "connect",
    clientId: cloud.clientIdOf("gw-01"),
    username: "unused",
    keepalive: 60,
    clean: true,
  } as const;
  const { mintToken } = await import("./identity.ts");
  const client = await openRawClient(cloud.urls[0] ?? "");
  client.send({ ...rs256, password: Buffer.from(mintToken(gatewayRsa, { alg: "RS256" })) });
  expect(await connack(client)).toBe(0);
  const publicKeys = Array.from({ length: 4 }, () => gatewayRsa.publicPem);
  await expect(openCloud({ dialect: "google", devices: [{ id: "gw-01", publicKeys }] })).rejects.toMatchObject({
    code: "ERR_CONFIG_INVALID",
    message: 'Cannot create device "gw-01": got 4 public keys, wanted at most 3',
  });
});

test("a second connection takes the first one's place", async () => {
  cloud = await openPlant();
  const first = await connectAs(cloud, "gw-01");
  const second = await connectAs(cloud, "gw-01");
  await first.closed;
  await second.settle();
  expect(second.isClosed()).toBe(false);
  expect(cloud.isConnected("gw-01")).toBe(true);
});

test("a second connection is refused where the cloud is set so", async () => {
  cloud = await openPlant({ dialect: "clearblade", duplicate: "refuse" });
  const first = await connectAs(cloud, "gw-01");
  expect(await knock({})).toBe(2);
  await first.settle();
  expect(first.isClosed()).toBe(false);
});

test("a failed login leaves the connected device alone", async () => {
  cloud = await openPlant();
  const first = await connectAs(cloud, "gw-01");
  expect(await knock({ token: { aud: "other" } })).toBe(5);
  await first.settle();
  expect(first.isClosed()).toBe(false);
});

test("a connection is closed when its token has run out", async () => {
  cloud = await openPlant({ skewMs: 0, expiryGraceMs: 50 });
  const client = await connectAs(cloud, "gw-01", { token: { exp: 1 } });
  await client.closed;
  expect(await cloud.next("closed")).toMatchObject({
    reason: "token-expired",
    detail: "The authorization token expired.",
  });
  expect(cloud.deviceOf("gw-01")?.lastErrorStatus?.code).toBe(16);
});

test("a silent connection is closed after one and a half keepalives, whatever it is sent", async () => {
  cloud = await openPlant();
  const client = await connectAs(cloud, "gw-01", { keepalive: 1 });
  await client.closed;
  expect(await cloud.next("closed")).toMatchObject({ reason: "keepalive" });
});

test("a silent connection without keepalive is closed when it is idle too long, any when it is too old", async () => {
  cloud = await openPlant({ idleMs: 50 });
  await (await connectAs(cloud, "gw-01", { keepalive: 0 })).closed;
  expect(await cloud.next("closed")).toMatchObject({ reason: "idle" });
  await cloud.close();
  cloud = await openPlant({ maxAgeMs: 50 });
  await (await connectAs(cloud, "gw-01")).closed;
  expect(await cloud.next("closed")).toMatchObject({ reason: "age" });
});

test("whoever does not begin with CONNECT is closed, and so is who says nothing or nonsense", async () => {
  cloud = await openPlant({ connectTimeoutMs: 50 });
  const url = cloud.urls[0] ?? "";
  const early = await openRawClient(url);
  early.send({ cmd: "pingreq" });
  await early.closed;
  const silent = await openRawClient(url);
  await silent.closed;
  const web = await openRawClient(url);
  web.socket.write("GET / HTTP/1.1\r\n\r\n");
  await web.closed;
  const again = await connectAs(cloud, "gw-01");
  again.send(connectPacket(cloud, "gw-01"));
  await again.closed;
  expect(await cloud.next("closed")).toMatchObject({ reason: "protocol-error", detail: "CONNECT was not expected" });
});

test("packets sent before the CONNACK are taken in order", async () => {
  cloud = await openPlant();
  const client = await openRawClient(cloud.urls[0] ?? "");
  client.send(connectPacket(cloud, "gw-01"));
  client.send(subscribe(1, ["/devices/gw-01/errors", 0]));
  client.send(publish("/devices/sensor-7/attach", "", 2));
  client.send(publish("/devices/sensor-7/events/a/b", "x", 3));
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "suback", "puback", "puback", "pingresp"]);
  expect(cloud.received()).toMatchObject([{ kind: "attach" }, { kind: "telemetry", folder: "a/b", gateway: "gw-01" }]);
});

test("the next CONNECTs fail as the faults say", async () => {
  cloud = await openPlant();
  cloud.faults.refuseConnects.push(3, "close", 19);
  expect([await knock({}), await knock({}), await knock({}), await knock({})]).toEqual([3, undefined, 19, 0]);
});
