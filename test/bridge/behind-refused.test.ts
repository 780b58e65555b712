import { afterEach, beforeEach, expect, test } from "vitest";
import { Inbox } from "../../src/local/inbox.ts";
import type { Wire } from "../../src/local/wire.ts";
import { Journal } from "../../src/spool/journal.ts";
import { ledgerOf } from "../spool/describe-spool.ts";
import { type Disk, failingDisk } from "../spool/failing-disk.ts";
import { client, type LinkSetup, linkOver, until } from "./link-over-disk.ts";

// What a gateway sent behind a packet that was refused, and what was waiting then: it comes again behind that packet.

const maxBytes = 1000;

let disk: Disk;
let journal: Journal;
let opened: ReturnType<typeof linkOver> | undefined;
beforeEach(() => {
  disk = failingDisk();
  journal = new Journal(disk, { name: "spool", maxBytes, whenFull: "refuse", capacity: 2 ** 30 });
});
afterEach(async () => {
  await opened?.link.close(0);
  await journal.close();
});

function openLink(setup?: LinkSetup) {
  opened = linkOver(journal, setup);
  return opened;
}

/** A connection of the gateway as the listener reads it; the first one has been told to the link. */
function connect({ connection = 1 } = {}) {
  const from = { ...client, connection };
  const acknowledged: number[] = [];
  let isEnded = false;
  const inbox = new Inbox({
    client: from,
    wire: { acknowledge: (_type: number, id: number) => acknowledged.push(id) } as unknown as Wire,
    publish: (packet, exchange) => opened?.link.publish(from, packet, exchange),
    end: () => end(),
    answered: () => undefined,
  });
  const end = () => {
    isEnded = true;
    inbox.close();
    opened?.link.localDisconnected(from);
  };
  if (connection > 1) opened?.link.localConnected(from);
  return {
    acknowledged,
    client: from,
    end,
    inbox,
    get isEnded() {
      return isEnded;
    },
    /** The packet id is the number that it holds. */
    say(topic: string, body: unknown, { q, qos = 1 }: { q: number; qos?: 0 | 1 }) {
      inbox.accept({ topic, payload: Buffer.from(JSON.stringify(body)), qos }, q);
    },
  };
}

/** Has the disk take until the function is called. */
function hold(): () => void {
  let release = () => {};
  disk.held = new Promise((resolve) => {
    release = resolve;
  });
  return release;
}

async function delivered(count: number): Promise<void> {
  await until(() => {
    opened?.answer();
    return journal.ledger().delivered >= count && journal.ledger().pending === 0;
  });
  await journal.flushed();
}

type Connected = ReturnType<typeof connect>;

function telemetry(from: Connected, numbers: readonly number[], qos: 0 | 1 = 1): void {
  for (const q of numbers) from.say("v1/gateway/telemetry", { A: [{ ts: q, values: { q } }] }, { q, qos });
}

/** A link that comes to rest: packet 2 is on its way to the disk, and behind it 3 and, at QoS 0, 4 wait for another link. */
async function restingBehind() {
  const { link, published, answer, replace } = openLink();
  const first = connect();
  telemetry(first, [1]);
  await delivered(1);
  const release = hold();
  telemetry(first, [2]);
  await until(() => published.length === 2);
  answer();
  const atRest = link.rest({ withinMs: 0, isLast: false });
  telemetry(first, [3]);
  telemetry(first, [4], 0);
  return { atRest, first, published, release, replace };
}

test.each([
  ["", () => undefined],
  [", also if the gateway has gone", (first: Connected) => first.end()],
])("what waits for another link is let go when a packet before it is refused%s", async (_, leave) => {
  const { atRest, first, published, release, replace } = await restingBehind();
  expect(journal.ledger().received).toBe(2);
  leave(first);
  disk.failures = 1;
  release();
  await atRest;
  expect(first.isEnded).toBe(true);
  await until(() => journal.trouble === undefined);
  replace();
  const second = connect({ connection: 2 });
  telemetry(second, [2, 3]);
  await delivered(3);
  expect(published).toEqual([1, 2, 2, 3]);
  expect([first.acknowledged, second.acknowledged]).toEqual([[1], [2, 3]]);
  expect(journal.ledger()).toEqual(ledgerOf({ received: 3, delivered: 3 }));
  // Nothing is taken for being under way.
  await opened?.link.rest({ withinMs: 0, isLast: false });
});

test.each([
  ["has gone", (first: Connected) => first.end()],
  ["is to be closed for what came later", ({ inbox }: Connected) => inbox.reject(0x82)],
])("what waits for another link is taken though its gateway %s", async (_, leave) => {
  const { atRest, first, published, release, replace } = await restingBehind();
  leave(first);
  expect(journal.ledger().received).toBe(2);
  release();
  await atRest;
  replace(first.isEnded ? undefined : first.client);
  await delivered(4);
  expect(published).toEqual([1, 2, 3, 4]);
  expect(first.isEnded).toBe(true);
});

test("what waits for a device's token to be looked at is let go when a packet before it is refused", async () => {
  const looks: (() => void)[] = [];
  let isPatient = true;
  const { link, published, replace } = openLink({
    dialect: "google",
    registry: {
      isGateway: true,
      aliases: [],
      needsBinding: false,
      needsToken: true,
      isElsewhere: () => false,
    },
    verifyDevice: async () => {
      if (isPatient) await new Promise<void>((resolve) => looks.push(resolve));
      return undefined;
    },
  });
  const attach = (from: Connected, q: number, device: string) =>
    from.say(`/devices/${device}/attach`, { authorization: "token" }, { q });
  const say = (from: Connected, q: number, { bytes }: { bytes: number }) =>
    from.say("/devices/device-1/events", [{ values: { q }, fill: "x".repeat(bytes) }], { q });
  const first = connect();
  attach(first, 1, "device-1");
  looks.shift()?.();
  await delivered(1);

  // The next one is refused as there is no room for it yet; it is told so when the one before has its answer.
  const release = hold();
  say(first, 2, { bytes: 600 });
  attach(first, 3, "device-2");
  say(first, 4, { bytes: 600 });
  attach(first, 5, "device-3");
  say(first, 6, { bytes: 0 });
  expect(looks.length).toBe(1);
  looks.shift()?.();
  await until(() => looks.length === 1);
  expect(journal.ledger().received).toBe(3);
  looks.shift()?.();
  const atRest = link.rest({ withinMs: 60_000, isLast: false });
  await until(() => {
    opened?.answer();
    return journal.ledger().delivered === 3;
  });
  expect([first.isEnded, first.acknowledged]).toEqual([false, [1]]);
  release();
  await atRest;
  expect([first.isEnded, first.acknowledged]).toEqual([true, [1, 2, 3]]);
  expect(journal.ledger()).toEqual(ledgerOf({ received: 3, delivered: 3 }));
  replace();
  isPatient = false;
  const second = connect({ connection: 2 });
  attach(second, 7, "device-1");
  say(second, 4, { bytes: 600 });
  attach(second, 5, "device-3");
  say(second, 6, { bytes: 0 });
  await delivered(7);
  expect(published).toEqual([2, 4, 6]);
});
