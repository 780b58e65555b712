import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { Secret } from "../../src/message/secret.ts";
import { openUpstream, type UpstreamConnection } from "../../src/upstream/connection.ts";
import type { UpstreamTls } from "../../src/upstream/dial.ts";
import { openFakeServer } from "./fake-server.ts";
import { createRecorder } from "./recorder.ts";

const pem = (name: string) => readFileSync(new URL(`./tls/${name}.pem`, import.meta.url), "utf8");
const ca = pem("ca");
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Accepts any CONNECT, over TLS. */
async function openServer(options: TlsOptions = {}) {
  const sockets: TLSSocket[] = [];
  const server: Server = createServer({ cert: pem("server"), key: pem("server.key"), ...options }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write(Buffer.from([0x20, 2, 0, 0])));
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return { sockets, port: (server.address() as AddressInfo).port };
}

function connect(url: string, tls: UpstreamTls) {
  const recorder = createRecorder();
  const connection: UpstreamConnection = openUpstream(
    {
      ...{ url, tls, protocol: 4, keepaliveMs: 60_000, connectTimeoutMs: 5000, reconnects: [] },
      login: async () => ({ clientId: "gw-01" }),
    },
    recorder.handlers,
  );
  closing.push(() => connection.close());
  return recorder;
}

describe("TLS", () => {
  test("own authority: the certificate is checked for the name asked for, which is sent as SNI", async () => {
    const { port, sockets } = await openServer();
    await connect(`mqtts://127.0.0.1:${port}`, { ca, serverName: "mqtt.plant.example" }).next("opened");
    expect(sockets[0]).toMatchObject({ servername: "mqtt.plant.example" });
    await connect(`mqtts://localhost:${port}`, { ca }).next("opened");
    expect(sockets[1]).toMatchObject({ servername: "localhost" });
  });

  test("our certificate is shown to a server that asks for one", async () => {
    const { port, sockets } = await openServer({ ca, requestCert: true });
    const key = new Secret(pem("client.key"));
    await connect(`mqtts://localhost:${port}`, { ca, certificate: pem("client"), key }).next("opened");
    expect(sockets[0]?.getPeerCertificate().subject.CN).toBe("client");
  });

  test("a certificate of an unknown authority, for another name, or none where one is wanted", async () => {
    const { port } = await openServer();
    const unknown = await connect(`mqtts://localhost:${port}`, {}).next("closed");
    expect(unknown).toMatchObject({ reason: "tls", detail: expect.stringContaining("certificate") });
    const misnamed = await connect(`mqtts://localhost:${port}`, { ca, serverName: "other.example" }).next("closed");
    expect(misnamed).toMatchObject({ reason: "tls", detail: expect.stringContaining("other.example") });
    const strict = await openServer({ ca, requestCert: true, rejectUnauthorized: true });
    expect((await connect(`mqtts://localhost:${strict.port}`, { ca }).next("closed")).reason).toBe("tls");
  });

  test("TLS 1.1 is not spoken", async () => {
    const { port } = await openServer({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" });
    expect((await connect(`mqtts://localhost:${port}`, { ca }).next("closed")).reason).toBe("tls");
  });

  test("a server that speaks no TLS, and certificates that are none", async () => {
    const plain = await openFakeServer();
    closing.push(() => plain.close());
    const { next } = connect(plain.url.replace("mqtt:", "mqtts:"), { ca });
    (await plain.peer()).socket.end(Buffer.from([0x20, 2, 0, 0]));
    expect((await next("closed")).reason).toBe("tls");
    const { port } = await openServer();
    const broken = connect(`mqtts://localhost:${port}`, { certificate: "no PEM", key: new Secret("hidden") });
    const { reason, detail } = await broken.next("closed");
    expect(reason).toBe("tls");
    expect(detail).not.toContain("hidden");
  });
});
