import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fate } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { Journal } from "../../src/spool/journal.ts";
import { endOf, family, singleKey } from "../../src/spool/keys.ts";
import type { SpoolRecord } from "../../src/spool/spool.ts";
import { append } from "./append.ts";
import { auditStore } from "./audit-spool.ts";
import { arrival, ledgerOf, textsOf } from "./describe-spool.ts";
import { type Disk, failingDisk } from "./failing-disk.ts";

const delivered = { kind: "delivered" } as const;
const device = "A" as DeviceId;

let disk: Disk;
let journal: Journal;
beforeEach(() => {
  disk = failingDisk();
  journal = new Journal(disk, { name: "spool", maxBytes: 1000, whenFull: "refuse", capacity: 2 ** 30 });
});
afterEach(() => journal.close());

/** Begins to append; `outcome` tells whether it was synced. */
function begin(text: string, more: Parameters<typeof arrival>[1] = {}) {
  let record: SpoolRecord | undefined;
  const gateway = journal.gateway("gw");
  const outcome = new Promise<"synced" | "refused">((resolve) => {
    record = gateway.append(arrival(text, more), (error) => resolve(error === undefined ? "synced" : "refused"));
  });
  if (record === undefined) throw new Error("it was refused at once");
  return { record, outcome };
}

/** Resolves when the disk has a transaction in its hands. */
async function begun(): Promise<void> {
  const { tried } = disk;
  while (disk.tried === tried) await new Promise(setImmediate);
}

function blocks(): number {
  const prefix = singleKey(family.block);
  return [...disk.scan(prefix, endOf(prefix))].length;
}

/** The ledger as it is after a restart. */
function ledgerOnDisk() {
  const after = new Journal(disk, { name: "spool", maxBytes: 1000, whenFull: "refuse", capacity: 2 ** 30 });
  return after.gateway("gw").ledger;
}

test("a record that goes before its transaction is begun is counted, and not written", async () => {
  const gateway = journal.gateway("gw");
  const { record, outcome } = begin("one");
  const other = begin("two");
  gateway.settle({ seq: record.seq, index: 0 }, delivered);
  expect(record.isOpen(0)).toBe(false);
  expect(await outcome).toBe("synced");
  await other.outcome;
  expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["two"]);
  expect(ledgerOnDisk()).toEqual(ledgerOf({ received: 2, delivered: 1, pending: 1 }));
  gateway.settle({ seq: other.record.seq, index: 0 }, delivered);
  await journal.flushed();
  const third = begin("three");
  gateway.settle({ seq: third.record.seq, index: 0 }, delivered);
  await third.outcome;
  expect([blocks(), journal.waitingBytes]).toEqual([0, 0]);
  expect(auditStore(disk).mistakes).toEqual([]);
});

test("a record that goes while its transaction is synced is taken out by the next", async () => {
  const gateway = journal.gateway("gw");
  const { record, outcome } = begin("one");
  await begun();
  gateway.settle({ seq: record.seq, index: 0 }, delivered);
  expect(await outcome).toBe("synced");
  expect(gateway.read(0, 10, 1000)).toEqual([]);
  await journal.flushed();
  expect([blocks(), journal.waitingBytes]).toEqual([0, 0]);
  expect(ledgerOnDisk()).toEqual(ledgerOf({ received: 1, delivered: 1 }));
});

test("what is parked or set aside before it is synced is found, listed and released", async () => {
  const gateway = journal.gateway("gw");
  const { record, outcome } = begin("one", { count: 3 });
  const fates: readonly Fate[] = [
    { kind: "parked", device },
    { kind: "held", device, reason: "refused" },
    { kind: "quarantined", reason: "poison" },
  ];
  for (const [index, fate] of fates.entries()) gateway.settle({ seq: record.seq, index }, fate);
  expect(gateway.list({}, 10).map(({ ref, fate }) => [ref.index, fate.kind])).toEqual([
    [1, "held"],
    [2, "quarantined"],
  ]);
  expect(gateway.find(record.seq, 2).map((entry) => entry.record)).toEqual([record]);
  expect(gateway.release(device, 10).map((released) => [released.record, released.index])).toEqual([
    [record, 0],
    [record, 1],
  ]);
  expect(await outcome).toBe("synced");
  expect(gateway.ledger).toEqual(ledgerOf({ received: 3, pending: 2, quarantined: 1 }));
  expect(ledgerOnDisk()).toEqual(gateway.ledger);
  expect(auditStore(disk).mistakes).toEqual([]);
});

describe.each([
  ["in a transaction", false],
  ["before a transaction", true],
])("a disk that fails %s", (_, isProbed) => {
  test.each([
    ["before its transaction is begun", false],
    ["while it is written", true],
  ])("leaves nothing of a record that had its fates %s", async (_, isBegun) => {
    const gateway = journal.gateway("gw");
    disk.failures = 1;
    disk.isProbed = isProbed;
    const { record, outcome } = begin("one", { count: 5 });
    // Where the probe finds the failure, no transaction is begun.
    if (isBegun && !isProbed) await begun();
    const fates: readonly Fate[] = [
      delivered,
      { kind: "dropped", reason: "gone" },
      { kind: "held", device, reason: "refused" },
      { kind: "quarantined", reason: "poison" },
    ];
    for (const [index, fate] of fates.entries()) gateway.settle({ seq: record.seq, index }, fate);
    expect(await outcome).toBe("refused");
    gateway.settle({ seq: record.seq, index: 4 }, delivered);
    expect(record.isOpen(4)).toBe(false);
    expect(gateway.ledger).toEqual(ledgerOf({}));
    expect([gateway.waitingDevices(), gateway.list({}, 10), gateway.find(record.seq)]).toEqual([[], [], []]);
    await journal.flushed();
    await append(gateway, arrival("two"));
    expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["two"]);
    expect(ledgerOnDisk()).toEqual(ledgerOf({ received: 1, pending: 1 }));
    expect(journal.waitingBytes).toBe(3);
    expect(auditStore(disk).mistakes).toEqual([]);
  });
});

test("dropOldest: what is on its way to the disk and to the cloud is passed over, and what waits is told of", async () => {
  journal = new Journal(disk, { name: "spool", maxBytes: 8, whenFull: "dropOldest", capacity: 2 ** 30 });
  const gateway = journal.gateway("gw");
  const told: number[] = [];
  const sending = new Set<number>();
  gateway.sentBy({ sending: () => sending, dropped: (seqs) => told.push(...seqs) });
  const first = begin("aaaa");
  sending.add(first.record.seq);
  const second = begin("bbbb");
  const third = begin("cccc");
  expect(told).toEqual([second.record.seq]);
  expect([first, second, third].map(({ record }) => record.isOpen(0))).toEqual([true, false, true]);
  await Promise.all([first.outcome, second.outcome, third.outcome]);
  expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["aaaa", "cccc"]);
  expect(gateway.ledger).toEqual(ledgerOf({ received: 3, pending: 2, dropped: { full: 1 } }));
});
