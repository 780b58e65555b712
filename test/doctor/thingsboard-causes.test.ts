import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
