import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Line, Repeats } from "../../src/cli/repeats.ts";

describe("Repeats", () => {
  let written: Line[];
  let repeats: Repeats;
  beforeEach(() => {
    vi.useFakeTimers();
    written = [];
    repeats = new Repeats((line) => written.push(line));
  });
  afterEach(() => vi.useRealTimers());

  test("of a flood the first ten pass, then one per interval with the count it stands for; the counts add up", () => {
    for (let index = 0; index < 3000; index++) {
      repeats.take(line({ gateway: "a", index }));
      vi.advanceTimersByTime(10);
    }
    repeats.flush();
    expect(written.slice(0, 10).map(({ fields }) => fields)).toEqual(
      Array.from({ length: 10 }, (_, index) => ({ gateway: "a", index })),
    );
    const later = written.slice(10);
    expect(later.length).toBeGreaterThan(1);
    expect(later.length).toBeLessThanOrEqual(4);
    const counts = later.map(({ fields }) => (fields as { repeated: number }).repeated);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2990);
    expect(later.at(-1)?.fields).toMatchObject({ gateway: "a", index: 2999 });
    expect(repeats.suppressed).toEqual({ "packet-not-understood": 2990 });
  });

  test("begins anew after an interval in which all was quiet, and then keeps nothing", () => {
    for (let index = 0; index < 12; index++) repeats.take(line({ gateway: "a", index }));
    expect(written).toHaveLength(10);
    vi.advanceTimersByTime(10_000);
    expect(written).toHaveLength(11);
    vi.advanceTimersByTime(10_000);
    expect(vi.getTimerCount()).toBe(0);
    for (let index = 0; index < 10; index++) repeats.take(line({ gateway: "a", index }));
    expect(written).toHaveLength(21);
  });

  test("one gateway's flood hides neither another gateway nor another event", () => {
    for (let index = 0; index < 100; index++) repeats.take(line({ gateway: "a", index }));
    repeats.take(line({ gateway: "b" }));
    repeats.take({ level: "warn", event: "upstream-closed", fields: { gateway: "a" } });
    expect(written.slice(10).map(({ event, fields }) => ({ event, fields }))).toEqual([
      { event: "packet-not-understood", fields: { gateway: "b" } },
      { event: "upstream-closed", fields: { gateway: "a" } },
    ]);
  });

  test("those who are refused count together, whatever their address; the program's own lines always pass", () => {
    for (let index = 0; index < 50; index++) {
      repeats.take({ level: "warn", event: "gateway-refused", fields: { reason: "x", address: `192.0.2.${index}` } });
      repeats.take({ level: "error", event: "reload-refused", fields: { mistake: `${index}` } });
    }
    expect(written.filter(({ event }) => event === "gateway-refused")).toHaveLength(10);
    expect(written.filter(({ event }) => event === "reload-refused")).toHaveLength(50);
  });
});

function line(fields: object): Line {
  return { level: "warn", event: "packet-not-understood", fields };
}
