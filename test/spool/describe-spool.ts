import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { emptyLedger, type Fate, imbalanceOf, type Ledger, type MessageRef } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import type { Arrival, GatewaySpool, Spool, SpoolRecord } from "../../src/spool/spool.ts";
import { append } from "./append.ts";

const delivered: Fate = { kind: "delivered" };
const a = "A" as DeviceId;
const b = "B" as DeviceId;

/** A packet of so many messages. */
export function arrival(text: string, more: Partial<Arrival> = {}): Arrival {
  const packet = { topic: "v1/gateway/telemetry", payload: Buffer.from(text), qos: 1 as const };
  return { packet, arrivedMs: 1_700_000_000_123, dialect: "thingsboard", count: 1, priority: "data", ...more };
}

/** What a spool promises, whatever it is kept in. `reopen` closes it and opens what it left. */
export function describeSpool(name: string, open: (limits?: Limits) => Promise<Spool>): void {
  describe(`spool (${name})`, () => {
    let spool: Spool;
    let gateway: GatewaySpool;
    beforeEach(async () => {
      spool = await open();
      gateway = spool.gateway("gw");
    });
    afterEach(() => spool.close());

    test("append() gives back what read() gives later, byte for byte", async () => {
      const packet = { topic: "töpic/😀", payload: Uint8Array.from([0, 255, 1, 128]), qos: 0 as const };
      const record = await append(gateway, arrival("", { packet, arrivedMs: 1234.5, dialect: "google", count: 3 }));
      const [read] = gateway.read(0, 10, 1000);
      expect(read).toMatchObject({ seq: record.seq, arrivedMs: 1234.5, dialect: "google", count: 3 });
      expect({ ...read?.packet, payload: [...(read?.packet.payload ?? [])] }).toEqual({
        ...packet,
        payload: [0, 255, 1, 128],
      });
      expect([0, 1, 2, 3, -1].map((index) => record.isOpen(index))).toEqual([true, true, true, false, false]);
    });

    test("append() takes payloads of a megabyte and of nothing", async () => {
      const big = Buffer.alloc(1024 * 1024, "big");
      await Promise.all([
        append(gateway, arrival("", { packet: { topic: "t", payload: big, qos: 1 } })),
        append(gateway, arrival("")),
      ]);
      const [first, second] = gateway.read(0, 10, 1e9);
      expect(Buffer.compare(Buffer.from(first?.packet.payload ?? []), big)).toBe(0);
      expect(second?.packet.payload.length).toBe(0);
    });

    test("append() numbers records upward over all gateways and read() keeps their order", async () => {
      const records = await Promise.all(
        ["gw", "other", "gw", "gw"].map((id, index) => append(spool.gateway(id), arrival(String(index)))),
      );
      const seqs = records.map((record) => record.seq);
      expect(seqs[0]).toBeGreaterThan(0);
      expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
      expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["0", "2", "3"]);
      expect(textsOf(spool.gateway("other").read(0, 10, 1000))).toEqual(["1"]);
    });

    test("append() tells of records in their order, and never before it returns", async () => {
      const told: string[] = [];
      const settled = new Promise<void>((resolve) => {
        for (const text of ["one", "two", "three"]) {
          const record = gateway.append(arrival(text), () => {
            told.push(`${text} ${gateway.lastSeq - (record?.seq ?? 0)}`);
            if (text === "three") resolve();
          });
        }
      });
      expect(told).toEqual([]);
      await settled;
      expect(told).toEqual(["one 2", "two 1", "three 0"]);
      await spool.close();
      const refused = new Promise((resolve) => {
        const record = gateway.append(arrival("four"), (error) => {
          told.push("four");
          resolve([record, error]);
        });
      });
      expect(told).not.toContain("four");
      expect(await refused).toEqual([undefined, expect.objectContaining({ code: "ERR_SPOOL_FAILED" })]);
    });

    test("append() does not see a payload that is changed afterwards", async () => {
      const payload = Buffer.from("before");
      const appended = append(gateway, arrival("", { packet: { topic: "t", payload, qos: 1 } }));
      payload.write("behind");
      await appended;
      expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["before"]);
    });

    test("read() is bounded by messages, by bytes, and by where it starts", async () => {
      const records = await Promise.all(["aaaa", "bbbb", "cccc"].map((text) => append(gateway, arrival(text))));
      expect(textsOf(gateway.read(0, 2, 1000))).toEqual(["aaaa", "bbbb"]);
      expect(textsOf(gateway.read(0, 10, 9))).toEqual(["aaaa", "bbbb"]);
      expect(textsOf(gateway.read(0, 10, 1))).toEqual(["aaaa"]);
      expect(textsOf(gateway.read(records[0]?.seq ?? 0, 10, 1000))).toEqual(["bbbb", "cccc"]);
      expect(gateway.read(records[2]?.seq ?? 0, 10, 1000)).toEqual([]);
    });

    test("read() counts the messages of a record that are to be sent, and gives the first whatever its size", async () => {
      const delivered = new Map([[0, { kind: "delivered" } as const]]);
      await Promise.all([
        append(gateway, arrival("one of two", { count: 2, fates: delivered })),
        append(gateway, arrival("three", { count: 3 })),
        append(gateway, arrival("one")),
      ]);
      expect(textsOf(gateway.read(0, 4, 1000))).toEqual(["one of two", "three"]);
      expect(textsOf(gateway.read(0, 3, 1000))).toEqual(["one of two"]);
      expect(textsOf(gateway.read(1, 1, 1000))).toEqual(["three"]);
    });

    test("oldestPendingMs() is of the oldest message that is open or parked", async () => {
      const seqs: number[] = [];
      for (const arrivedMs of [100, 200, 300]) seqs.push((await append(gateway, arrival("x", { arrivedMs }))).seq);
      const [first = 0, second = 0, third = 0] = seqs;
      expect(gateway.oldestPendingMs()).toBe(100);
      gateway.settle({ seq: first, index: 0 }, { kind: "quarantined", reason: "no" });
      gateway.settle({ seq: second, index: 0 }, { kind: "parked", device: a });
      expect(gateway.oldestPendingMs()).toBe(200);
      gateway.settle({ seq: second, index: 0 }, { kind: "held", device: a, reason: "no" });
      expect(gateway.oldestPendingMs()).toBe(300);
      gateway.settle({ seq: third, index: 0 }, delivered);
      expect(gateway.oldestPendingMs()).toBeUndefined();
    });

    test("settle() lets a record go when its last message is delivered or dropped", async () => {
      const { seq } = await append(gateway, arrival("x", { count: 3 }));
      gateway.settle({ seq, index: 0 }, delivered);
      gateway.settle({ seq, index: 1 }, { kind: "dropped", reason: "empty" });
      expect(gateway.read(0, 10, 1000).map((each) => [0, 1, 2].map((index) => each.isOpen(index)))).toEqual([
        [false, false, true],
      ]);
      expect(spool.waitingBytes).toBe(1);
      gateway.settle({ seq, index: 2 }, delivered);
      expect(gateway.read(0, 10, 1000)).toEqual([]);
      expect(spool.waitingBytes).toBe(0);
      await spool.flushed();
      expect(gateway.read(0, 10, 1000)).toEqual([]);
      expect(gateway.ledger).toEqual(ledgerOf({ received: 3, delivered: 2, dropped: { empty: 1 } }));
    });

    test("settle() ignores what is settled already and what it does not know", async () => {
      const { seq } = await append(gateway, arrival("x", { count: 2 }));
      for (let times = 0; times < 3; times++) {
        gateway.settle({ seq, index: 0 }, delivered);
        gateway.settle({ seq, index: 0 }, { kind: "dropped", reason: "gone" });
        gateway.settle({ seq, index: 2 }, delivered);
        gateway.settle({ seq, index: -1 }, delivered);
        gateway.settle({ seq: seq + 1000, index: 0 }, delivered);
        spool.gateway("other").settle({ seq, index: 1 }, delivered);
        await spool.flushed();
      }
      expect(spool.ledger()).toEqual(ledgerOf({ received: 2, delivered: 1, pending: 1 }));
      gateway.settle({ seq, index: 1 }, delivered);
      gateway.settle({ seq, index: 1 }, delivered);
      await spool.flushed();
      gateway.settle({ seq, index: 1 }, delivered);
      await spool.flushed();
      expect(spool.ledger()).toEqual(ledgerOf({ received: 2, delivered: 2 }));
    });

    test("settle() ignores an old record that is gone, whatever was read of it last", async () => {
      const records = await Promise.all(["0", "1", "2", "3", "4"].map((text) => append(gateway, arrival(text))));
      await append(gateway, arrival("5"));
      const ref = { seq: records[0]?.seq ?? 0, index: 0 };
      expect(textsOf(gateway.read(0, 1, 1000))).toEqual(["0"]);
      for (let times = 0; times < 3; times++) {
        gateway.settle(ref, delivered);
        await spool.flushed();
      }
      expect(gateway.ledger).toEqual(ledgerOf({ received: 6, delivered: 1, pending: 5 }));
    });

    test("append() counts fates that were decided on arrival, and keeps no record where nothing is left", async () => {
      const fates = new Map<number, Fate>([
        [0, { kind: "dropped", reason: "unsupported" }],
        [1, { kind: "quarantined", device: a, reason: "shape" }],
        [2, { kind: "held", device: b, reason: "no id" }],
      ]);
      const record = await append(gateway, arrival("x", { count: 4, fates }));
      expect([0, 1, 2, 3].map((index) => record.isOpen(index))).toEqual([false, false, false, true]);
      const none = await append(gateway, arrival("y", { fates: new Map([[0, { kind: "delivered" }]]) }));
      expect(none.isOpen(0)).toBe(false);
      expect(spool.waitingBytes).toBe(1);
      expect(gateway.ledger).toEqual(
        ledgerOf({ received: 5, delivered: 1, pending: 1, held: 1, quarantined: 1, dropped: { unsupported: 1 } }),
      );
      expect(gateway.list({}, 10).map(({ ref, fate }) => [ref.index, fate])).toEqual([
        [2, { kind: "held", device: b, reason: "no id" }],
        [1, { kind: "quarantined", device: a, reason: "shape" }],
      ]);
    });

    test("count() counts what leaves no record", async () => {
      await gateway.count(3, { kind: "dropped", reason: "unknownTopic" });
      await gateway.count(1, { kind: "dropped", reason: "__proto__" });
      expect(gateway.ledger).toEqual(
        ledgerOf({ received: 4, dropped: JSON.parse('{"unknownTopic":3,"__proto__":1}') as Record<string, number> }),
      );
      expect(imbalanceOf(spool.ledger())).toBe(0);
    });

    test("settle() holds and parks; neither is read; release() gives them back in order as pending", async () => {
      const records = await Promise.all(
        ["0", "1", "2", "3"].map((text) => append(gateway, arrival(text, { count: 2 }))),
      );
      const [first, second, third, fourth] = records.map((record) => record.seq) as [number, number, number, number];
      gateway.settle({ seq: third, index: 0 }, { kind: "held", device: a, reason: "refused" });
      gateway.settle({ seq: first, index: 1 }, { kind: "parked", device: a });
      gateway.settle({ seq: first, index: 0 }, { kind: "parked", device: b });
      gateway.settle({ seq: second, index: 0 }, { kind: "held", device: a, reason: "gone" });
      gateway.settle({ seq: second, index: 1 }, { kind: "held", device: a, reason: "last" });
      expect(gateway.ledger).toEqual(ledgerOf({ received: 8, pending: 5, held: 3 }));
      for (let times = 0; times < 2; times++) {
        expect(gateway.read(0, 10, 1000).map((record) => record.seq)).toEqual([third, fourth]);
        expect(new Set(gateway.waitingDevices())).toEqual(
          new Set([
            { device: a, held: 3, parked: 1, reason: "last" },
            { device: b, held: 0, parked: 1 },
          ]),
        );
        await spool.flushed();
      }
      expect(gateway.release(a, 2).map(({ record, index }) => [record.seq, index])).toEqual([
        [first, 1],
        [second, 0],
      ]);
      expect(gateway.release(a, 10).map(({ record, index }) => [record.seq, index])).toEqual([
        [second, 1],
        [third, 0],
      ]);
      expect(gateway.release(a, 10)).toEqual([]);
      expect(gateway.waitingDevices()).toEqual([{ device: b, held: 0, parked: 1 }]);
      expect(gateway.ledger).toEqual(ledgerOf({ received: 8, pending: 8 }));
      expect(gateway.read(0, 10, 1000).map((record) => record.seq)).toEqual([first, second, third, fourth]);
      await spool.flushed();
      expect(gateway.read(0, 10, 1000).map((record) => record.seq)).toEqual([first, second, third, fourth]);
    });

    test("settle() moves between held and parked, renews reasons, and delivers what is held", async () => {
      const { seq } = await append(gateway, arrival("x", { count: 2 }));
      gateway.settle({ seq, index: 0 }, { kind: "parked", device: a });
      gateway.settle({ seq, index: 1 }, { kind: "held", device: a, reason: "one" });
      await spool.flushed();
      gateway.settle({ seq, index: 0 }, { kind: "held", device: b, reason: "other" });
      gateway.settle({ seq, index: 1 }, { kind: "held", device: a, reason: "two" });
      expect(new Set(gateway.waitingDevices())).toEqual(
        new Set([
          { device: a, held: 1, parked: 0, reason: "two" },
          { device: b, held: 1, parked: 0, reason: "other" },
        ]),
      );
      gateway.settle({ seq, index: 0 }, delivered);
      gateway.settle({ seq, index: 1 }, { kind: "parked", device: a });
      expect(gateway.waitingDevices()).toEqual([{ device: a, held: 0, parked: 1 }]);
      gateway.settle({ seq, index: 1 }, delivered);
      await spool.flushed();
      expect(gateway.waitingDevices()).toEqual([]);
      expect(gateway.ledger).toEqual(ledgerOf({ received: 2, delivered: 2 }));
    });

    test("list() finds by device, reason and fate; discard() and retry() mend", async () => {
      const records = await Promise.all(["0", "1", "2", "3"].map((text) => append(gateway, arrival(text))));
      const refs = records.map(({ seq }) => ({ seq, index: 0 })) as [MessageRef, MessageRef, MessageRef, MessageRef];
      gateway.settle(refs[0], { kind: "quarantined", reason: "syntax" });
      gateway.settle(refs[1], { kind: "quarantined", device: a, reason: "oversize" });
      gateway.settle(refs[2], { kind: "held", device: a, reason: "refused" });
      gateway.settle(refs[3], { kind: "parked", device: a });
      const texts = (filter: Parameters<GatewaySpool["list"]>[0], limit = 10) =>
        textsOf(gateway.list(filter, limit).map((entry) => entry.record));
      for (let times = 0; times < 2; times++) {
        expect(texts({})).toEqual(["2", "0", "1"]);
        expect(texts({}, 2)).toEqual(["2", "0"]);
        expect(texts({ fate: "quarantined" })).toEqual(["0", "1"]);
        expect(texts({ fate: "held" })).toEqual(["2"]);
        expect(texts({ device: a })).toEqual(["2", "1"]);
        expect(texts({ reason: "syntax" })).toEqual(["0"]);
        await spool.flushed();
      }
      gateway.settle(refs[0], delivered);
      expect(gateway.ledger.quarantined).toBe(2);
      gateway.retry(refs[0]);
      gateway.retry(refs[2]);
      gateway.discard(refs[1]);
      expect(texts({})).toEqual([]);
      expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["0", "2"]);
      await spool.flushed();
      expect(texts({})).toEqual([]);
      expect(textsOf(gateway.read(0, 10, 1000))).toEqual(["0", "2"]);
      expect(gateway.ledger).toEqual(ledgerOf({ received: 4, pending: 3, dropped: { discarded: 1 } }));
      gateway.discard(refs[1]);
      gateway.retry(refs[1]);
      gateway.discard({ seq: 9999, index: 0 });
      gateway.settle(refs[0], delivered);
      gateway.discard(refs[2]);
      gateway.discard(refs[3]);
      await spool.flushed();
      expect(gateway.ledger).toEqual(ledgerOf({ received: 4, delivered: 1, dropped: { discarded: 3 } }));
      expect(spool.waitingBytes).toBe(0);
    });

    test("look() goes on where it ended, past what it left behind and what has gone meanwhile", async () => {
      const other = await append(spool.gateway("gw-other"), arrival("other"));
      spool.gateway("gw-other").settle({ seq: other.seq, index: 0 }, { kind: "quarantined", reason: "q" });
      const records = await Promise.all(["0", "1", "2", "3", "4"].map((text) => append(gateway, arrival(text))));
      const seqs = records.map(({ seq }) => seq) as [number, number, number, number, number];
      gateway.settle({ seq: seqs[0], index: 0 }, { kind: "held", device: b, reason: "r" });
      gateway.settle({ seq: seqs[1], index: 0 }, { kind: "parked", device: b });
      for (const seq of seqs.slice(2))
        gateway.settle({ seq, index: 0 }, { kind: "quarantined", device: a, reason: "q" });
      await spool.flushed();
      const first = gateway.look({}, 3);
      expect(textsOf(first.entries.map((entry) => entry.record))).toEqual(["0", "2"]);
      gateway.discard({ seq: seqs[2], index: 0 });
      gateway.discard({ seq: seqs[3], index: 0 });
      const second = gateway.look({}, 3, first.next);
      expect(textsOf(second.entries.map((entry) => entry.record))).toEqual(["4"]);
      expect(second.next).toBeUndefined();
      expect(textsOf(gateway.look({ device: b }, 10).entries.map((entry) => entry.record))).toEqual(["0"]);
      expect(textsOf(gateway.look({ fate: "quarantined" }, 10).entries.map((entry) => entry.record))).toEqual(["4"]);
      for (const strange of ["ff", "zz", "", "00"]) gateway.look({}, 10, strange);
      expect(gateway.find(seqs[4], 0)).toMatchObject([{ fate: { kind: "quarantined", device: a } }]);
      expect(gateway.find(seqs[4])).toHaveLength(1);
      expect(gateway.find(seqs[2])).toEqual([]);
      for (const [seq, index] of [
        [seqs[1], 0],
        [seqs[2], 0],
        [seqs[4], 1],
        [other.seq, 0],
        [9999, 0],
      ] as const)
        expect(gateway.find(seq, index)).toEqual([]);
    });

    test("reopen() sends a whole packet again, and counts what was sent of it a second time", async () => {
      const { seq } = await append(gateway, arrival("x", { count: 3 }));
      gateway.settle({ seq, index: 0 }, delivered);
      gateway.settle({ seq, index: 1 }, { kind: "dropped", reason: "empty" });
      gateway.settle({ seq, index: 2 }, { kind: "quarantined", reason: "wrong shape" });
      await spool.flushed();
      gateway.reopen(seq, 4);
      const again = { received: 6, delivered: 1, pending: 4, dropped: { empty: 1 } };
      expect(gateway.ledger).toEqual(ledgerOf(again));
      expect(gateway.read(0, 1, 1)[0]?.count).toBe(4);
      expect([0, 1, 2, 3].map((index) => gateway.read(0, 1, 1)[0]?.isOpen(index))).toEqual([true, true, true, true]);
      for (const index of [0, 1, 2, 3]) gateway.settle({ seq, index }, delivered);
      await spool.flushed();
      expect(gateway.ledger).toEqual(ledgerOf({ ...again, delivered: 5, pending: 0 }));
      expect(spool.waitingBytes).toBe(0);
      gateway.reopen(seq, 2);
      expect(gateway.ledger.received).toBe(6);
    });

    test("audit() counts the records anew, within its bounds", async () => {
      const { seq } = await append(gateway, arrival("xy", { count: 3 }));
      await append(gateway, arrival("z"));
      gateway.settle({ seq, index: 0 }, { kind: "held", device: a, reason: "r" });
      gateway.settle({ seq, index: 1 }, { kind: "quarantined", reason: "q" });
      await spool.flushed();
      expect(spool.audit(everything)).toEqual({ records: 2, isComplete: true, discrepancies: [] });
      for (const bounds of [
        { ...everything, maxRecords: 1 },
        { ...everything, maxBytes: 2 },
      ])
        expect(spool.audit(bounds)).toEqual({ records: 0, isComplete: false, discrepancies: [] });
    });

    test("recount() corrects received and pending, upward and downward", async () => {
      const { seq } = await append(gateway, arrival("x", { count: 2 }));
      gateway.settle({ seq, index: 0 }, delivered);
      gateway.recount(seq, 4);
      expect(gateway.ledger).toEqual(ledgerOf({ received: 4, delivered: 1, pending: 3 }));
      gateway.settle({ seq, index: 3 }, { kind: "held", device: a, reason: "r" });
      await spool.flushed();
      expect(gateway.read(0, 1, 1)[0]?.count).toBe(4);
      gateway.recount(seq, 2);
      expect(gateway.ledger).toEqual(ledgerOf({ received: 2, delivered: 1, pending: 1 }));
      expect(gateway.waitingDevices()).toEqual([]);
      await spool.flushed();
      gateway.recount(seq, 1);
      await spool.flushed();
      expect(gateway.ledger).toEqual(ledgerOf({ received: 1, delivered: 1 }));
      expect(gateway.read(0, 10, 1000)).toEqual([]);
      expect(spool.waitingBytes).toBe(0);
    });

    test("put() keeps facts of any text, apart for each gateway", async () => {
      const keys = [
        "k",
        "",
        "a/b\u0000c",
        "é😀",
        "\ud800",
        "\ud801",
        "x".repeat(5000),
        `${"x".repeat(4999)}y`,
        "__proto__",
      ];
      for (const key of keys) gateway.put(key, `value of ${key}`);
      spool.gateway("other").put("k", "other");
      const sorted = (each: GatewaySpool) => new Map(each.entries());
      const wanted = new Map(keys.map((key) => [key, `value of ${key}`]));
      expect(sorted(gateway)).toEqual(wanted);
      await spool.flushed();
      expect(sorted(gateway)).toEqual(wanted);
      gateway.put("k", "new");
      gateway.put("", undefined);
      gateway.put("never", undefined);
      wanted.set("k", "new");
      wanted.delete("");
      expect(sorted(gateway)).toEqual(wanted);
      await spool.flushed();
      expect(sorted(gateway)).toEqual(wanted);
      expect(sorted(spool.gateway("other"))).toEqual(new Map([["k", "other"]]));
    });

    test("devices of any name are told apart", async () => {
      const names = [
        "A",
        "A\u0000",
        "",
        "\ud800",
        "\ud801",
        "é",
        "x".repeat(3000),
        `${"x".repeat(3000)}y`,
      ] as DeviceId[];
      const records = await Promise.all(names.map((name) => append(gateway, arrival(name))));
      for (const [index, device] of names.entries()) {
        gateway.settle({ seq: records[index]?.seq ?? 0, index: 0 }, { kind: "held", device, reason: "r" });
      }
      await spool.flushed();
      for (const [index, device] of names.entries()) {
        expect(gateway.list({ device }, 10).map((entry) => entry.ref.seq)).toEqual([records[index]?.seq]);
        expect(gateway.release(device, 10).map(({ record }) => record.seq)).toEqual([records[index]?.seq]);
      }
      expect(gateway.ledger).toEqual(ledgerOf({ received: names.length, pending: names.length }));
    });

    test("countDown() keeps the other direction's account", async () => {
      gateway.countDown("received", 5);
      gateway.countDown("delivered", 2);
      gateway.countDown("dropped", 1, "offline");
      await spool.flushed();
      expect(gateway.ledger.down).toEqual({ received: 5, delivered: 2, pending: 2, dropped: { offline: 1 } });
    });

    test("gatewayIds() names those that something was written for", async () => {
      spool.gateway("idle");
      await append(gateway, arrival("x"));
      spool.gateway("fact").put("a", "b");
      expect(spool.gatewayIds()).toEqual(["gw", "fact"]);
      expect(spool.gateway("gw")).toBe(gateway);
    });

    test("flushed() and close() resolve when there is nothing to do, and close() twice", async () => {
      await spool.flushed();
      await append(gateway, arrival("x"));
      await Promise.all([spool.close(), spool.close()]);
      const fates = new Map<number, Fate>([[0, delivered]]);
      await expect(append(gateway, arrival("y"))).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
      await expect(append(gateway, arrival("y", { fates }))).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
      await expect(gateway.count(1, { kind: "delivered" })).rejects.toMatchObject({ code: "ERR_SPOOL_FAILED" });
      gateway.put("late", "fact");
      gateway.countDown("received", 1);
      await spool.flushed();
    });

    test("refuse: append() rejects what would exceed maxBytes, counts nothing, and works again when there is room", async () => {
      const small = await open({ maxBytes: 10, whenFull: "refuse" });
      try {
        const one = small.gateway("one");
        const { seq } = await append(one, arrival("123456"));
        one.settle({ seq, index: 0 }, { kind: "held", device: a, reason: "r" });
        const fates = new Map<number, Fate>([[0, { kind: "quarantined", reason: "q" }]]);
        await append(small.gateway("two"), arrival("1234", { fates }));
        await expect(append(one, arrival("1"))).rejects.toMatchObject({
          code: "ERR_SPOOL_FULL",
          message: expect.stringContaining("10 bytes wait, wanted at most 10 with the 1 of this packet"),
        });
        expect(small.waitingBytes).toBe(10);
        expect(small.ledger()).toEqual(ledgerOf({ received: 2, held: 1, quarantined: 1 }));
        one.settle({ seq, index: 0 }, delivered);
        await append(one, arrival("abc"));
        await expect(append(one, arrival("12345678901"))).rejects.toMatchObject({ code: "ERR_SPOOL_FULL" });
        expect(small.ledger()).toEqual(ledgerOf({ received: 3, delivered: 1, pending: 1, quarantined: 1 }));
      } finally {
        await small.close();
      }
    });

    test("refuse: what is appended in the same turn behind a refused packet is refused too, however short", async () => {
      const small = await open({ maxBytes: 10, whenFull: "refuse" });
      try {
        const one = small.gateway("one");
        const results = await Promise.allSettled(["first", "too long", "2"].map((text) => append(one, arrival(text))));
        expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
        await append(one, arrival("again"));
        expect(textsOf(one.read(0, 10, 1000))).toEqual(["first", "again"]);
      } finally {
        await small.close();
      }
    });

    test("dropOldest: append() drops the oldest data of all gateways, and replies last", async () => {
      const small = await open({ maxBytes: 10, whenFull: "dropOldest" });
      try {
        const [one, two] = [small.gateway("one"), small.gateway("two")];
        await append(two, arrival("rr", { priority: "reply" }));
        await append(one, arrival("aaa", { count: 2 }));
        await append(two, arrival("bbb"));
        await append(one, arrival("cc"));
        await append(two, arrival("ddd"));
        expect(textsOf(one.read(0, 10, 1000))).toEqual(["cc"]);
        expect(textsOf(two.read(0, 10, 1000))).toEqual(["rr", "bbb", "ddd"]);
        expect(one.ledger).toEqual(ledgerOf({ received: 3, pending: 1, dropped: { full: 2 } }));
        // All in one turn: what is not even written yet can be the oldest.
        await Promise.all(["1111", "2222", "3333"].map((text) => append(one, arrival(text))));
        expect(textsOf(one.read(0, 10, 1000))).toEqual(["2222", "3333"]);
        expect(textsOf(two.read(0, 10, 1000))).toEqual(["rr"]);
        await append(two, arrival("ssssssss", { priority: "reply" }));
        expect(textsOf(two.read(0, 10, 1000))).toEqual(["rr", "ssssssss"]);
        const late = await append(one, arrival("x"));
        expect(late.isOpen(0)).toBe(false);
        expect(textsOf(two.read(0, 10, 1000))).toEqual(["rr", "ssssssss"]);
        await append(two, arrival("tt", { priority: "reply" }));
        expect(textsOf(two.read(0, 10, 1000))).toEqual(["ssssssss", "tt"]);
        await small.flushed();
        expect(small.waitingBytes).toBe(10);
        expect(imbalanceOf(small.ledger())).toBe(0);
        expect(small.ledger()).toMatchObject({ received: 12, pending: 2, dropped: { full: 10 } });
      } finally {
        await small.close();
      }
    });

    test("dropOldest: what several gateways appended in one turn goes in the order of its arrival", async () => {
      const small = await open({ maxBytes: 12, whenFull: "dropOldest" });
      try {
        const [one, two] = [small.gateway("one"), small.gateway("two")];
        await Promise.all([
          append(one, arrival("a1")),
          append(two, arrival("b1")),
          append(two, arrival("b2")),
          append(one, arrival("a2")),
          append(two, arrival("b3")),
          append(one, arrival("a3")),
        ]);
        const left: string[][] = [];
        for (let more = 0; more < 5; more++) {
          await append(one, arrival("xx"));
          left.push(textsOf([...one.read(0, 10, 1000), ...two.read(0, 10, 1000)]).filter((text) => text !== "xx"));
        }
        expect(left).toEqual([
          ["a2", "a3", "b1", "b2", "b3"],
          ["a2", "a3", "b2", "b3"],
          ["a2", "a3", "b3"],
          ["a3", "b3"],
          ["a3"],
        ]);
      } finally {
        await small.close();
      }
    });

    test("dropOldest: a reply makes room for a reply, however much data is being sent before it", async () => {
      const half = 512 * 1024;
      const small = await open({ maxBytes: 6 * half, whenFull: "dropOldest" });
      try {
        const one = small.gateway("one");
        const data = await Promise.all(["1", "2", "3", "4"].map((text) => append(one, arrival(text.padEnd(half)))));
        const dropped: number[] = [];
        one.sentBy({
          sending: () => new Set(data.map(({ seq }) => seq)),
          dropped: (seqs) => void dropped.push(...seqs),
        });
        const reply = await append(one, arrival("r".padEnd(half), { priority: "reply" }));
        await append(one, arrival("s".padEnd(2 * half), { priority: "reply" }));
        expect(dropped).toEqual([reply.seq]);
        expect(textsOf(one.read(0, 10, 1e9)).map((text) => text[0])).toEqual(["1", "2", "3", "4", "s"]);
      } finally {
        await small.close();
      }
    });

    test("many gateways and records beyond what is kept in memory read as written", async () => {
      const ids = Array.from({ length: 300 }, (_, index) => `gw-${index}`);
      const rounds = 260; // 78,000 records: more than twice what the spool keeps track of in memory
      for (let round = 0; round < rounds; round += 20) {
        const appends = [];
        for (let more = round; more < round + 20; more++) {
          for (const id of ids) appends.push(append(spool.gateway(id), arrival(String(more))));
        }
        await Promise.all(appends);
      }
      const each = spool.gateway("gw-7");
      const wanted = Array.from({ length: rounds }, (_, round) => String(round));
      expect(textsOf(each.read(0, 1000, 1e6))).toEqual(wanted);
      let after = 0;
      const paged: string[] = [];
      for (let page = each.read(after, 17, 1e6); page.length > 0; page = each.read(after, 17, 1e6)) {
        paged.push(...textsOf(page));
        after = page.at(-1)?.seq ?? 0;
      }
      expect(paged).toEqual(wanted);
      const all = each.read(0, 1000, 1e6);
      for (const [index, { seq }] of all.entries()) {
        if (index % 3 === 0) each.settle({ seq, index: 0 }, delivered);
        if (index % 3 === 1) each.settle({ seq, index: 0 }, { kind: "held", device: a, reason: "r" });
      }
      const open = wanted.filter((_, index) => index % 3 === 2);
      expect(textsOf(each.read(0, 1000, 1e6))).toEqual(open);
      await spool.flushed();
      expect(textsOf(each.read(0, 1000, 1e6))).toEqual(open);
      expect(textsOf(each.release(a, 1000).map(({ record }) => record))).toEqual(
        wanted.filter((_, index) => index % 3 === 1),
      );
      await spool.flushed();
      expect(textsOf(each.read(0, 1000, 1e6))).toEqual(wanted.filter((_, index) => index % 3 !== 0));
      for (const { seq } of all) each.settle({ seq, index: 0 }, delivered);
      for (const { seq } of all) each.settle({ seq, index: 0 }, delivered);
      await spool.flushed();
      expect(each.ledger).toEqual(ledgerOf({ received: rounds, delivered: rounds }));
      expect(spool.ledger()).toEqual(ledgerOf({ received: rounds * 300, delivered: rounds, pending: rounds * 299 }));
    });

    test("law: any sequence of operations does what a plain model does", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
          const id = `law-${lawRuns++}`;
          await runAgainstModel(spool, spool.gateway(id), operations);
        }),
        { numRuns: 60 },
      );
    });
  });
}

