import { keyBefore } from "./keys.ts";
import type { Store } from "./store.ts";

type Writes = Map<string, Buffer | undefined>;

const empty = Buffer.alloc(0);

/**
 * The small entries of a store, read with what is still to be written over them.
 *
 * What is put now is in the next transaction; what the running transaction could not write is in the next one too.
 */
export class PendingWrites {
  readonly #store: Store;
  #next: Writes = new Map();
  #running: Writes = new Map();

  constructor(store: Store) {
    this.#store = store;
  }

  get(key: Buffer): Buffer | undefined {
    const text = key.toString("latin1");
    if (this.#next.has(text)) return this.#next.get(text);
    if (this.#running.has(text)) return this.#running.get(text);
    return this.#store.get(key);
  }

  put(key: Buffer, value: Buffer = empty): void {
    this.#next.set(key.toString("latin1"), value);
  }

  remove(key: Buffer): void {
    this.#next.set(key.toString("latin1"), undefined);
  }

  /** Keys from `from` up to, not including, `to`, in order. Lazy; what is written while it is read may be missed. */
  *scanKeys(from: Buffer, to: Buffer): Generator<Buffer> {
    const over = this.#between(from.toString("latin1"), to.toString("latin1"));
    if (over.length === 0) {
      yield* this.#store.scanKeys(from, to);
      return;
    }
    let at = 0;
    for (const key of this.#store.scanKeys(from, to)) {
      const text = key.toString("latin1");
      for (; at < over.length && (over[at] as Change)[0] < text; at++) {
        const [added, value] = over[at] as Change;
        if (value !== undefined) yield Buffer.from(added, "latin1");
      }
      if (at < over.length && (over[at] as Change)[0] === text) {
        if ((over[at++] as Change)[1] !== undefined) yield key;
      } else yield key;
    }
    for (; at < over.length; at++) {
      const [added, value] = over[at] as Change;
      if (value !== undefined) yield Buffer.from(added, "latin1");
    }
  }

  /** The last key from `from` up to, and including, `upTo`, in a range where all keys are of one length. */
  lastKey(from: Buffer, upTo: Buffer): Buffer | undefined {
    const over = new Map(this.#between(from.toString("latin1"), `${upTo.toString("latin1")}\0`));
    let stored = this.#store.lastKey(from, upTo);
    for (let text = stored?.toString("latin1"); stored !== undefined; text = stored?.toString("latin1")) {
      if (!over.has(text as string) || over.get(text as string) !== undefined) break;
      stored = this.#store.lastKey(from, keyBefore(stored));
    }
    const added = [...over].filter(([, value]) => value !== undefined).at(-1)?.[0];
    if (added === undefined || (stored !== undefined && stored.toString("latin1") > added)) return stored;
    return Buffer.from(added, "latin1");
  }

  /** Hands everything to the store's transaction. */
  begin(): void {
    this.#running = this.#next;
    this.#next = new Map();
    for (const [text, value] of this.#running) {
      const key = Buffer.from(text, "latin1");
      if (value === undefined) this.#store.remove(key);
      else this.#store.put(key, value);
    }
  }

  succeeded(): void {
    this.#running = new Map();
  }

  failed(): void {
    for (const [key, value] of this.#next) this.#running.set(key, value);
    this.#next = this.#running;
    this.#running = new Map();
  }

  #between(from: string, to: string): Change[] {
    const found = new Map<string, Buffer | undefined>();
    for (const writes of [this.#running, this.#next]) {
      for (const [key, value] of writes) if (key >= from && key < to) found.set(key, value);
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

type Change = readonly [string, Buffer | undefined];
