import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { DeviceId } from "../../src/message/message.ts";
import { Journal } from "../../src/spool/journal.ts";
import { openSpool } from "../../src/spool/spool.ts";
import { append } from "./append.ts";
import { arrival } from "./describe-spool.ts";
import { type Disk, failingDisk } from "./failing-disk.ts";

const delivered = { kind: "delivered" } as const;
const mebibyte = 1024 * 1024;

function openOn(disk: Disk): Journal {
  return new Journal(disk, { name: "spool", maxBytes: 2 ** 23, whenFull: "refuse", capacity: 2 ** 30 });
}

test("a spool that keeps some of much that comes has the room that it promises, and drops no more than it must", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dragoman-thin-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const maxBytes = 2 * mebibyte;
  const spool = await openSpool({ directory, maxBytes, whenFull: "dropOldest" });
  onTestFinished(() => spool.close());
  const gateway = spool.gateway("gw");
  const payload = "x".repeat(300);
  while ((spool.ledger().dropped.full ?? 0) === 0) {
    const records = await Promise.all(Array.from({ length: 3000 }, () => append(gateway, arrival(payload))));
    for (const [index, { seq }] of records.entries()) {
      if (index % 16 !== 0) gateway.settle({ seq, index: 0 }, delivered);
    }
    await spool.flushed();
  }
  // A transaction of 3000 messages needs 0.9 of the 2 MiB.
  expect(spool.waitingBytes).toBeGreaterThan(maxBytes / 4);
  expect((await stat(join(directory, "data.mdb"))).size).toBeLessThan(2 * maxBytes + 8 * mebibyte);
});

test("blocks that lie across one another cost no more to open for what the others hold", async () => {
  const disk = failingDisk();
  const journal = openOn(disk);
  const ids = Array.from({ length: 100 }, (_, index) => `gw-${index}`);
  const parked = { kind: "parked", device: "A" as DeviceId } as const;
  const records = await Promise.all(
    [0, 1, 2].flatMap(() =>
      ids.map((id) => append(journal.gateway(id), arrival("{}", { count: 2, fates: new Map([[0, parked]]) }))),
    ),
  );
  await journal.flushed();
  let looks = 0;
  const counted: Disk = {
    ...disk,
    get(key) {
      looks++;
      return disk.get(key);
    },
    *scan(start, end) {
      for (const entry of disk.scan(start, end)) {
        looks++;
        yield entry;
      }
    },
  };
  openOn(counted);
  expect(looks).toBeGreaterThan(records.length);
  expect(looks).toBeLessThan(3 * records.length);
});

test("a block that cannot be read when it is to be written anew stays as it is, and nobody waits for ever", async () => {
  const disk = failingDisk();
  let isBroken = false;
  const broken: Disk = {
    ...disk,
    get(key) {
      if (isBroken) throw new Error("a page is damaged");
      return disk.get(key);
    },
  };
  const journal = openOn(broken);
  const gateway = journal.gateway("gw");
  const [first] = await Promise.all(["0", "1", "2"].map((text) => append(gateway, arrival(text))));
  gateway.settle({ seq: first?.seq ?? 0, index: 0 }, delivered);
  gateway.settle({ seq: (first?.seq ?? 0) + 1, index: 0 }, delivered);
  isBroken = true;
  // It is written anew once nothing went from it for 64 transactions.
  for (let count = 0; count < 80; count++) await append(journal.gateway("other"), arrival("more"));
  isBroken = false;
  expect(gateway.read(0, 10, 1000).map(({ packet }) => Buffer.from(packet.payload).toString())).toEqual(["2"]);
});
