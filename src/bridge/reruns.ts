import type { MessageRef } from "../message/fate.ts";

/** A record to be handed to the rules again. */
export interface Rerun {
  readonly seq: number;
  /** Only these messages; absent: all that are open. */
  readonly indexes?: ReadonlySet<number>;
}

/**
 * Records that lie behind the place up to which a gateway's spool has been read, and have to be read again: in their
 * order, each once. Small: a number for each.
 */
export class Reruns {
  readonly #seqs: number[] = [];
  readonly #known = new Set<number>();
  readonly #indexes = new Map<number, Set<number>>();
  #isSorted = true;

  get size(): number {
    return this.#known.size;
  }

  /** @param isShared Other messages of the record are under way, and are not to be handed over twice. */
  add({ seq, index }: MessageRef, { isShared }: { readonly isShared: boolean }): void {
    if (this.#known.has(seq)) {
      this.#indexes.get(seq)?.add(index);
      return;
    }
    this.#seqs.push(seq);
    this.#isSorted = false;
    this.#known.add(seq);
    if (isShared) this.#indexes.set(seq, new Set([index]));
  }

  /** Whether the record still waits to be handed over. */
  has(seq: number): boolean {
    return this.#known.has(seq);
  }

  /** Takes the oldest one out. */
  take(): Rerun | undefined {
    // Newest first, so that the oldest one is at the end.
    if (!this.#isSorted) this.#seqs.sort((a, b) => b - a);
    this.#isSorted = true;
    const seq = this.#seqs.pop();
    if (seq === undefined) return undefined;
    const indexes = this.#indexes.get(seq);
    this.#known.delete(seq);
    this.#indexes.delete(seq);
    return { seq, ...(indexes === undefined ? {} : { indexes }) };
  }
}
