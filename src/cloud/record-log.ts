/** A record without its time, which is added as it is written down. */
export type Undated<R> = R extends { readonly at: string } ? Omit<R, "at"> : never;

/**
 * What has happened in a stand-in cloud, to look through and to wait on.
 *
 * Up to `keep` records are held, and at least half of that; when it is full the older half goes.
 */
export class RecordLog<R extends { readonly at: string }> {
  readonly #keep: number;
  readonly #now: () => number;
  readonly #onRecord: (record: R) => void;
  readonly #waiting = new Set<() => void>();
  #list: R[] = [];
  /** Number of the first record in the list, counted from the beginning. */
  #first = 0;
  #ended = false;

  constructor(options: { keep: number; now: () => number; onRecord: (record: R) => void }) {
    this.#keep = options.keep;
    this.#now = options.now;
    this.#onRecord = options.onRecord;
  }

  get all(): readonly R[] {
    return this.#list;
  }

  add(record: Undated<R>): void {
    const dated = { ...record, at: new Date(this.#now()).toISOString() } as unknown as R;
    this.#list.push(dated);
    if (this.#list.length > this.#keep) {
      const gone = Math.ceil(this.#keep / 2);
      this.#list = this.#list.slice(gone);
      this.#first += gone;
    }
    this.#onRecord(dated);
    this.#wake();
  }

  /** Every record from the first one still held, then as they come, until the cloud is closed. Who lags loses the oldest. */
  async *follow(): AsyncGenerator<R, void, void> {
    for (let at = this.#first; ; ) {
      at = Math.max(at, this.#first);
      const record = this.#list[at - this.#first];
      if (record !== undefined) {
        at++;
        yield record;
      } else if (this.#ended) return;
      else await this.#more();
    }
  }

  /**
   * The first record for which `predicate` holds, among those after `after` or all held, and otherwise those to come.
   * Rejects when the cloud is closed first.
   */
  async next(predicate: (record: R) => boolean, after?: R): Promise<R> {
    let at = this.#first + (after === undefined ? 0 : this.#list.indexOf(after) + 1);
    for (;;) {
      at = Math.max(at, this.#first);
      const record = this.#list[at - this.#first];
      if (record === undefined) {
        if (this.#ended) throw new Error("Cannot wait for a record: the stand-in cloud is closed");
        await this.#more();
      } else if (predicate(record)) return record;
      else at++;
    }
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }
}