export interface Limits {
  readonly maxBytes?: number;
  readonly whenFull?: "refuse" | "dropOldest";
}

export function textsOf(records: readonly SpoolRecord[]): string[] {
  return records.map((record) => Buffer.from(record.packet.payload).toString());
}

export function ledgerOf(some: Partial<Ledger>): Ledger {
  return { ...emptyLedger(), ...some };
}

const everything = { maxRecords: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

/** Everything that look() comes by, a few at a time. */
function walked(gateway: GatewaySpool, limit: number): readonly object[] {
  const found: object[] = [];
  let from: string | undefined;
  do {
    const { entries, next } = gateway.look({}, limit, from);
    found.push(...entries.map(({ ref, fate: { kind } }) => ({ ref, kind })));
    from = next;
  } while (from !== undefined);
  return found;
}

let lawRuns = 0;

type Operation =
  | { kind: "append"; count: number }
  | { kind: "settle"; record: number; index: number; fate: Fate }
  | { kind: "release"; device: DeviceId; limit: number }
  | { kind: "retry" | "discard"; record: number; index: number }
  | { kind: "recount" | "reopen"; record: number; count: number }
  | { kind: "flush" };

const device = fc.constantFrom(a, b);
const record = fc.nat(7);
const index = fc.nat(3);
const fate: fc.Arbitrary<Fate> = fc.oneof(
  fc.constant(delivered),
  fc.record({ kind: fc.constant("dropped" as const), reason: fc.constantFrom("gone", "empty") }),
  fc.record({ kind: fc.constant("held" as const), device, reason: fc.constantFrom("r", "s") }),
  fc.record({ kind: fc.constant("parked" as const), device }),
  fc.record({ kind: fc.constant("quarantined" as const), device, reason: fc.constant("q") }),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant("settle" as const), record, index, fate }),
  fc.record({ kind: fc.constant("settle" as const), record, index, fate }),
  fc.record({ kind: fc.constant("release" as const), device, limit: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constantFrom("retry" as const, "discard" as const), record, index }),
  fc.record({ kind: fc.constantFrom("recount" as const, "reopen" as const), record, count: fc.nat(5) }),
  fc.record({ kind: fc.constant("flush" as const) }),
);

