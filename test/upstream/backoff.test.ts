import { expect, test } from "vitest";
import { Backoff } from "../../src/upstream/backoff.ts";

const times = (count: number, next: () => number) => Array.from({ length: count }, next);

test("next() doubles from 1 s to 64 s with up to 1 s of jitter where the dialect says nothing", () => {
  const backoff = new Backoff([], () => 0.25);
  expect(times(8, () => backoff.next("refused"))).toEqual(
    [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000].map((ms) => ms + 250),
  );
  expect(backoff.next("dns")).toBe(1250);
  backoff.reset();
  expect(backoff.next("refused")).toBe(1250);
});

test("next() makes the quick tries before it grows", () => {
  const backoff = new Backoff(
    [{ reason: "connack-5", firstMs: 1000, capMs: 5000, jitterMs: 0, quickTries: 2 }],
    () => 1,
  );
  expect(times(5, () => backoff.next("connack-5"))).toEqual([1000, 1000, 2000, 4000, 5000]);
});

test("next() takes the policy of the reason, then of its word, then the default", () => {
  const policy = (reason: string, firstMs: number) => ({ reason, firstMs, capMs: firstMs, jitterMs: 0 });
  const backoff = new Backoff([policy("connack", 20), policy("default", 30), policy("connack-5", 10)], Math.random);
  expect(["connack-5", "connack-4", "reset"].map((reason) => backoff.next(reason))).toEqual([10, 20, 30]);
});

test("next() waits a flat time for what is no failure, unless the dialect says otherwise", () => {
  const backoff = new Backoff([], () => 0.5);
  expect(times(3, () => backoff.next("token-expired"))).toEqual([2500, 2500, 2500]);
  expect(times(3, () => backoff.next("elimination"))).toEqual([1500, 1500, 1500]);
  const own = new Backoff([{ reason: "token-expired", firstMs: 100, capMs: 100, jitterMs: 0 }], () => 0.5);
  expect(own.next("token-expired")).toBe(100);
});

test("next() stays finite however often it is asked", () => {
  const backoff = new Backoff([], () => 0);
  expect(times(3000, () => backoff.next("refused")).at(-1)).toBe(64_000);
});
