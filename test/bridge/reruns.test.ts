import { expect, test } from "vitest";
import { planRerun } from "../../src/bridge/plan-rerun.ts";
import { Reruns } from "../../src/bridge/reruns.ts";
import type { Decoded } from "../../src/message/decoded.ts";
import type { Fate } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import type { SpoolEntry } from "../../src/spool/spool.ts";

const whole = { isShared: false };
const shared = { isShared: true };

test("Reruns hands records out oldest first, each once, however they came", () => {
  const reruns = new Reruns();
  for (const seq of [7, 3, 5, 3]) reruns.add({ seq, index: 0 }, whole);
  expect([reruns.size, reruns.has(5), reruns.take()?.seq]).toEqual([3, true, 3]);
  reruns.add({ seq: 1, index: 0 }, whole);
  reruns.add({ seq: 3, index: 0 }, whole);
  expect([1, 2, 3, 4, 5].map(() => reruns.take()?.seq)).toEqual([1, 3, 5, 7, undefined]);
  expect([reruns.size, reruns.has(5)]).toEqual([0, false]);
});

test("Reruns names the messages where others of their record are under way, and forgets them afterwards", () => {
  const reruns = new Reruns();
  reruns.add({ seq: 1, index: 2 }, shared);
  reruns.add({ seq: 1, index: 4 }, shared);
  reruns.add({ seq: 2, index: 0 }, whole);
  reruns.add({ seq: 2, index: 1 }, shared);
  expect(reruns.take()).toEqual({ seq: 1, indexes: new Set([2, 4]) });
  expect(reruns.take()).toEqual({ seq: 2 });
  reruns.add({ seq: 1, index: 0 }, whole);
  expect(reruns.take()).toEqual({ seq: 1 });
});

const rule = { name: "telemetry", file: "thingsboard.yaml", line: 59 };

function entry(count: number, index: number, device?: string): SpoolEntry {
  const packet = { topic: "t", payload: Buffer.from("p"), qos: 1 } as const;
  const fate: Extract<Fate, { kind: "quarantined" }> = {
    ...{ kind: "quarantined", reason: "r" },
    ...(device === undefined ? {} : { device: device as DeviceId }),
  };
  return {
    ref: { seq: 1, index },
    fate,
    record: { seq: 1, packet, arrivedMs: 0, dialect: "d", count, isDamaged: false, isOpen: () => false },
  };
}

function read(messages: number, misfits = 0): Decoded {
  return {
    ...{ kind: "messages", rule },
    messages: Array.from({ length: messages }, () => ({ kind: "detach", device: "A" as DeviceId })),
    misfits: Array.from({ length: misfits }, () => ({ path: "/A", wanted: "a list", got: "5" })),
  };
}

test.each<[string, SpoolEntry, Decoded | undefined, ReturnType<typeof planRerun>]>([
  ["one of a packet that reads as it did", entry(3, 1, "A"), read(3), { kind: "one" }],
  ["one that is the whole packet", entry(1, 0), read(1), { kind: "one" }],
  ["one beside what still cannot be read", entry(3, 1, "A"), read(2, 1), { kind: "one" }],
  ["a packet that can be read now", entry(1, 0), read(3), { kind: "packet", count: 3 }],
  ["a packet of which nothing is left now", entry(1, 0), read(0), { kind: "packet", count: 1 }],
  ["the rest of a packet that can be read whole now", entry(3, 2), read(3), { kind: "packet", count: 3 }],
  ["the rest of a packet, of which less is left", entry(3, 2), read(3, 1), { kind: "packet", count: 4 }],
  [
    "the rest of a packet that reads as it did",
    ...([entry(3, 2), read(2, 2)] as const),
    { kind: "keep", reason: 'at "/A" wanted a list, got 5; at "/A" wanted a list, got 5 (thingsboard.yaml:59)' },
  ],
  [
    "a packet of an unknown topic",
    entry(1, 0),
    { kind: "unknownTopic", topic: "t" },
    { kind: "keep", reason: "no rule has this topic" },
  ],
  ["a packet of an unknown dialect", entry(1, 0), undefined, { kind: "keep", reason: 'unknown dialect "d"' }],
])("planRerun() of %s", (_what, waiting, decoded, plan) => {
  expect(planRerun(waiting, decoded, false)).toEqual(plan);
});

test("planRerun() leaves a packet alone whose places may not change yet", () => {
  const plan = planRerun(entry(3, 2), read(3), true);
  expect(plan).toEqual({ kind: "keep", reason: "other messages of its packet are under way: try again later" });
  expect(planRerun(entry(3, 1, "A"), read(3), true)).toEqual({ kind: "one" });
});
