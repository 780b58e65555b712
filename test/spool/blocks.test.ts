import { expect, test } from "vitest";
import type { Fate, MessageRef } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { isBlock, placesIn } from "../../src/spool/block-codec.ts";
import { Journal } from "../../src/spool/journal.ts";
import { endOf, family, singleKey } from "../../src/spool/keys.ts";
import type { GatewaySpool } from "../../src/spool/spool.ts";
import { append } from "./append.ts";
import { auditStore } from "./audit-spool.ts";
import { arrival, textsOf } from "./describe-spool.ts";
import { type Disk, failingDisk } from "./failing-disk.ts";
import { numbersOf } from "./numbers.ts";

const delivered = { kind: "delivered" } as const;
const devices = ["A", "B", "C"] as DeviceId[];

function openOn(disk: Disk, more: { capacity?: number } = {}): Journal {
  return new Journal(disk, {
    name: "spool",
    maxBytes: 2 ** 23,
    whenFull: "refuse",
    capacity: 2 ** 30,
    span: 64,
    ...more,
  });
}

function blocksOf(disk: Disk): readonly Buffer[] {
  const blocks = singleKey(family.block);
  return [...disk.scan(blocks, endOf(blocks))].map(([, value]) => value);
}

test("what a gateway appends in one turn is one value; it goes when its last record does", async () => {
  const disk = failingDisk();
  const journal = openOn(disk);
  const gateway = journal.gateway("gw");
  const records = await Promise.all(
    ["0", "1", "2", "3"].flatMap((text) => [
      append(gateway, arrival(text)),
      append(journal.gateway("other"), arrival(`other ${text}`)),
    ]),
  );
  expect(blocksOf(disk).map((value) => [isBlock(value), placesIn(value).length])).toEqual([
    [true, 4],
    [true, 4],
  ]);
  const own = records.filter((_, index) => index % 2 === 0);
  for (const { seq } of own.slice(1)) gateway.settle({ seq, index: 0 }, delivered);
  await journal.flushed();
  expect(textsOf(openOn(disk).gateway("gw").read(0, 10, 1000))).toEqual(["0"]);
  gateway.settle({ seq: own[0]?.seq ?? 0, index: 0 }, delivered);
  await journal.flushed();
  expect(blocksOf(disk).length).toBe(1);
  expect(auditStore(disk).mistakes).toEqual([]);
  await journal.close();
});

test.each([
  ["after a while", 2 ** 30, 70],
  ["soon where room is tight", 2250, 10],
])("a block that lost records is written anew without them %s", async (_, capacity, transactions) => {
  const disk = failingDisk();
  const journal = openOn(disk, { capacity });
  const gateway = journal.gateway("gw");
  const fates = new Map([[0, { kind: "held", device: devices[0] as DeviceId, reason: "r" } as const]]);
  const texts = ["0", "1", "2", "3", "4", "5", "6", "7"];
  const records = await Promise.all(
    texts.map((text, index) => append(gateway, arrival(text.padEnd(100), index < 3 ? {} : { fates }))),
  );
  for (const { seq } of records.slice(0, 3)) gateway.settle({ seq, index: 0 }, delivered);
  await journal.flushed();
  expect(blocksOf(disk).map((value) => placesIn(value).length)).toEqual([8]);
  for (let more = 0; more < transactions; more++) {
    gateway.put("fact", String(more));
    await journal.flushed();
  }
  expect(blocksOf(disk).map((value) => placesIn(value).length)).toEqual([5]);
  expect(auditStore(disk).mistakes).toEqual([]);
  const after = openOn(disk).gateway("gw");
  expect(textsOf(after.list({}, 10).map(({ record }) => record))).toEqual(
    texts.slice(3).map((text) => text.padEnd(100)),
  );
  await journal.close();
});

