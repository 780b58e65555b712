import type { FaultProxy } from "../fault-proxy.ts";
import { between } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { lasting, polled } from "../waiting.ts";
import type { World } from "../world.ts";

export const outage: Scenario = {
  name: "outage",
  about:
    "in turn: closed and refused, reset and refused, a black hole for old and new connections, 300 ms of delay; 50 to 500 ms long",
  world: { upstream: { connectTimeout: "1s", keepalive: "2s" } },
  rounds: { short: 4, full: 20 },
  async round({ upstream, journal, random, recover }, round) {
    await journal.flowing(between(random, 1, 100));
    const kind = outages[round % outages.length] ?? closed;
    const end = await kind(upstream);
    await lasting(between(random, 50, 500));
    await end();
    await recover();
  },
};

const outages = [closed, broken, swallowed, slow];

async function closed(proxy: FaultProxy) {
  proxy.refuse();
  proxy.cut();
  return proxy.admit;
}

async function broken(proxy: FaultProxy) {
  proxy.refuse();
  proxy.reset();
  return proxy.admit;
}

async function swallowed(proxy: FaultProxy) {
  proxy.ignoreNewcomers(true);
  proxy.swallow();
  return async () => {
    proxy.ignoreNewcomers(false);
    proxy.reset();
  };
}

async function slow(proxy: FaultProxy) {
  proxy.delayMs = 300;
  return async () => {
    proxy.delayMs = 0;
  };
}

export const halfOpen: Scenario = {
  name: "half-open",
  about:
    "connections stay open and carry nothing any more: upstream both ways, towards the cloud, from the cloud, and those of the gateways; found by a keepalive of 2 s and a gateway's patience of 2 s",
  world: { upstream: { keepalive: "2s" }, patienceMs: 2000 },
  rounds: { short: 2, full: 8 },
  async round(world, round) {
    const { upstream, local, journal, random } = world;
    await journal.flowing(between(random, 1, 100));
    const sinceMs = performance.now();
    const kind = halfOpenings[round % halfOpenings.length];
    if (kind === "local") {
      const given = world.gateways.map(({ losses }) => losses);
      local.swallow();
      await polled(
        async () => world.gateways.filter(({ losses }, index) => losses > (given[index] ?? 0)).length,
        (count) => count === world.gateways.length,
      );
    } else {
      const again = reconnected(world);
      upstream.swallow(kind === "both" ? undefined : kind);
      await again;
    }
    await world.recover(sinceMs);
  },
};

const halfOpenings = ["down", "local", "both", "up"] as const;

export const reset: Scenario = {
  name: "reset mid-packet",
  about:
    "a connection breaks off within a packet: towards the cloud, from the cloud, from a gateway, towards a gateway",
  rounds: { short: 4, full: 20 },
  async round({ upstream, local, journal, random, recover }, round) {
    await journal.flowing(between(random, 1, 50));
    const proxy = round % 4 < 2 ? upstream : local;
    await proxy.resetMidPacket(round % 2 === 0 ? "up" : "down");
    await recover();
  },
};

/** Resolves when every gateway has a new connection in the cloud. */
async function reconnected({ cloud, gateways }: World): Promise<void> {
  const last = cloud.records.at(-1);
  await Promise.all(gateways.map(({ id }) => cloud.next("connected", ({ device }) => device === id, last)));
}
