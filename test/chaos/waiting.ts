import { setTimeout as after } from "node:timers/promises";

/** People who wait for a condition that is looked at again whenever something has happened. */
export interface Waiters {
  /** Something has happened. */
  wake(): void;
  /**
   * Resolves once `holds` does. Rejects after `withinMs`, with what `describe` says of the state then.
   */
  until(holds: () => boolean, describe: () => string, withinMs?: number): Promise<void>;
}

/** No wait of a scenario takes longer than this unless something is wrong. */
export const patienceMs = 60_000;

export function createWaiters(): Waiters {
  const waiting = new Set<() => void>();
  return {
    wake() {
      for (const look of [...waiting]) look();
    },
    until(holds, describe, withinMs = patienceMs) {
      if (holds()) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`Waited ${withinMs} ms in vain: ${describe()}`));
        }, withinMs);
        const look = () => {
          if (!holds()) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve();
        };
        waiting.add(look);
      });
    },
  };
}

/** The fault goes on for so long. */
export function lasting(ms: number): Promise<void> {
  return after(ms);
}

/** Asks again and again until the answer fits, and gives it back. */
export async function polled<T>(
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
  withinMs = patienceMs,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > deadlineMs) throw new Error(`Asked for ${withinMs} ms in vain: ${JSON.stringify(answer)}`);
    await after(25);
  }
}
