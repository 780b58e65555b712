import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ecIdentity } from "../cloud/identity.ts";
import { type Authority, createAuthority } from "../local/certificates.ts";
import { type Diagnosed, diagnose } from "./diagnose.ts";
import { openTenantPlant, tenantToken } from "./tenant-plant.ts";
import { openTlsPlant } from "./tls-plant.ts";

let authority: Authority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

/** Whether the machine that the tests run on keeps its clock is not their matter. */
const doubts = ({ steps }: Diagnosed) => steps.filter(({ outcome, id }) => outcome !== "ok" && id !== "clock");
const idsOf = ({ steps }: Diagnosed) => steps.map(({ id }) => id);

const everywhere = [
  "config",
  "bridge",
  "local.listen",
  "admin.listen",
  "spool",
  "clock",
  "upstream.ca",
  "upstream.tcp",
];

describe.each(["google", "clearblade", "omnicore"] as const)("doctor in front of %s", (dialect) => {
  test("finds a set-up in order, step by step, and tells nobody", async () => {
    const plant = await openTlsPlant({ dialect, authority, bound: ["Device%20A"] });
    plant.cloud.setConfig("gw-01", "{}");
    const found = await diagnose(plant.configFile, "--device", "Device A");
    expect(doubts(found)).toEqual([]);
    expect(idsOf(found)).toEqual([
      ...[...everywhere, "upstream.tls", "gateway.identity", "gateway.connect", "gateway.subscribe"],
      ...["gateway.stay", "gateway.attach", "gateway.clock"],
    ]);
    expect(plant.cloud.attached("gw-01")).toEqual([]);
    expect(plant.cloud.isConnected("gw-01")).toBe(false);
    // The bridge has to get the configuration and to say that it was taken.
    expect(plant.cloud.deviceOf("gw-01")?.configs.map(({ acknowledgedAt }) => acknowledgedAt)).toEqual([
      undefined,
      undefined,
    ]);
    expect(plant.cloud.received().map(({ kind }) => kind)).toEqual(["attach"]);
    for (const secret of [plant.tokenOf("gw-01"), plant.keyOf("gw-01").split("\n")[1] as string, "eyJ"]) {
      expect(found.text).not.toContain(secret);
    }
  });
});

test.each([5, 4])("doctor in front of ThingsBoard by MQTT level %i finds a set-up in order", async (protocol) => {
  const { configFile, tenant } = await openTenantPlant({
    upstream: { protocol },
    authority: authority.certificate,
    tenant: { listen: ["mqtts://127.0.0.1:0"], tls: authority.issue("tenant") },
  });
  const found = await diagnose(configFile, "--device", "Device A");
  expect(doubts(found)).toEqual([]);
  expect(idsOf(found)).toEqual([
    ...[...everywhere, "upstream.tls", "gateway.identity", "gateway.connect", "gateway.subscribe"],
    ...["gateway.stay", "gateway.limits", "gateway.attach"],
  ]);
  expect(tenant.attached("gw-01")).toEqual([]);
  expect(found.text).not.toContain(tenantToken);
});

test("doctor in front of ThingsBoard, behind which stands a gateway of IoT Core: its keys count", async () => {
  const { configFile } = await openTenantPlant({
    local: {
      section: { dialect: "google", project: "acme-iot", location: "us-central1", registry: "plant-1" },
      gateway: { publicKeys: [ecIdentity().publicPem] },
    },
  });
  const found = await diagnose(configFile);
  expect(doubts(found)).toEqual([]);
  expect(found.step("local.publicKeys").found).toBe("1 owner of keys, each with one that counts");
});
