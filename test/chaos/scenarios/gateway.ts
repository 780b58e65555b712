import { between, pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";

export const flapping: Scenario = {
  name: "flapping gateway",
  about:
    "a gateway drops its connection, in the middle of things, in order, or by making a second one, and is back at once",
  rounds: { short: 6, full: 60 },
  async round({ gateways, journal, random, recover }) {
    await journal.flowing(between(random, 1, 50));
    const gateway = gateways[between(random, 0, gateways.length - 1)];
    gateway?.flap(pick(random, ["reset", "end", "takeover"]));
    await recover();
  },
};
