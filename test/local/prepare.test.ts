import { createServer } from "node:net";
import { afterAll, afterEach, expect, test } from "vitest";
import type { LocalOptions } from "../../src/local/options.ts";
import { createAuthority } from "./certificates.ts";
import { connectPacket, gateway, localDefaults, openRaw, publishPacket, secret, start, stopAll } from "./harness.ts";

const authority = createAuthority();
const [first, second] = [authority.issue("first"), authority.issue("second")];
const gateways = [gateway("one", { token: secret("T1") })];

afterEach(stopAll);
afterAll(() => authority.remove());

function options(local: Partial<LocalOptions>): LocalOptions {
  return { ...localDefaults, ...local };
}

async function connected(port: number, username: string, tls?: object) {
  const client = openRaw(port, tls === undefined ? {} : { tls });
  client.send(connectPacket(4, { username }));
  expect(await client.next()).toMatchObject({ cmd: "connack", returnCode: 0 });
  return client;
}

test("prepare() changes nothing before commit(), and abort() takes it back", async () => {
  const { listener, port, url } = await start({ gateways });
  const known = { gateways: [gateway("two", { token: secret("T2") })] };
  const change = await listener.prepare(options({ listen: ["mqtt://127.0.0.1:0"] }), known);
  await connected(port, "T1");
  await change.abort();
  expect(listener.urls).toEqual([url]);
  (await listener.prepare(options({ listen: [url] }), known)).commit();
  expect(listener.urls).toEqual([url]);
  await connected(port, "T2");
  const client = openRaw(port);
  client.send(connectPacket(4, { username: "T1" }));
  expect(await client.next()).toMatchObject({ cmd: "connack", returnCode: 5 });
});

test("prepare() gives a port of its own another address or TLS, and connections stay", async () => {
  const { listener, port, url, heard } = await start({ gateways });
  const client = await connected(port, "T1");
  const tls = { certificate: first.certificate, key: secret(first.key) };
  const secured = options({ listen: [url.replace("mqtt:", "mqtts:")], tls });
  (await listener.prepare(secured, { gateways })).commit();
  expect(listener.urls).toEqual([`mqtts://127.0.0.1:${port}`]);
  client.send(publishPacket("a", 1, 1));
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 1 });
  await connected(port, "T1", { ca: authority.certificate, rejectUnauthorized: true });
  await heard("disconnected", ({ reason }) => reason === "takeover");
});

test("prepare() shows another certificate to those who connect from then on", async () => {
  const tls = { certificate: first.certificate, key: secret(first.key) };
  const { listener, port } = await start({ gateways, local: { listen: ["mqtts://127.0.0.1:0"], tls } });
  const client = await connected(port, "T1", {});
  const other = { certificate: second.certificate, key: secret(second.key) };
  (await listener.prepare(options({ listen: listener.urls, tls: other }), { gateways })).commit();
  client.send(publishPacket("a", 1, 1));
  expect(await client.next()).toMatchObject({ cmd: "puback", messageId: 1 });
  await connected(port, "T1", { ca: authority.certificate, checkServerIdentity: subjectOf("second") });
});

test("prepare() leaves all addresses open when one of the new ones cannot be had", async () => {
  const { listener, port, url } = await start({ gateways });
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port: taken } = other.address() as { port: number };
  const moved = options({ listen: [`mqtt://0.0.0.0:${port}`, `mqtt://127.0.0.1:${taken}`] });
  await expect(listener.prepare(moved, { gateways })).rejects.toMatchObject({ code: "ERR_LISTEN" });
  other.close();
  expect(listener.urls).toEqual([url]);
  await connected(port, "T1");
});

function subjectOf(name: string) {
  return (_host: string, { subject }: { readonly subject: { readonly CN: string | string[] } }) =>
    subject.CN === name ? undefined : new Error(`shows "${subject.CN}"`);
}
