import fc from "fast-check";
import { expect, test } from "vitest";
import { Narrowing } from "../../src/gateway/narrowing.ts";

/** Tries until one item has failed by itself; trials pass up to the culprit where the other side takes things in order. */
function search(count: number, culprit: number | undefined, isInOrder: boolean) {
  const narrowing = new Narrowing(Array.from({ length: count }, (_, index) => index));
  const passed: number[] = [];
  for (let failures = 0; ; ) {
    const { trial, isAlone } = narrowing;
    if (trial.length === 0) return { found: undefined, failures, passed };
    const at = culprit === undefined ? -1 : trial.indexOf(culprit);
    if (at === -1) {
      passed.push(...trial);
      narrowing.clear(new Set(trial));
      continue;
    }
    failures += 1;
    if (isAlone) return { found: trial[0], failures, passed };
    const acknowledged = isInOrder ? trial.slice(0, at) : [];
    passed.push(...acknowledged);
    narrowing.clear(new Set(acknowledged));
    narrowing.fail(new Set(narrowing.trial));
  }
}

test("Narrowing finds the culprit among 256 with at most four failed trials, and passes items in order", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 256 }), fc.nat(255), fc.boolean(), (count, which, isInOrder) => {
      const culprit = which % count;
      const { found, failures, passed } = search(count, culprit, isInOrder);
      expect(found).toBe(culprit);
      expect(failures).toBeLessThanOrEqual(4);
      expect(passed).toEqual(Array.from({ length: culprit }, (_, index) => index));
    }),
  );
});

test("Narrowing fails once where the first is to blame, as with a cloud that takes things in order", () => {
  expect(search(256, 0, true)).toEqual({ found: 0, failures: 1, passed: [] });
});

test("Narrowing passes all where none is to blame", () => {
  expect(search(100, undefined, false)).toMatchObject({ found: undefined, failures: 0, passed: { length: 100 } });
});

test("Narrowing goes on with the rest where a failed trial's items pass one by one", () => {
  const narrowing = new Narrowing(Array.from({ length: 100 }, (_, index) => index));
  narrowing.clear(new Set(narrowing.trial));
  narrowing.fail(new Set(narrowing.trial.slice(10, 12)));
  expect(narrowing.trial).toEqual([11]);
  narrowing.clear(new Set([11]));
  narrowing.clear(new Set(narrowing.trial));
  expect(narrowing.trial.length).toBeGreaterThan(1);
  const seen = new Set<number>();
  for (; narrowing.trial.length > 0; narrowing.clear(new Set(narrowing.trial))) {
    for (const item of narrowing.trial) seen.add(item);
  }
  expect(seen.size).toBe(97);
});
