import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createAuthority } from "../local/certificates.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant, type Plant } from "./harness.ts";

// Who may connect on either side, and how the connection upstream proves itself.

const authority = createAuthority();
const server = authority.issue("server");
afterAll(() => authority.remove());

const telemetry = '{"pump-2":[{"ts":1,"values":{"t":1}}]}';

function write(plant: Plant, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(plant.folder, name), text);
}

/** The configuration file with its first gateway changed. */
function changeGateway(plant: Plant, change: (gateway: Record<string, unknown>) => void): void {
  const config = JSON.parse(readFileSync(plant.configFile, "utf8")) as { gateways: Record<string, unknown>[] };
  change(config.gateways[0] ?? {});
  writeFileSync(plant.configFile, JSON.stringify(config));
}

test("TLS on both sides, with an authority of one's own", async () => {
  const plant = await openPlant({
    cloud: { listen: ["mqtts://127.0.0.1:0"], tls: { certificate: server.certificate, key: server.key } },
    local: { listen: ["mqtts://127.0.0.1:0"], tls: { certificate: "file:server.pem", key: "file:server.key" } },
    upstream: { tls: { ca: "file:ca.pem" } },
  });
  write(plant, { "server.pem": server.certificate, "server.key": server.key, "ca.pem": authority.certificate });
  const bridge = await plant.open();
  expect(bridge.url).toMatch(/^mqtts:/);
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01"), ca: authority.certificate });
  await gateway.say("v1/gateway/telemetry", telemetry);
  await plant.cloud.next("telemetry");
});

test("a server certificate of a stranger is refused: nothing is sent, and the reason is told", async () => {
  const plant = await openPlant({
    cloud: { listen: ["mqtts://127.0.0.1:0"], tls: { certificate: server.certificate, key: server.key } },
  });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", telemetry);
  await bridge.log.next(({ msg, reason }) => msg === "upstream-closed" && reason === "tls");
  expect(bridge.status().gateways[0]).toMatchObject({ ready: false, reason: "tls" });
  expect(plant.cloud.records.filter(({ kind }) => kind === "connected")).toEqual([]);
});

test("a gateway logs in by user name, password and client id", async () => {
  const plant = await openPlant();
  write(plant, { password: "user-pass-9\n" });
  changeGateway(plant, (gateway) => {
    gateway["local"] = { username: "plant", password: "file:password", clientId: "gw-client" };
  });
  const bridge = await plant.open();
  const login = { token: "plant", clientId: "gw-client" };
  await expect(connectGateway(bridge.url, { ...login, password: "wrong" })).rejects.toMatchObject({ code: 0x86 });
  await expect(connectGateway(bridge.url, { ...login, clientId: "other", password: "user-pass-9" })).rejects.toThrow();
  const gateway = await connectGateway(bridge.url, { ...login, password: "user-pass-9" });
  await gateway.say("v1/gateway/telemetry", telemetry);
  await plant.cloud.next("telemetry");
  expect(JSON.stringify(bridge.log.all)).not.toContain("user-pass-9");
});

test("a gateway logs in by its certificate", async () => {
  const device = authority.issue("device");
  const plant = await openPlant({
    local: { listen: ["mqtts://127.0.0.1:0"], tls: { certificate: "file:server.pem", key: "file:server.key" } },
  });
  write(plant, { "server.pem": server.certificate, "server.key": server.key, "device.pem": device.certificate });
  changeGateway(plant, (gateway) => {
    gateway["local"] = { certificate: "file:device.pem" };
  });
  const bridge = await plant.open();
  const tls = { ca: authority.certificate, cert: device.certificate, key: device.key };
  const gateway = await connectGateway(bridge.url, { token: "", ...tls });
  await gateway.say("v1/gateway/telemetry", telemetry);
  await plant.cloud.next("telemetry");
});

test("RS256 tokens are as good", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const publicPem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const plant = await openPlant({ cloud: { devices: [{ id: "gw-01", publicKeys: [publicPem], gateway: {} }] } });
  write(plant, { "rsa.pem": privateKey.export({ type: "pkcs8", format: "pem" }).toString() });
  changeGateway(plant, (gateway) => {
    gateway["upstream"] = { privateKey: "file:rsa.pem", algorithm: "RS256" };
  });
  await plant.open();
  await plant.cloud.next("connected");
});

test("a token is renewed before it expires, under load, and nothing is lost or out of order", async () => {
  const plant = await openPlant({ cloud: { skewMs: 0, expiryGraceMs: 0 } });
  const { cloud } = plant;
  const bridge = await plant.open({ tokenLifetime: 2000 });
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const isRenewed = cloud.next("connected", ({ connection }) => connection === 2);
  let renewed = false;
  void isRenewed.then(() => {
    renewed = true;
  });
  let ts = 0;
  for (let left = 20; left > 0; left -= renewed ? 1 : 0) {
    ts += 1;
    await gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts, values: { ts } }] });
  }
  await eventually(() => bridge.ledger()).toMatchObject({ received: ts, delivered: ts, pending: 0 });
  const numbers = cloud
    .received()
    .filter(({ kind }) => kind === "telemetry")
    .map(({ payload }) => (JSON.parse(payload.toString()) as { ts: number }[])[0]?.ts as number);
  expect([...new Set(numbers)]).toEqual(Array.from({ length: ts }, (_, n) => n + 1));
  // It left by itself and in time: the cloud did not have to throw it out.
  expect(await cloud.next("closed")).toMatchObject({ by: "device", reason: "disconnect" });
  // The gap is measured.
  const { gapMs } = await bridge.log.next(({ msg, after }) => msg === "upstream-open" && after === "token-expired");
  expect(gapMs).toBeTypeOf("number");
  expect(bridge.status().gateways[0]?.upstream.gapMs).toBeTypeOf("number");
  expect(bridge.log.all.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("one blocked gateway does not stop another", async () => {
  const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
  const { cloud } = plant;
  cloud.block("gw-01");
  const bridge = await plant.open();
  const [bad, good] = await Promise.all(
    ["gw-01", "gw-02"].map((id) => connectGateway(bridge.url, { token: plant.tokenOf(id) })),
  );
  await bad?.say("v1/gateway/telemetry", '{"only-1":[{"ts":1,"values":{"t":1}}]}');
  await good?.say("v1/gateway/telemetry", '{"only-2":[{"ts":1,"values":{"t":1}}]}');
  expect(await cloud.next("telemetry")).toMatchObject({ gateway: "gw-02", device: "only-2" });
  expect(bridge.status().gateways.map(({ id, ready }) => [id, ready])).toEqual([
    ["gw-01", false],
    ["gw-02", true],
  ]);
  cloud.unblock("gw-01");
  expect(await cloud.next("telemetry", ({ gateway }) => gateway === "gw-01")).toMatchObject({ device: "only-1" });
});
