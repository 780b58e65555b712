import type { Block } from "./block.ts";

/** Blocks in the order of their sequence numbers. Where no two of them overlap, it finds the block of a record. */
export class BlockList {
  #blocks: Block[] = [];
  /** Those before it are gone. */
  #start = 0;
  /** How many behind it are gone too. */
  #gone = 0;

  /** Takes a block that is newer than all. */
  push(block: Block): void {
    this.#blocks.push(block);
  }

  insert(block: Block): void {
    this.#blocks.splice(this.#indexOf(block.seq) + 1, 0, block);
  }

  /** The block that a record stands in, if it is one of these. */
  of(seq: number): Block | undefined {
    const block = this.#at(seq);
    return block === undefined || block.isGone || block.lastSeq < seq ? undefined : block;
  }

  /** The block with this number. */
  get(seq: number): Block | undefined {
    const block = this.#at(seq);
    return block === undefined || block.isGone || block.seq !== seq ? undefined : block;
  }

  /** From the block on in which the records behind `afterSeq` begin. */
  *from(afterSeq: number): Generator<Block> {
    for (let at = Math.max(this.#start, this.#indexOf(afterSeq + 1)); at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as Block;
      if (!block.isGone) yield block;
    }
  }

  /** Newest first, from the one that `seq` is in or behind. */
  *back(seq: number): Generator<Block> {
    for (let at = this.#indexOf(seq); at >= this.#start; at--) {
      const block = this.#blocks[at] as Block;
      if (!block.isGone) yield block;
    }
  }

  /** Takes out those up to, and including, `seq`. */
  *shift(seq: number): Generator<Block> {
    for (; this.#start < this.#blocks.length; this.#start++) {
      const block = this.#blocks[this.#start] as Block;
      if (block.seq > seq) break;
      if (block.isGone) this.#gone--;
      else yield block;
    }
    this.#tidy();
  }

  /** One of these is gone now. */
  lost(): void {
    this.#gone++;
    while (this.#blocks[this.#start]?.isGone) {
      this.#start++;
      this.#gone--;
    }
    this.#tidy();
  }

  /** Takes out the others. */
  keep(wanted: (block: Block) => boolean): void {
    const blocks = this.#blocks;
    let kept = 0;
    for (let at = this.#start; at < blocks.length; at++) {
      const block = blocks[at] as Block;
      if (!block.isGone && wanted(block)) blocks[kept++] = block;
    }
    // In place, and one by one: an array that is left behind in the old generation keeps what it holds alive, and one that is
    // emptied at once has to ask for room again.
    while (blocks.length > kept) blocks.pop();
    this.#start = 0;
    this.#gone = 0;
  }

  /** Soon: what is gone and still here is moved by the garbage collector time and again. */
  #tidy(): void {
    const unused = this.#start + this.#gone;
    if (unused === this.#blocks.length || (unused > 4 && unused * 2 > this.#blocks.length)) this.keep(() => true);
  }

  /** The last block that does not begin behind `seq`, of those that have not been taken out. */
  #at(seq: number): Block | undefined {
    const at = this.#indexOf(seq);
    return at < this.#start ? undefined : this.#blocks[at];
  }

  /** Where that is; before the start, if there is none. */
  #indexOf(seq: number): number {
    const blocks = this.#blocks;
    let low = this.#start;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((blocks[middle] as Block).seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
