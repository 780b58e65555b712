import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { imbalanceOf } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { Journal } from "../../src/spool/journal.ts";
import { append } from "./append.ts";
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

test("oldestPendingMs() finds what an earlier run parked", async () => {
  const gateway = journal.gateway("gw");
  const { seq } = await append(gateway, arrival("one", { arrivedMs: 100 }));
  await append(gateway, arrival("two", { arrivedMs: 200 }));
  gateway.settle({ seq, index: 0 }, { kind: "parked", device });
  await journal.flushed();
  expect((await reopened()).gateway("gw").oldestPendingMs()).toBe(100);
});

describe.each([
  ["in a transaction", false],
  ["before a transaction", true],
])("a disk that fails %s", (_, isProbed) => {
  beforeEach(() => {
    disk.isProbed = isProbed;
  });

  test("a transaction that fails rejects its appends and counts, and leaves nothing of them", async () => {
    const gateway = journal.gateway("gw");
    disk.failures = 1;
    const fates = new Map([[1, { kind: "held" as const, device, reason: "r" }]]);
    const results = await Promise.allSettled([
      append(gateway, arrival("one", { count: 2, fates })),
      append(gateway, arrival("two", { fates: new Map([[0, { kind: "dropped", reason: "empty" }]]) })),
      gateway.count(3, { kind: "dropped", reason: "unknownTopic" }),
    ]);
    expect(
      results.map((result) => result.status === "rejected" && [result.reason.code, result.reason.message]),
    ).toEqual(Array.from({ length: 3 }, () => ["ERR_SPOOL_FAILED", 'Cannot write to spool "spool": the disk is gone']));
    expect(journal.trouble).toMatchObject({ code: "ERR_SPOOL_FAILED" });
    expect(gateway.ledger).toEqual(ledgerOf({}));
    expect(journal.waitingBytes).toBe(0);
    expect([gateway.read(0, 10, 1000), gateway.waitingDevices(), gateway.list({}, 10)]).toEqual([[], [], []]);
    await journal.flushed();
    expect(journal.trouble).toBeUndefined();
    await append(gateway, arrival("three"));
    expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["three"]);
    expect((await reopened()).gateway("gw").ledger).toEqual(ledgerOf({ received: 1, pending: 1 }));
  });

  test("what was settled, put and counted while the disk fails is written when it works again", async () => {
    const gateway = journal.gateway("gw");
    const records = await Promise.all(["0", "1", "2"].map((text) => append(gateway, arrival(text, { count: 2 }))));
    const [first, second, third] = records.map(({ seq }) => seq) as [number, number, number];
    disk.failures = 2;
    for (const index of [0, 1]) gateway.settle({ seq: first, index }, delivered);
    gateway.settle({ seq: second, index: 0 }, { kind: "held", device, reason: "r" });
    gateway.put("fact", "old");
    gateway.countDown("received", 1);
    await expect(journal.flushed()).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
    gateway.settle({ seq: first, index: 1 }, { kind: "dropped", reason: "gone" });
    gateway.settle({ seq: third, index: 0 }, { kind: "parked", device });
    gateway.put("fact", "new");
    await expect(journal.flushed()).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
    expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["1", "2"]);
    await journal.flushed();
    const after = (await reopened()).gateway("gw");
    expect(after.ledger).toEqual(
      ledgerOf({
        received: 6,
        delivered: 2,
        pending: 3,
        held: 1,
        down: { received: 1, delivered: 0, pending: 1, dropped: {} },
      }),
    );
    expect([...after.entries()]).toEqual([["fact", "new"]]);
    expect(after.waitingDevices()).toEqual([{ device, held: 1, parked: 1, reason: "r" }]);
    expect(textsOf(after.read(0, 10, 1000))).toEqual(["1", "2"]);
  });

  test("what failed is tried again by itself", async () => {
    const gateway = journal.gateway("gw");
    const { seq } = await append(gateway, arrival("x"));
    disk.failures = 1;
    gateway.settle({ seq, index: 0 }, delivered);
    await expect(journal.flushed()).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
    const { commit } = disk;
    await new Promise<void>((resolve) => {
      disk.commit = async () => {
        await commit();
        resolve();
      };
    });
    expect((await reopened()).gateway("gw").ledger).toEqual(ledgerOf({ received: 1, delivered: 1 }));
  });

  test("after a failure the rest is tried without new records, so that they cannot keep it from being written", async () => {
    const gateway = journal.gateway("gw");
    const { seq } = await append(gateway, arrival("x"));
    disk.failures = 1;
    gateway.settle({ seq, index: 0 }, delivered);
    await expect(append(gateway, arrival("y"))).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
    await expect(append(gateway, arrival("z"))).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
    await append(gateway, arrival("works"));
    expect((await reopened()).gateway("gw").ledger).toEqual(ledgerOf({ received: 2, delivered: 1, pending: 1 }));
  });
});

