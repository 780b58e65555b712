/** A record without its time, which is added as it is written down. */
export type Undated<R> = R extends { readonly at: string } ? Omit<R, "at"> : never;

/** Of all records those of one kind. */
export type RecordOf<R, K> = R extends { readonly kind: infer Kinds } ? (K extends Kinds ? R : never) : never;

/** What whoever runs a stand-in cloud sees of its records. */
export interface Recorded<R extends { readonly kind: string }, Received> {
  /** All that happened, oldest first. */
  readonly records: readonly R[];
  /** Of the records only what devices sent. */
  received(): readonly Received[];
  /** Records as they come, those that are held first; ends when the cloud is closed. Who lags by more than are held loses some. */
  [Symbol.asyncIterator](): AsyncGenerator<R, void, void>;
  /**
   * Waits for a record of a kind, for which `predicate` holds if there is one: the first that is held, after `after` if
   * that is given, or else the first to come. Rejects when the cloud is closed first.
   */
  next<K extends R["kind"]>(
    kind: K,
    predicate?: (record: RecordOf<R, K>) => boolean,
    after?: R,
  ): Promise<RecordOf<R, K>>;
  next(predicate: (record: R) => boolean, after?: R): Promise<R>;
}

/**
 * What has happened in a stand-in cloud, to look through and to wait on.
 *
 * Up to `keep` records are held, and at least half of that; when it is full the older half goes.
 */
export class RecordLog<R extends { readonly at: string; readonly kind: string }> {
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

  /** `Recorded.next`, which says in its two forms what goes with what. */
  next(wanted: R["kind"] | ((record: R) => boolean), ...rest: readonly unknown[]): Promise<R> {
    if (typeof wanted === "function") return this.#next(wanted, rest[0] as R | undefined);
    const holds = (rest[0] ?? (() => true)) as (record: R) => boolean;
    return this.#next((record) => record.kind === wanted && holds(record), rest[1] as R | undefined);
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async #next(predicate: (record: R) => boolean, after?: R): Promise<R> {
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

  #more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }
}
