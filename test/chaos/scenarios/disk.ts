import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { BridgeProcess } from "../bridge-process.ts";
import { between } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { lasting, polled } from "../waiting.ts";
import type { World } from "../world.ts";

export const fullSpool: Scenario = {
  name: "full spool",
  about: "the cloud is away until 64 KiB wait, gateways are refused, and a while later it is back",
  world: { spool: { maxBytes: "64KiB" }, padding: 200 },
  rounds: { short: 1, full: 8 },
  async round(world) {
    const { upstream, random } = world;
    upstream.refuse();
    upstream.cut();
    await everyoneRefused(world);
    await lasting(between(random, 50, 300));
    await upstream.admit();
    await world.recover();
  },
};

/**
 * lmdb may end the process when a write fails that it has begun already (`lmdb-store.ts`); then what counts is that a
 * supervisor can start it again.
 */
export const failingDisk: Scenario = {
  name: "failing disk",
  about: "no file can be written any more; gateways are refused, health says so, and a while later it works again",
  rounds: { short: 1, full: 8 },
  mayEnd: true,
  async round(world) {
    const { journal, random, bridge } = world;
    await journal.flowing(between(random, 1, 100));
    await limitFiles(bridge.pid, "0");
    await everyoneRefused(world);
    await healthOf(bridge, false);
    await lasting(between(random, 50, 300));
    if (!bridge.hasEnded) await limitFiles(bridge.pid, "unlimited");
    await world.recover();
    await healthOf(world.bridge, true);
  },
};

/** Resolves when the bridge says so of itself, or does not say anything any more. */
async function healthOf(bridge: BridgeProcess, isHealthy: boolean): Promise<void> {
  await polled(
    () =>
      bridge.status().then(
        ({ healthy }) => healthy,
        () => false,
      ),
    (healthy) => healthy === isHealthy,
  );
}

/** Resolves when every gateway has lost its connection once more. */
async function everyoneRefused({ gateways }: World): Promise<void> {
  const given = gateways.map(({ losses }) => losses);
  await polled(
    async () => gateways.filter(({ losses }, index) => losses > (given[index] ?? 0)).length,
    (count) => count === gateways.length,
  );
}

/** The length of the files that a process may write, in bytes; beyond that writing fails as on a full disk (EFBIG). */
async function limitFiles(pid: number, bytes: "0" | "unlimited"): Promise<void> {
  await promisify(execFile)("prlimit", ["--pid", String(pid), `--fsize=${bytes}:`]);
}
