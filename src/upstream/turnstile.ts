import type { Timers } from "./timers.ts";

/** As many are let through at a time, which at 100 ms to the cloud and back makes about 200 connections per second. */
const defaultPlaces = 64;
/** Whoever takes longer does not keep the others waiting: a cloud that is not there would, for as long as a timeout is. */
const defaultHoldMs = 1000;

/**
 * Lets connections begin at a pace: a login costs both sides more than anything else, and after a start or an outage all
 * gateways want one at the same time. First come, first served, so that none waits for ever.
 */
export interface Turnstile {
  /** Resolves when it is the caller's turn, to what says that the caller is through; calling that twice does no harm. */
  enter(): Promise<() => void>;
}

export function createTurnstile({
  timers,
  places = defaultPlaces,
  holdMs = defaultHoldMs,
  emptied = () => undefined,
}: {
  readonly timers: Timers;
  readonly places?: number;
  readonly holdMs?: number;
  /** Called whenever the last one is through and nobody waits. */
  readonly emptied?: () => void;
}): Turnstile {
  let free = places;
  const waiting = new Set<() => void>();

  return {
    enter() {
      if (free > 0) {
        free -= 1;
        return Promise.resolve(place());
      }
      return new Promise((resolve) => waiting.add(() => resolve(place())));
    },
  };

  function place(): () => void {
    let isThrough = false;
    const through = () => {
      if (isThrough) return;
      isThrough = true;
      stop();
      const [next] = waiting;
      if (next === undefined) {
        free += 1;
        if (free === places) emptied();
        return;
      }
      waiting.delete(next);
      next();
    };
    const stop = timers.after(holdMs, through);
    return through;
  }
}
