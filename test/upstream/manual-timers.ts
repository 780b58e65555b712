import type { Timers } from "../../src/upstream/timers.ts";

/** Time that stands still until it is moved. Sockets stay real. */
export function createManualTimers(startMs = 1_800_000_000_000) {
  let elapsedMs = 0;
  let waiting: { readonly atMs: number; readonly run: () => void }[] = [];
  const timers: Timers = {
    elapsedMs: () => elapsedMs,
    after(delayMs, run) {
      const timer = { atMs: elapsedMs + Math.max(0, delayMs), run };
      waiting.push(timer);
      return () => {
        waiting = waiting.filter((other) => other !== timer);
      };
    },
  };
  return {
    timers,
    now: () => startMs + elapsedMs,
    /** When the timers that wait are due, in milliseconds from now, soonest first. */
    due: () => waiting.map(({ atMs }) => atMs - elapsedMs).sort((a, b) => a - b),
    /** Moves time on, running what becomes due on the way, in order. */
    advance(ms: number): void {
      const untilMs = elapsedMs + ms;
      for (;;) {
        const next = waiting.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined) break;
        waiting = waiting.filter((timer) => timer !== next);
        elapsedMs = Math.max(elapsedMs, next.atMs);
        next.run();
      }
      elapsedMs = untilMs;
    },
  };
}
