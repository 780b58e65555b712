import { expect, test } from "vitest";
import type { GatewayConfig } from "../../src/config.ts";
import { checkPublicKeys } from "../../src/doctor/check-public-keys.ts";
import { ecIdentity } from "../cloud/identity.ts";

const nowMs = Date.UTC(2027, 0, 1);
const dayMs = 86_400_000;
const { publicPem: key } = ecIdentity();

function gatewayWith(own: readonly number[], device: readonly number[] = []): GatewayConfig {
  const keys = (days: readonly number[]) => days.map((left) => ({ key, expires: nowMs + left * dayMs }));
  const devices = device.length === 0 ? {} : { devices: { "sensor-7": { publicKeys: keys(device) } } };
  return { id: "gw-01", local: { publicKeys: keys(own), ...devices } } as unknown as GatewayConfig;
}

test.each([
  { own: [-10, 300], device: [90], outcome: "ok" },
  { own: [10], device: [90], outcome: "warn" },
  { own: [90], device: [-1, -5], outcome: "fail" },
])("keys with $own days left, a device's with $device: $outcome", ({ own, device, outcome }) => {
  expect(checkPublicKeys(gatewayWith(own, device), nowMs)?.outcome).toBe(outcome);
});

test("says whose keys do not count any more, and since when", () => {
  expect(checkPublicKeys(gatewayWith([90], [-1]), nowMs)?.details).toEqual([
    'device "sensor-7": no key counts since 2026-12-31 00:00 UTC',
  ]);
});

test("says nothing of a gateway without keys", () => {
  expect(checkPublicKeys({ id: "gw-01", local: {} } as unknown as GatewayConfig, nowMs)).toBeUndefined();
});
