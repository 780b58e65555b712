import fc from "fast-check";
import { expect, test } from "vitest";
import { Alarms } from "../../src/gateway/alarms.ts";
import { Pacing } from "../../src/gateway/pacing.ts";

test("take() lets through what the pace leaves over at once, then the pace", () => {
  const pacing = new Pacing({ messagesPerSecond: 10, pace: 0.8 });
  pacing.restart(0);
  expect([pacing.take(0, 1), pacing.take(0, 1), pacing.take(0, 1)]).toEqual([true, true, false]);
  expect(pacing.readyAtMs(0, 1)).toBe(125);
  expect([pacing.take(124, 1), pacing.take(125, 1), pacing.take(125, 1)]).toEqual([false, true, false]);
});

test("take() counts bytes, and lets one packet pass that is larger than all that may be saved up", () => {
  const pacing = new Pacing({ bytesPerSecond: 1000, pace: 0.8 });
  pacing.restart(0);
  expect(pacing.take(0, 500)).toBe(true);
  expect(pacing.take(0, 1)).toBe(false);
  expect(pacing.readyAtMs(0, 1)).toBe(377);
});

test("take() never lets more through in any second than the limit", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { maxLength: 200 }), fc.integer({ min: 5, max: 50 }), (gaps, limit) => {
      const pacing = new Pacing({ messagesPerSecond: limit, pace: 0.8 });
      pacing.restart(0);
      const sent: number[] = [];
      let now = 0;
      for (const gap of gaps) {
        now += gap;
        while (pacing.take(now, 0)) sent.push(now);
        expect(sent.filter((at) => at > now - 1000).length).toBeLessThanOrEqual(limit);
      }
    }),
  );
});

test("runDue() rings in the order of time, then of setting, and not what was cancelled", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ atMs: fc.nat(50), isCancelled: fc.boolean() }), { maxLength: 200 }), (wanted) => {
      const alarms = new Alarms();
      const rung: number[] = [];
      const set = wanted.map(({ atMs }, index) => alarms.set(atMs, () => rung.push(index)));
      for (const [index, { isCancelled }] of wanted.entries()) if (isCancelled) alarms.cancel(set[index]);
      for (let now = 0; now <= 50; now += 5) alarms.runDue(now);
      const left = wanted.map(({ atMs, isCancelled }, index) => ({ atMs, isCancelled, index }));
      const expected = left
        .filter(({ isCancelled }) => !isCancelled)
        .sort((a, b) => a.atMs - b.atMs || a.index - b.index);
      expect(rung).toEqual(expected.map(({ index }) => index));
      expect(alarms.nextMs).toBe(undefined);
    }),
  );
});
