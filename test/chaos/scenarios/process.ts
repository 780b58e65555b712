import { between } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { inFlight } from "../world.ts";

export const kill: Scenario = {
  name: "kill -9",
  about: "the process is killed under load and started again",
  rounds: { short: 2, full: 20 },
  // Of what the cloud has acknowledged, the last may not have been written down yet.
  repeatable: 4 * inFlight,
  async round(world) {
    await world.journal.flowing(between(world.random, 1, 200));
    const sinceMs = performance.now();
    await world.restart("SIGKILL");
    await world.recover(sinceMs);
  },
};

export const stop: Scenario = {
  name: "SIGTERM",
  about: "the process is stopped under load, sends what it still can, and is started again",
  rounds: { short: 1, full: 10 },
  repeatable: 0,
  async round(world) {
    await world.journal.flowing(between(world.random, 1, 200));
    const sinceMs = performance.now();
    const code = await world.restart("SIGTERM");
    if (code !== 0) throw new Error(`it ended with ${code}, wanted 0`);
    await world.recover(sinceMs);
  },
};
