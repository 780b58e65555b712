import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { runConfig } from "../bridge/run-config.ts";
import { type Authority, createAuthority } from "../local/certificates.ts";
import { diagnose } from "./diagnose.ts";
import { openTenantPlant, tenantToken } from "./tenant-plant.ts";

let authority: Authority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

describe.each([5, 4] as const)("in front of ThingsBoard by MQTT level %i, doctor names", (protocol) => {
  const upstream = { protocol };

  test("a wrong token", async () => {
    const { configFile } = await openTenantPlant({ upstream, credentials: { token: "another-token" } });
    const { first, text } = await diagnose(configFile);
    expect(first).toBe("gateway.connect: likely credentials");
    expect(text).not.toContain("another-token");
  });

  test("a device that is not marked as a gateway", async () => {
    const { configFile, tenant } = await openTenantPlant({ upstream, isGateway: false });
    expect((await diagnose(configFile)).first).toBe("gateway.limits: likely notGateway");
    expect(tenant.devices().map(({ name }) => name)).toEqual(["gw-01"]);
  });

  test("another process with the same token", async () => {
    const { configFile, tenant } = await openTenantPlant({ upstream });
    const rival = await runConfig({
      local: { dialect: "thingsboard" },
      upstream: { dialect: "thingsboard", url: tenant.urls[0] },
      gateways: [{ id: "gw-01", local: { token: "local" }, upstream: { token: tenantToken } }],
    });
    await rival.log.next((line) => line.msg === "upstream-open");
    expect((await diagnose(configFile, "--hold", "20s")).first).toBe("gateway.stay: likely duplicate");
  });

  test("a wrong host name, an unknown authority and a closed port", async () => {
    const tls = authority.issue("tenant", { names: "DNS:mqtt.example.com" });
    const listen = ["mqtts://127.0.0.1:0"];
    const named = await openTenantPlant({ upstream, tenant: { listen, tls }, authority: authority.certificate });
    expect((await diagnose(named.configFile)).first).toBe("upstream.tls: proven hostName");
    const unknown = await openTenantPlant({ upstream, tenant: { listen, tls: authority.issue("other") } });
    expect((await diagnose(unknown.configFile)).first).toBe("upstream.tls: likely unknownAuthority");
    await unknown.tenant.close();
    expect((await diagnose(unknown.configFile)).first).toBe("upstream.tcp: likely portClosed");
  });
});

test("at MQTT 5, doctor names a tenant that has as many devices as it may have", async () => {
  const { configFile } = await openTenantPlant({ tenant: { maxDevices: 1 } });
  const { first, step } = await diagnose(configFile, "--device", "Device A");
  expect(first).toMatch(/^gateway\.attach: likely /);
  expect(step("gateway.attach").causes?.map(({ name }) => name)).toContain("deviceLimit");
});

test.each([
  { days: 90, identity: "ok", connect: "ok" },
  { days: 10, identity: "warn", connect: "ok" },
  { days: -1, identity: "fail", connect: "skip" },
])("a client certificate with $days days left is $identity", async ({ days, identity, connect }) => {
  const { certificate, key } = authority.issue("gw-01", { days });
  const { configFile } = await openTenantPlant({
    authority: authority.certificate,
    credentials: { tls: { certificate, key } },
    tenant: {
      devices: [{ name: "gw-01", gateway: true, credentials: { kind: "certificate", certificate } }],
      listen: ["mqtts://127.0.0.1:0"],
      tls: { ...authority.issue("tenant"), asksForCertificate: true },
    },
  });
  const { step } = await diagnose(configFile);
  expect([step("gateway.identity").outcome, step("gateway.connect").outcome]).toEqual([identity, connect]);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "a server that wants a client certificate says so by %s",
  async (version) => {
    const { certificate, key } = authority.issue("tenant");
    const server = createServer({
      ...{ cert: certificate, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
      ...{ minVersion: version, maxVersion: version },
    });
    server.on("tlsClientError", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { configFile } = await openTenantPlant({
      authority: authority.certificate,
      upstream: { url: `mqtts://127.0.0.1:${port}` },
    });
    // With TLS 1.3 our side of the handshake is over before the server looks; TLS 1.2 has one alert for this and for more.
    const { steps } = await diagnose(configFile);
    const failed = steps.find(({ outcome }) => outcome === "fail");
    const names = failed?.causes?.map(({ name }) => name);
    expect([failed?.id, names?.indexOf("clientCertificate")]).toEqual(
      version === "TLSv1.3" ? ["gateway.connect", 0] : ["upstream.tls", 1],
    );
  },
);
