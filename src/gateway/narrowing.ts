/** With so few left each is tried by itself: that takes as many round trips, but no further connection. */
const fewItems = 32;

/**
 * Looks for the one of many items with which a trial fails, by trying ever fewer of them. Always from the front, so that
 * items which passed are passed in order.
 *
 * The first is tried by itself: a cloud that takes things in order has stopped there. After that a failed trial leaves half
 * of what could be to blame, until few are left.
 */
export class Narrowing<Item> {
  #trial: Item[] = [];
  #rest: Item[];
  /** So many at the front, trial included, hold the one that is looked for. */
  #bound: number;
  #isAlone = true;

  /** @param items In the order in which they are to be tried. */
  constructor(items: readonly Item[]) {
    this.#rest = [...items];
    this.#bound = items.length;
    this.#next(1);
  }

  /** What to try next, or what is still open of it; empty when all have passed. */
  get trial(): readonly Item[] {
    return this.#trial;
  }

  /** Whether the trial was of one item from its beginning. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** These have passed. */
  clear(items: ReadonlySet<Item>): void {
    const left = this.#trial.filter((item) => !items.has(item));
    this.#bound -= this.#trial.length - left.length;
    this.#trial = left;
    if (left.length === 0) this.#next();
  }

  /** The trial has failed, with these of it under way. One that was tried by itself is tried again. */
  fail(underWay: ReadonlySet<Item>): void {
    if (this.#isAlone) return;
    const suspects = this.#trial.filter((item) => underWay.has(item));
    this.#rest = [...suspects, ...this.#trial.filter((item) => !underWay.has(item)), ...this.#rest];
    this.#bound = suspects.length;
    this.#next();
  }

  #next(size?: number): void {
    // Those that failed together have all passed by themselves: it was none of them, or is not to be had alone.
    if (this.#bound <= 0) this.#bound = this.#rest.length;
    const half = this.#bound <= fewItems ? 1 : Math.ceil(this.#bound / 2);
    this.#trial = this.#rest.splice(0, size ?? half);
    this.#isAlone = this.#trial.length === 1;
  }
}
