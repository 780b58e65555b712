import { connect } from "node:net";
import { afterAll, afterEach, expect, test } from "vitest";
import type { LocalOptions } from "../../src/local/options.ts";
import { createAuthority, type Identity } from "./certificates.ts";
import { connectPacket, gateway, localDefaults, openRaw, publishPacket, secret, start, stopAll } from "./harness.ts";

const authority = createAuthority();
const server = authority.issue("server");
const device = authority.issue("device");
const stranger = authority.issue("stranger");
const loner = authority.issue("loner", { selfSigned: true });

afterEach(stopAll);
afterAll(() => authority.remove());

const gateways = [
  gateway("one", { token: secret("T1") }),
  gateway("device", { certificate: device.certificate }),
  gateway("loner", { certificate: loner.certificate }),
];

function local(clientCa?: string): Partial<LocalOptions> {
  const tls = { certificate: server.certificate, key: secret(server.key), ...(clientCa !== undefined && { clientCa }) };
  return { listen: ["mqtts://127.0.0.1:0"], tls };
}

async function connackOf(port: number, protocol: 4 | 5, identity?: Identity, username?: string): Promise<unknown> {
  const client = openRaw(port, { protocol, tls: identity ? { cert: identity.certificate, key: identity.key } : {} });
  client.send(connectPacket(protocol, username === undefined ? {} : { username }));
  const connack = await client.next();
  return connack.cmd === "connack" ? (connack.returnCode ?? connack.reasonCode) : connack;
}

test("openListener() serves TLS, with a certificate that clients can verify", async () => {
  const { url, port } = await start({ local: local() });
  expect(url).toBe(`mqtts://127.0.0.1:${port}`);
  const client = openRaw(port, { tls: { ca: authority.certificate, rejectUnauthorized: true } });
  client.send(connectPacket(4, { username: "T1" }));
  expect(await client.next()).toMatchObject({ cmd: "connack", returnCode: 0 });
  client.send(publishPacket("x".repeat(200_000), 1, 1));
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 1 });
});

test("openListener() tells MQTT 5 clients over TLS why they are closed", async () => {
  const { port } = await start({ local: { ...local(), maxPacketSize: 1000 } });
  const client = openRaw(port, { protocol: 5, tls: {} });
  client.send(connectPacket(5, { username: "T1" }));
  expect(await client.next()).toMatchObject({ cmd: "connack", reasonCode: 0 });
  client.send(publishPacket("x".repeat(2_000_000), 1, 1));
  expect(await client.closed).toMatchObject([{ cmd: "disconnect", reasonCode: 0x95 }]);
});

test("openListener() takes a certificate as the credential, whatever the user name", async () => {
  const { port, heard } = await start({ local: local(), gateways });
  expect(await connackOf(port, 4, device)).toBe(0);
  expect(await connackOf(port, 5, loner, "T1")).toBe(0);
  await heard("connected", ({ client }) => client.gateway === "device");
  await heard("connected", ({ client }) => client.gateway === "loner");
  expect(await connackOf(port, 4, undefined, "T1")).toBe(0);
  await heard("connected", ({ client }) => client.gateway === "one");
});

test("openListener() refuses a certificate that no gateway has, even with a good token", async () => {
  const { port, heard } = await start({ local: local(), gateways });
  expect(await connackOf(port, 4, stranger, "T1")).toBe(5);
  expect(await connackOf(port, 5, stranger, "T1")).toBe(0x87);
  await heard("refused", ({ reason }) => reason.startsWith("unknown client certificate "));
});

test("openListener() refuses a certificate that is not signed by clientCa", async () => {
  const { port, heard } = await start({ local: local(authority.certificate), gateways });
  expect(await connackOf(port, 5, loner)).toBe(0x87);
  await heard("refused", ({ reason }) => reason.startsWith("client certificate: not signed by local.tls.clientCa"));
  expect(await connackOf(port, 5, device)).toBe(0);
  expect(await connackOf(port, 4, undefined, "T1")).toBe(0);
});

test("openListener() refuses a certificate that has expired", async () => {
  const { port, heard } = await start({
    local: local(),
    gateways,
    tuning: { now: () => Date.now() + 31 * 24 * 3_600_000 },
  });
  expect(await connackOf(port, 4, device)).toBe(5);
  await heard("refused", ({ reason }) => reason.startsWith("client certificate: expired"));
});

test("openListener() lets a certificate pass that is only for the transport", async () => {
  const { port, heard } = await start({ local: local(authority.certificate) });
  expect(await connackOf(port, 4, stranger, "T1")).toBe(0);
  await heard("connected", ({ client }) => client.gateway === "one");
});

test("openListener() listens in plain text and with TLS at the same time", async () => {
  const { listener, heard } = await start({
    local: { ...local(), listen: ["mqtt://127.0.0.1:0", "mqtts://127.0.0.1:0"] },
  });
  const [plain = "", secure = ""] = listener.urls;
  const first = openRaw(Number(new URL(plain).port));
  first.send(connectPacket(4, { username: "T1" }));
  await heard("connected");
  expect(await connackOf(Number(new URL(secure).port), 4, undefined, "T2")).toBe(0);
  await heard("connected", ({ client }) => client.gateway === "two");
});

test("openListener() survives plain text, garbage and silence on its TLS port", async () => {
  const { port, heard, listener } = await start({ local: { ...local(), connectTimeout: 100 } });
  const plain = openRaw(port);
  plain.send(connectPacket(4, { username: "T1" }));
  await plain.closed;
  await heard("refused", ({ reason }) => reason.startsWith("TLS: "));
  await openRaw(port).closed;
  expect(await connackOf(port, 4, undefined, "T1")).toBe(0);
  // A handshake that is not finished does not hold up the end.
  const half = connect(port, "127.0.0.1");
  half.on("error", () => {});
  half.write(Uint8Array.of(0x16, 0x03, 0x01));
  await listener.close();
});

test("openListener() refuses a key that does not fit its certificate", async () => {
  const tls = { certificate: server.certificate, key: secret(device.key) };
  const listening = start({ local: { ...localDefaults, listen: ["mqtts://127.0.0.1:0"], tls } });
  await expect(listening).rejects.toMatchObject({
    code: "ERR_LISTEN",
    message: expect.stringMatching(
      /^Cannot listen on "mqtts:\/\/127.0.0.1:0": local.tls does not work \(.*\), wanted /,
    ),
  });
});
