/** Where the pace leaves nothing over: a clock of milliseconds needs some. */
const leastBurst = 0.02;

/**
 * Something of which only so much may be used in a time. It may be overdrawn by one packet that is larger than it.
 *
 * The bursts it lets through are the part of the limit that the pace leaves over: with the pace on top, no such time,
 * wherever it begins, holds more than the limit.
 */
export class Bucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #level: number;
  #filledAtMs = 0;

  /** @param pace The share of the limit that is used, 0 to 1. */
  constructor({ count, withinMs }: { readonly count: number; readonly withinMs: number }, pace: number) {
    this.#perMs = (count * pace) / withinMs;
    this.#capacity = Math.max(1, count - count * pace, count * leastBurst);
    this.#level = this.#capacity;
  }

  restart(nowMs: number): void {
    this.#level = this.#capacity;
    this.#filledAtMs = nowMs;
  }

  has(nowMs: number, amount: number): boolean {
    this.#fill(nowMs);
    return this.#level >= Math.min(amount, this.#capacity);
  }

  spend(nowMs: number, amount: number): void {
    this.#fill(nowMs);
    this.#level -= amount;
  }

  readyAtMs(nowMs: number, amount: number): number {
    this.#fill(nowMs);
    const missing = Math.min(amount, this.#capacity) - this.#level;
    return missing <= 0 ? nowMs : nowMs + Math.max(1, Math.ceil(missing / this.#perMs));
  }

  #fill(nowMs: number): void {
    if (nowMs <= this.#filledAtMs) return;
    this.#level = Math.min(this.#capacity, this.#level + (nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
  }
}
