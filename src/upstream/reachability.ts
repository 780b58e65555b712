import type { Address } from "./dial.ts";

/** Reasons that say that nobody is there to be asked; a server that answers and refuses is to be left alone. */
const unreached: ReadonlySet<string> = new Set(["refused", "unreachable", "dns", "timeout"]);

/**
 * What connections to one place tell each other: after an outage the first that gets through spares the others the rest of
 * their waits, which have grown with the outage. They begin through the turnstile all the same.
 */
export class Reachability {
  readonly #waiting = new Map<string, Set<() => void>>();
  /** How many connections were taken at a place so far. */
  readonly #taken = new Map<string, number>();

  /**
   * Calls `answered` when another connection is taken there, once; what is returned takes that back. Does nothing for a
   * connection that ended because of an answer.
   */
  wait(address: Address, reason: string, answered: () => void): () => void {
    if (!unreached.has(reason)) return () => undefined;
    const place = placeOf(address);
    const waiting = this.#waiting.get(place) ?? new Set();
    this.#waiting.set(place, waiting);
    waiting.add(answered);
    return () => {
      waiting.delete(answered);
      if (waiting.size === 0 && this.#waiting.get(place) === waiting) this.#waiting.delete(place);
    };
  }

  /** How many connections were taken there so far. */
  taken(address: Address): number {
    return this.#taken.get(placeOf(address)) ?? 0;
  }

  /** Whether an attempt that failed was begun, when so many were `taken`, before another connection got through. */
  hasMissed(address: Address, reason: string, taken: number): boolean {
    return unreached.has(reason) && this.taken(address) > taken;
  }

  /** A connection was taken there. */
  reached(address: Address): void {
    const place = placeOf(address);
    this.#taken.set(place, this.taken(address) + 1);
    const waiting = this.#waiting.get(place);
    this.#waiting.delete(place);
    for (const answered of waiting ?? []) answered();
  }
}

function placeOf({ host, port }: Address): string {
  return `${host}:${port}`;
}
