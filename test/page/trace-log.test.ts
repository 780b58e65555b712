import { expect, test } from "vitest";
import type { TraceLine } from "../../src/message/trace.ts";
import { traceLog } from "../../src/page/trace-log.ts";

test("traceLog() ties what went out to what came in, by record or by cause, newest first", () => {
  const log = traceLog();
  log.add([line(1, { records: [10] }), line(2, { records: [11] }), line(3, { records: [10, 11], direction: "out" })]);
  log.add([line(4, { side: "upstream" }), line(5, { direction: "out", cause: 4 }), line(6, {})]);
  expect(log.entries.map(({ lines }) => lines.map(({ id }) => id))).toEqual([[6], [4, 5], [2, 3], [1]]);
});

test("traceLog() does not mix up gateways, whose records may have the same numbers", () => {
  const log = traceLog();
  log.add([line(1, { records: [10] }), line(2, { records: [10], gateway: "gw-02", direction: "out" })]);
  expect(log.entries).toHaveLength(2);
});

test("traceLog() keeps the latest 100, counts what was missed, and forgets when told to", () => {
  const log = traceLog();
  log.add(Array.from({ length: 500 }, (_, id) => line(id, {})));
  log.miss(3);
  log.miss(4);
  expect([log.entries.length, log.entries[0]?.key, log.missed]).toEqual([100, 499, 7]);
  log.clear();
  expect([log.entries.length, log.missed]).toEqual([0, 0]);
});

function line(id: number, members: Partial<TraceLine>): TraceLine {
  return {
    ...{ id, atMs: id, gateway: "gw-01", side: "local", direction: "in", topic: "t", payload: "", bytes: 0, qos: 1 },
    messages: [],
    ...members,
  };
}
