import type { Scenario } from "./scenario.ts";
import { expiry, poison, refusals, refusedDevice } from "./scenarios/cloud.ts";
import { failingDisk, fullSpool } from "./scenarios/disk.ts";
import { flapping } from "./scenarios/gateway.ts";
import { halfOpen, outage, reset } from "./scenarios/network.ts";
import { kill, stop } from "./scenarios/process.ts";

/** Everything that goes wrong, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  kill,
  stop,
  outage,
  halfOpen,
  reset,
  refusals,
  expiry,
  poison,
  refusedDevice,
  fullSpool,
  failingDisk,
  flapping,
];