test.each([1, 2, 3, 4, 5, 6])("law: what is on disk is what is in memory, whatever fails (seed %i)", async (seed) => {
  const random = numbersOf(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const disk = failingDisk();
  for (let run = 0; run < 3; run++) {
    const journal = openOn(disk);
    await work(journal, disk, below);
    disk.failures = 0;
    await journal.flushed().catch(() => journal.flushed());
    expect(auditStore(disk).mistakes).toEqual([]);
    const after = openOn(disk);
    for (const id of journal.gatewayIds()) {
      expect(viewOf(after.gateway(id))).toEqual(viewOf(journal.gateway(id)));
    }
    await journal.close();
  }
});

function viewOf(gateway: GatewaySpool): object {
  return {
    ledger: gateway.ledger,
    read: gateway
      .read(0, 1e6, 1e9)
      .map(({ seq, packet, count }) => [seq, count, Buffer.from(packet.payload).toString("latin1").slice(0, 20)]),
    list: gateway.list({}, 1e6).map(({ ref, fate }) => [ref, fate]),
    waiting: new Set(gateway.waitingDevices()),
  };
}

interface Message {
  readonly gateway: GatewaySpool;
  readonly ref: MessageRef;
}

/** Many turns of everything, on a disk that fails now and then. */
async function work(journal: Journal, disk: Disk, below: (limit: number) => number): Promise<void> {
  const gateways: readonly GatewaySpool[] = Array.from({ length: 4 }, (_, index) => journal.gateway(`gw-${index}`));
  const known: Message[] = gateways.flatMap((gateway) =>
    gateway
      .read(0, 1e6, 1e9)
      .flatMap((record) =>
        Array.from({ length: record.count }, (_, index) => ({ gateway, ref: { seq: record.seq, index } })),
      ),
  );
  for (let turn = 0; turn < 200; turn++) {
    if (below(15) === 0) {
      disk.failures = 1 + below(2);
      disk.isProbed = below(2) === 0;
    }
    for (let more = below(8); more > 0; more--) {
      const gateway = gateways[below(4)] as GatewaySpool;
      const fates = new Map<number, Fate>(below(4) === 0 ? [[0, { kind: "quarantined", reason: "shape" }]] : []);
      const count = 1 + below(3);
      const text = `${turn}`.padEnd(below(20) === 0 ? 5000 : 200);
      const seq = gateway.append(arrival(text, { count, fates }), () => undefined)?.seq;
      for (let index = 0; index < count && seq !== undefined; index++) known.push({ gateway, ref: { seq, index } });
    }
    for (let more = below(16); more > 0 && known.length > 0; more--) {
      const [{ gateway, ref }] = known.splice(below(known.length), 1) as [Message];
      gateway.settle(ref, fateFor(devices[below(3)] as DeviceId, below(8)));
    }
    const gateway = gateways[below(4)] as GatewaySpool;
    if (below(10) === 0) {
      const released = gateway.release(devices[below(3)] as DeviceId, 5);
      known.push(...released.map(({ record: { seq }, index }) => ({ gateway, ref: { seq, index } })));
    }
    if (below(10) === 0) for (const { ref } of gateway.list({}, 3)) gateway.retry(ref);
    if (below(20) === 0) for (const { ref } of gateway.list({ fate: "quarantined" }, 3)) gateway.discard(ref);
    const onDisk = known.findLast(({ ref }) => ref.seq <= gateway.lastSeq);
    if (below(20) === 0) gateway.reopen(onDisk?.ref.seq ?? 0, 2);
    // More turns within a transaction, while it is gathered and while it is written; and one that is over.
    if (below(3) > 0) await new Promise(setImmediate);
    else await journal.flushed().catch(() => undefined);
  }
}

function fateFor(device: DeviceId, kind: number): Fate {
  if (kind < 5) return delivered;
  if (kind === 5) return { kind: "held", device, reason: "refused" };
  return kind === 6 ? { kind: "parked", device } : { kind: "quarantined", device, reason: "poison" };
}
