import type { Block } from "./block.ts";

/** A block in which nothing went for so many transactions is taken to keep what is left for long. */
const rest = { usual: 64, tight: 4 } as const;
/** Blocks that have lost less of their bytes stay as they are. */
const leastLoss = { usual: 1 / 4, tight: 1 / 8 } as const;
/** How much is written anew in one transaction, unless far more than that comes with it. */
const usualBytes = 256 * 1024;

/**
 * Blocks that take up room for records that are gone, those first in which nothing went for the longest time. They are
 * written anew without them once no more goes: most blocks are gone before it comes to that.
 */
export class ThinBlocks {
  size = 0;
  /**
   * Blocks name their neighbours themselves, as long as they are in. A `Set` that so much comes to and goes from is copied time
   * and again, and its copies that were moved to the old generation keep all later ones alive.
   */
  #first: Block | undefined;
  #last: Block | undefined;

  /** A record of it went, in the transaction of this number. */
  add(block: Block, transaction: number): void {
    this.delete(block);
    block.thinSince = transaction;
    block.thinBefore = this.#last;
    if (this.#last === undefined) this.#first = block;
    else this.#last.thinAfter = block;
    this.#last = block;
    this.size++;
  }

  delete(block: Block): void {
    if (block.thinSince === undefined) return;
    const { thinAfter, thinBefore } = block;
    if (thinBefore === undefined) this.#first = thinAfter;
    else thinBefore.thinAfter = thinAfter;
    if (thinAfter === undefined) this.#last = thinBefore;
    else thinAfter.thinBefore = thinBefore;
    block.thinSince = undefined;
    block.thinBefore = undefined;
    block.thinAfter = undefined;
    this.size--;
  }

  /**
   * Takes out those that are to be written anew in the transaction of this number. `room`: how much there is on the disk;
   * `atLeast`: so many bytes of them, if there are so many, or what comes would run away from what goes.
   */
  take(transaction: number, room: "usual" | "tight", atLeast: number): readonly Block[] {
    const taken: Block[] = [];
    const maxBytes = Math.max(usualBytes, atLeast);
    let bytes = 0;
    for (let block = this.#first; block !== undefined; block = this.#first) {
      if (bytes >= maxBytes || transaction - (block.thinSince ?? 0) < rest[room]) break;
      this.delete(block);
      if (block.goneLength < block.length * leastLoss[room]) continue;
      taken.push(block);
      bytes += block.length;
    }
    return taken;
  }
}
