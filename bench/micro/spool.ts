import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { type Arrival, type GatewaySpool, openSpool, type Spool, type SpoolRecord } from "../../src/spool/spool.ts";
import type { Timing } from "../timing.ts";

const gateways = 50;
const perTurn = 1000;
const turns = 100;
const backlog = 100_000;

const arrival: Arrival = {
  packet: {
    topic: "v1/gateway/telemetry",
    payload: Buffer.from(`{"Device A":[{"ts":1700000000000,"values":{"t":21.5}}]}`.padEnd(120)),
    qos: 1,
  },
  arrivedMs: 1_700_000_000_000,
  dialect: "thingsboard",
  count: 1,
  priority: "data",
};

/** Times the spool against lmdb by itself: 50 gateways, packets of 120 bytes. Everything is synced that has to be. */
export async function measure(): Promise<readonly Timing[]> {
  const folder = await mkdtemp(join(tmpdir(), "dragoman-bench-spool-"));
  const opened = (directory: string) => openSpool({ directory, maxBytes: 1024 ** 3, whenFull: "refuse" });
  try {
    const alone = await measureLmdb(join(folder, "lmdb"));
    const directory = join(folder, "spool");
    let spool = await opened(directory);
    const one = await time(300, () => appendOneByOne(spool, 300));
    const live = await time(perTurn * turns, () => appendAndSettle(spool));
    const waiting = await time(backlog, () => fill(spool));
    await spool.close();
    const reopen = await time(1, async () => {
      spool = await opened(directory);
    });
    const drained = await time(backlog, () => drain(spool));
    await spool.close();
    const memory = await opened("memory");
    const inMemory = await time(perTurn * turns, () => appendAndSettle(memory));
    await memory.close();
    const many = "1,000 in a turn";
    return [
      { name: "lmdb alone, one put after the other", ns: alone.one },
      { name: "one append after the other", ns: one, against: "lmdb alone, one put after the other" },
      { name: `lmdb alone, put and remove, ${many}`, ns: alone.many },
      { name: `append and settle, ${many}`, ns: live, against: `lmdb alone, put and remove, ${many}` },
      { name: `append and settle in memory, ${many}`, ns: inMemory, against: `lmdb alone, put and remove, ${many}` },
      { name: "append to a backlog of 100,000", ns: waiting },
      { name: "read and settle a backlog of 100,000", ns: drained, against: "append to a backlog of 100,000" },
      { name: "open with a backlog of 100,000", ns: reopen },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The least that a journal on lmdb can do: a put for each packet, and a remove in the turn after it was synced. */
async function measureLmdb(path: string): Promise<{ one: number; many: number }> {
  const db = open<Buffer, number>({ path, encoding: "binary", keyEncoding: "uint32", overlappingSync: false });
  let last = 0;
  const put = () => db.put(++last, Buffer.from(arrival.packet.payload));
  const one = await time(300, async () => {
    for (let done = 0; done < 300; done++) await put();
  });
  let first = last;
  const many = await time(perTurn * turns, async () => {
    for (let turn = 0; turn < turns; turn++) {
      const written = first;
      first = last;
      let synced: Promise<boolean> | undefined;
      for (let more = 0; more < perTurn; more++) synced = put();
      for (let gone = written; gone < first; gone++) synced = db.remove(gone + 1);
      await synced;
    }
  });
  await db.close();
  return { one, many };
}

async function appendOneByOne(spool: Spool, count: number): Promise<void> {
  const gateway = spool.gateway("gw-0");
  for (let done = 0; done < count; done++) {
    await appendTo([gateway], ({ seq }) => gateway.settle({ seq, index: 0 }, { kind: "delivered" }));
  }
}

/** Every packet is settled when it is synced, while the next ones are written. */
async function appendAndSettle(spool: Spool): Promise<void> {
  const turn = turnOf(spool);
  let running = Promise.resolve();
  for (let done = 0; done < turns; done++) {
    const appended = appendTo(turn, ({ seq }, gateway) => gateway.settle({ seq, index: 0 }, { kind: "delivered" }));
    await running;
    running = appended;
  }
  await running;
  await spool.flushed();
}

async function fill(spool: Spool): Promise<void> {
  const turn = turnOf(spool);
  for (let done = 0; done < backlog; done += perTurn) {
    await appendTo(turn, () => {});
  }
}

/** The gateways that append in one turn. */
function turnOf(spool: Spool): readonly GatewaySpool[] {
  return Array.from({ length: perTurn }, (_, index) => spool.gateway(`gw-${index % gateways}`));
}

/** Appends once to each gateway; resolves when the last record is synced. */
function appendTo(
  turn: readonly GatewaySpool[],
  appended: (record: SpoolRecord, gateway: GatewaySpool) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = turn.length;
    for (const gateway of turn) {
      const record = gateway.append(arrival, (error) => {
        if (record === undefined || error !== undefined) reject(error);
        else appended(record, gateway);
        left -= 1;
        if (left === 0) resolve();
      });
    }
  });
}

async function drain(spool: Spool): Promise<void> {
  const after = new Map<string, number>();
  for (let isEmpty = false; !isEmpty; ) {
    isEmpty = true;
    for (const id of spool.gatewayIds()) {
      const gateway = spool.gateway(id);
      for (const { seq } of gateway.read(after.get(id) ?? 0, 64, 1024 * 1024)) {
        gateway.settle({ seq, index: 0 }, { kind: "delivered" });
        after.set(id, seq);
        isEmpty = false;
      }
    }
    await spool.flushed();
  }
}

/** Nanoseconds per operation. */
async function time(operations: number, run: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await run();
  return ((performance.now() - begun) * 1e6) / operations;
}