test("a full disk refuses records, and takes everything else", async () => {
  const gateway = journal.gateway("gw");
  const { seq } = await append(gateway, arrival("x"));
  disk.isFull = true;
  gateway.settle({ seq, index: 0 }, delivered);
  const { tried } = disk;
  const fates = new Map([[0, { kind: "quarantined" as const, reason: "r" }]]);
  await expect(append(gateway, arrival("y", { fates }))).rejects.toMatchObject({
    code: "ERR_SPOOL_FAILED",
    message: 'Cannot write to spool "spool": the disk is full',
  });
  await journal.flushed();
  expect(disk.tried).toBe(tried + 1);
  expect(journal.trouble).toMatchObject({ code: "ERR_SPOOL_FAILED" });
  expect((await reopened()).gateway("gw").ledger).toEqual(ledgerOf({ received: 1, delivered: 1 }));
  disk.isFull = false;
  await append(gateway, arrival("z"));
  expect(journal.trouble).toBeUndefined();
  expect(gateway.list({}, 10)).toEqual([]);
});

test("dropOldest: what is dropped while it is being written is taken back with it when that fails", async () => {
  journal = new Journal(disk, { name: "spool", maxBytes: 4, whenFull: "dropOldest", capacity: 2 ** 30 });
  const gateway = journal.gateway("gw");
  disk.failures = 1;
  const { tried } = disk;
  const writing = Promise.allSettled([append(gateway, arrival("aaaa"))]);
  while (disk.tried === tried) await new Promise(setImmediate);
  const next = Promise.allSettled([append(gateway, arrival("bbbb")), append(gateway, arrival("cccc"))]);
  expect((await writing)[0].status).toBe("rejected");
  await next;
  await journal.flushed();
  expect(imbalanceOf(gateway.ledger)).toBe(0);
  await append(gateway, arrival("dddd"));
  expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["dddd"]);
  expect(journal.waitingBytes).toBe(4);
  expect((await reopened()).waitingBytes).toBe(4);
});

test("what several turns ask for while one transaction is synced is one transaction", async () => {
  const gateway = journal.gateway("gw");
  const before = disk.tried;
  const first = append(gateway, arrival("0"));
  while (disk.tried === before) await new Promise(setImmediate);
  const { tried } = disk;
  const more = Array.from({ length: 50 }, (_, index) => append(gateway, arrival(String(index))));
  await first;
  await Promise.all(more);
  expect(disk.tried).toBe(tried + 1);
});

test("ten messages of one packet that are settled in one turn cost one removal", async () => {
  const gateway = journal.gateway("gw");
  const { seq } = await append(gateway, arrival("x", { count: 10 }));
  const written: string[] = [];
  const { put, remove } = disk;
  disk.put = (key, value) => {
    written.push(`put ${key[0]}`);
    put(key, value);
  };
  disk.remove = (key) => {
    written.push(`remove ${key[0]}`);
    remove(key);
  };
  for (let index = 0; index < 10; index++) gateway.settle({ seq, index }, delivered);
  await journal.flushed();
  expect(written).toEqual(["remove 255", "put 2", "put 1"]);
});

/** A second journal over the same store, as after a restart. */
async function reopened(): Promise<Journal> {
  return new Journal(disk, { name: "spool", maxBytes: 1000, whenFull: "refuse", capacity: 2 ** 30 });
}