type ModelFate = Fate | "open";

async function runAgainstModel(spool: Spool, gateway: GatewaySpool, operations: readonly Operation[]): Promise<void> {
  const model: { seq: number; fates: ModelFate[] }[] = [];
  /** Delivered and dropped messages that a recount took out of their record. */
  const gone: Fate[] = [];
  const kindOf = (each: ModelFate) => (typeof each === "string" ? each : each.kind);
  const isFinal = (each: ModelFate) => ["delivered", "dropped"].includes(kindOf(each));
  const isThere = (each: { fates: ModelFate[] } | undefined) => each?.fates.some((one) => !isFinal(one)) === true;

  for (const each of operations) {
    const at = "record" in each ? model[each.record] : undefined;
    const ref = "index" in each ? { seq: at?.seq ?? 1_000_000, index: each.index } : { seq: 0, index: 0 };
    const now = "index" in each && isThere(at) ? at?.fates[each.index] : undefined;
    switch (each.kind) {
      case "append": {
        const { seq } = await append(gateway, arrival("x", { count: each.count }));
        model.push({ seq, fates: Array.from({ length: each.count }, () => "open" as const) });
        break;
      }
      case "settle":
        gateway.settle(ref, each.fate);
        if (at && now !== undefined && !isFinal(now) && kindOf(now) !== "quarantined") at.fates[each.index] = each.fate;
        break;
      case "retry":
        gateway.retry(ref);
        if (at && now !== undefined && !isFinal(now)) at.fates[each.index] = "open";
        break;
      case "discard":
        gateway.discard(ref);
        if (at && now !== undefined && !isFinal(now)) at.fates[each.index] = { kind: "dropped", reason: "discarded" };
        break;
      case "recount":
        gateway.recount(at?.seq ?? 1_000_000, each.count);
        if (at && isThere(at)) {
          const more = Array.from({ length: Math.max(0, each.count - at.fates.length) }, () => "open" as const);
          for (const one of at.fates.slice(each.count)) if (one !== "open" && isFinal(one)) gone.push(one);
          at.fates = [...at.fates.slice(0, each.count), ...more];
        }
        break;
      case "reopen":
        gateway.reopen(at?.seq ?? 1_000_000, each.count);
        if (at && isThere(at)) {
          for (const one of at.fates) if (one !== "open" && isFinal(one)) gone.push(one);
          at.fates = Array.from({ length: each.count }, () => "open" as const);
        }
        break;
      case "release": {
        const wanted = model
          .flatMap(({ seq, fates }) => fates.map((one, index) => ({ seq, index, one })))
          .filter(
            ({ one }) =>
              typeof one !== "string" && (one.kind === "held" || one.kind === "parked") && one.device === each.device,
          )
          .slice(0, each.limit);
        const found = gateway.release(each.device, each.limit).map(({ record: { seq }, index }) => ({ seq, index }));
        expect(found).toEqual(wanted.map(({ seq, index }) => ({ seq, index })));
        for (const { seq, index } of wanted) {
          const there = model.find((one) => one.seq === seq);
          if (there) there.fates[index] = "open";
        }
        break;
      }
      case "flush":
        await spool.flushed();
    }
    check();
  }
  await spool.flushed();
  check();
  expect(spool.audit(everything)).toMatchObject({ isComplete: true, discrepancies: [] });

  function check(): void {
    expect(gateway.read(0, 1000, 1e6).map(({ seq }) => seq)).toEqual(
      model.filter(({ fates }) => fates.includes("open")).map(({ seq }) => seq),
    );
    const all = [...model.flatMap(({ fates }) => fates), ...gone];
    const sum = (kind: string) => all.filter((one) => kindOf(one) === kind).length;
    expect(gateway.ledger).toMatchObject({
      received: all.length,
      delivered: sum("delivered"),
      pending: sum("open") + sum("parked"),
      held: sum("held"),
      quarantined: sum("quarantined"),
    });
    expect(imbalanceOf(gateway.ledger)).toBe(0);
    expect(gateway.waitingDevices().reduce((messages, { held }) => messages + held, 0)).toBe(sum("held"));
    expect(gateway.list({ fate: "quarantined" }, 1000).length).toBe(sum("quarantined"));
    expect(walked(gateway, 3)).toEqual(gateway.list({}, 1000).map(({ ref, fate: { kind } }) => ({ ref, kind })));
  }
}
