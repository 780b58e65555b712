import { between, pick } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { polled } from "../waiting.ts";

export const refusals: Scenario = {
  name: "CONNECT refused",
  about: "every connection is closed, and the next attempts get CONNACK 3, CONNACK 5, and a close without one",
  rounds: { short: 1, full: 10 },
  async round({ cloud, gateways, upstream, journal, random, recover }) {
    await journal.flowing(between(random, 1, 100));
    const sinceMs = performance.now();
    cloud.faults.refuseConnects = gateways.flatMap(() => [3, 5, "close" as const]);
    upstream.cut();
    await recover(sinceMs);
  },
};

export const expiry: Scenario = {
  name: "token expiry",
  about:
    "tokens live for 5 s, clocks are not forgiven anything, and the connection changes before that; the gap is what counts",
  world: {
    upstream: { tokenLifetime: "5s" },
    cloud: { skewMs: 0, expiryGraceMs: 0 },
  },
  rounds: { short: 1, full: 6 },
  async round(world, round) {
    const { cloud, gateways } = world;
    const id = gateways[round % gateways.length]?.id;
    const isOfIt = ({ device }: { readonly device?: string }) => device === id;
    const closed = await cloud.next("closed", isOfIt, cloud.records.at(-1));
    const sinceMs = performance.now();
    await cloud.next("connected", isOfIt, closed);
    await world.recover(sinceMs);
  },
};

/** Connections that finding one message among thousands may cost. */
const mostCloses = 8;

export const poison: Scenario = {
  name: "poison",
  about: "a message that makes the cloud close the connection; it is to be found and set aside",
  rounds: { short: 1, full: 5 },
  async round(world, round) {
    const { cloud, gateways, journal, random, bridge } = world;
    let closes = 0;
    cloud.faults.closeOn = ({ payload }) => {
      const isPoison = payload.includes('"poison":true');
      if (isPoison) closes += 1;
      return isPoison;
    };
    await journal.flowing(between(random, 1, 50));
    const gateway = pick(random, gateways as [(typeof gateways)[number]]);
    const sinceMs = performance.now();
    gateway.say(pick(random, gateway.devices as [string]), { isPoison: true });
    await polled(bridge.ledger, ({ quarantined }) => quarantined > round);
    if (closes > mostCloses) throw new Error(`${closes} connections were closed for it, wanted at most ${mostCloses}`);
    await world.recover(sinceMs);
  },
};

export const refusedDevice: Scenario = {
  name: "refused device",
  about: "one device of each gateway is not bound to it, later is, and is unbound again; the others are to flow",
  world: { hasStranger: true },
  rounds: { short: 1, full: 3 },
  prepare(world) {
    for (const device of strangersOf(world)) world.journal.setApart(device, true);
  },
  async round(world, round) {
    const { cloud, gateways, journal } = world;
    const strangers = strangersOf(world);
    if (round > 0) {
      for (const device of strangers) journal.setApart(device, true);
      journal.interrupted();
      for (const [index, { id }] of gateways.entries()) cloud.unbind(id, strangers[index] as string);
    }
    await polled(world.bridge.ledger, ({ held }) => held > 0);
    await journal.flowing(200);
    await world.recover();
    for (const [index, gateway] of gateways.entries()) {
      const device = strangers[index] as string;
      journal.setApart(device, false);
      cloud.bind(gateway.id, device);
      gateway.present(device);
    }
    await world.recover();
  },
};

function strangersOf({ gateways }: { readonly gateways: readonly { readonly devices: readonly string[] }[] }) {
  return gateways.map(({ devices }) => devices.at(-1) as string);
}
