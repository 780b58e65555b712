import { writeSync } from "node:fs";
import type { Fate, MessageRef } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { Journal } from "../../src/spool/journal.ts";
import { openLmdbStore } from "../../src/spool/lmdb-store.ts";
import { append } from "./append.ts";
import { numbersOf } from "./numbers.ts";

/**
 * A program that works a spool as hard as it can until it is killed, and says line by line what it asks for and what it was
 * promised. Arguments: folder, seed.
 */
const [directory = "", seed = "1"] = process.argv.slice(2);
const random = numbersOf(Number(seed));
const below = (limit: number) => Math.floor(random() * limit);
const devices = ["A", "B", "C"] as DeviceId[];
const say = (line: object) => writeSync(1, `${JSON.stringify(line)}\n`);

const store = openLmdbStore({ directory, mapBytes: 64 * 1024 * 1024, onDamage: () => {} });
const spool = new Journal(store, {
  name: directory,
  maxBytes: 8 * 1024 * 1024,
  whenFull: "refuse",
  capacity: 2 ** 30,
  span: 64,
});
const gateways = Array.from({ length: 5 }, (_, index) => spool.gateway(`gw-${index}`));
const known: { gateway: number; ref: MessageRef }[] = [];
for (const [gateway, each] of gateways.entries()) {
  for (const record of each.read(0, 1000, 1e6)) {
    for (let index = 0; index < record.count; index++) {
      if (record.isOpen(index)) known.push({ gateway, ref: { seq: record.seq, index } });
    }
  }
}
say({ ready: known.length });
turn();

function turn(): void {
  for (let more = below(6); more > 0; more--) appendOne();
  for (let more = below(30); more > 0; more--) settleOne();
  const gateway = gateways[below(5)];
  if (below(10) === 0) {
    for (const { record, index } of gateway?.release(devices[below(3)] as DeviceId, 5) ?? []) {
      known.push({ gateway: gateways.indexOf(gateway as (typeof gateways)[0]), ref: { seq: record.seq, index } });
    }
  }
  if (below(10) === 0) for (const { ref } of gateway?.list({}, 3) ?? []) gateway?.retry(ref);
  if (below(10) === 0) gateway?.put(`fact-${below(5)}`, below(3) === 0 ? undefined : "x".repeat(below(300)));
  if (below(10) === 0) gateway?.countDown("received", 1);
  if (below(20) === 0) void gateway?.count(2, { kind: "dropped", reason: "unknownTopic" });
  setImmediate(turn);
}

function appendOne(): void {
  const gateway = below(5);
  const count = 1 + below(10);
  const text = `${seed}-${below(1e9)}`.padEnd(below(20) === 0 ? 5000 : 20);
  const fates = new Map<number, Fate>();
  if (below(4) === 0) fates.set(0, { kind: "quarantined", reason: "shape" });
  const packet = { topic: "t", payload: Buffer.from(text), qos: 1 as const };
  const arrival = { packet, arrivedMs: 1, dialect: "thingsboard", count, priority: "data", fates } as const;
  void append(gateways[gateway] as (typeof gateways)[0], arrival).then(({ seq }) => {
    say({ appended: seq, gateway: `gw-${gateway}`, count, text });
    for (let index = fates.size; index < count; index++) known.push({ gateway, ref: { seq, index } });
  });
}

function settleOne(): void {
  const at = below(known.length);
  const [message] = known.splice(at, 1);
  if (message === undefined) return;
  const { gateway, ref } = message;
  const device = devices[below(3)] as DeviceId;
  const fates: readonly Fate[] = [
    { kind: "delivered" },
    { kind: "delivered" },
    { kind: "delivered" },
    { kind: "dropped", reason: "gone" },
    { kind: "held", device, reason: "refused" },
    { kind: "parked", device },
    { kind: "quarantined", device, reason: "poison" },
  ];
  const fate = fates[below(fates.length)] as Fate;
  const isFinal = fate.kind === "delivered" || fate.kind === "dropped";
  if (isFinal) say({ asked: ref });
  gateways[gateway]?.settle(ref, fate);
  if (isFinal) void spool.flushed().then(() => say({ settled: ref }));
}
