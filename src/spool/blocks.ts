import type { Batch } from "./batch.ts";
import type { Block, Thinned } from "./block.ts";
import { noticing, placeAt } from "./block-codec.ts";
import { BlockList } from "./block-list.ts";
import {
  endOf,
  family,
  gatewayKey,
  type IndexFamily,
  indexKey,
  seqKey,
  seqOf,
  singleKey,
  writeSeqKey,
} from "./keys.ts";
import { loadBlock } from "./load-block.ts";
import type { PendingWrites } from "./pending-writes.ts";
import { decodeRecord, type StoredRecord } from "./record-codec.ts";
import type { RecordState } from "./record-state.ts";
import type { Store } from "./store.ts";
import { ThinBlocks } from "./thin-blocks.ts";

const none: RecordState[] = [];

export interface BlocksParts {
  readonly store: Store;
  readonly writes: PendingWrites;
  /** By their numbers. */
  readonly gateways: readonly (BlockOwner | undefined)[];
  /** How many records are kept in memory at least, once they are there. */
  readonly span: number;
  /** Makes an error of damage. */
  readonly damaged: (cause: Error) => Error;
}

/** A gateway's blocks that are in memory. */
export interface BlockOwner {
  /** Those above the floor: all of them. */
  readonly newest: BlockList;
  /** Those up to the floor that are in use. */
  readonly old: BlockList;
  /** Those that are not on disk yet. */
  readonly unsynced: BlockList;
}

/**
 * The blocks of all gateways, in memory and on disk. What the disk has changes only with a transaction, so that what is
 * in memory of a block follows it when that has succeeded.
 */
export class Blocks {
  /** Blocks above it are all in memory; those up to it stand in the indexes. No block is on both sides of it. */
  floor = 0;
  readonly #parts: BlocksParts;
  readonly #newest = new BlockList();
  readonly #thin = new ThinBlocks();
  readonly #scratch = Buffer.alloc(7);
  /** Transactions that were begun. */
  #transaction = 0;
  /** Records that came into memory up to the floor since it was last emptied of them. */
  #old = 0;
  #lastRead: { readonly block: Block; readonly value: Buffer } | undefined;

  constructor(parts: BlocksParts) {
    this.#parts = parts;
  }

  /** Whether there are blocks to be written anew. */
  get areThin(): boolean {
    return this.#thin.size > 0;
  }

  restore(floor: number): void {
    const { damaged, store } = this.#parts;
    this.floor = floor;
    for (const [key, value] of store.scan(seqKey(family.block, floor + 1), endOf(singleKey(family.block)))) {
      const block = noticing(() => loadBlock(store, seqOf(key), value), damaged);
      this.#keep(block);
      if (block.goneLength > 0) this.#thin.add(block, this.#transaction);
    }
  }

  /** A record as it is on disk. */
  recordOf({ block, seq }: RecordState): StoredRecord | undefined {
    const value = block && this.#valueOf(block);
    if (block === undefined || value === undefined) return undefined;
    // Found by the value itself: what is known of the block may be older or newer than what is read.
    const place = noticing(() => placeAt(value, seq - block.seq), this.#parts.damaged);
    return place && decodeRecord(value, place);
  }

  /** The number of the block that a record of a gateway stands in, if it is one up to the floor. */
  find(gateway: number, seq: number): number | undefined {
    const { store, writes } = this.#parts;
    // A record that an earlier program wrote stands in the index only while it is open.
    if (store.get(writeSeqKey(this.#scratch, family.block, seq)) !== undefined) return seq;
    const before = ([family.open, family.waitingOnly] as const).flatMap((of) => {
      const key = writes.lastKey(gatewayKey(of, gateway), indexKey(of, gateway, seq));
      return key === undefined ? [] : [seqOf(key)];
    });
    return before.length === 0 ? undefined : Math.max(...before);
  }

  /** A block of a gateway from the disk; of none may there be two in memory. */
  load(gateway: number, seq: number): Block | undefined {
    const { damaged, store } = this.#parts;
    const value = store.get(writeSeqKey(this.#scratch, family.block, seq));
    const block = value && noticing(() => loadBlock(store, seq, value), damaged);
    if (value === undefined || block?.gateway !== gateway) return undefined;
    this.#lastRead = { block, value };
    block.isOld = true;
    block.index = indexOf(block);
    this.#old += block.states.length;
    if (block.goneLength > 0) this.#thin.add(block, this.#transaction);
    return block;
  }

  /** The fates in a record of a block have changed; whether it is gone with that. */
  changed(block: Block, state: RecordState, batch: Batch): boolean {
    if (!block.isDirty) {
      block.isDirty = true;
      batch.dirty.push(block);
    }
    const isGone = block.recount(state);
    if (block.isOld) this.#index(block);
    return isGone;
  }

  /** Takes a new block into the transaction. */
  add(block: Block, batch: Batch): void {
    batch.blocks.push(block);
    this.#parts.gateways[block.gateway]?.unsynced.push(block);
  }

  /** The new blocks of a transaction are not written. */
  refuse(batch: Batch): void {
    for (const block of batch.blocks.splice(0)) {
      block.writer = undefined;
      block.isWritten = false;
      block.isGone = true;
      this.#parts.gateways[block.gateway]?.unsynced.lost();
    }
  }

  /** The transaction is about to be put together: what changes from here on belongs to the next. */
  begin(batch: Batch): void {
    this.#transaction++;
    for (const block of batch.dirty) block.isDirty = false;
  }

  /** Puts the older half of the newest blocks, those that are still here, into the indexes. */
  raiseFloor(lastSynced: number): void {
    const { gateways, span } = this.#parts;
    if (lastSynced - this.floor <= span) return;
    let floor = lastSynced - Math.floor(span / 2);
    for (const { lastSeq, seq } of this.#newest.back(floor)) if (lastSeq > floor) floor = seq - 1;
    if (floor <= this.floor) return;
    for (const block of this.#newest.shift(floor)) {
      const owner = gateways[block.gateway];
      for (const each of owner?.newest.shift(block.seq) ?? []) owner?.old.push(each);
      block.isOld = true;
      this.#index(block);
      this.#old += block.states.length;
    }
    this.floor = floor;
  }

  /** Puts what has changed into the store's transaction. `room`: how much there is on the disk. */
  write(batch: Batch, room: "usual" | "tight"): void {
    const { store } = this.#parts;
    const key = (of: number, block: Block) => writeSeqKey(this.#scratch, of, block.seq);
    for (const block of batch.blocks) {
      if (block.left > 0) store.put(key(family.block, block), block.finish());
      block.writer = undefined;
    }
    for (const block of batch.dirty) {
      if (!block.isWritten) continue;
      if (block.left === 0) {
        this.#thin.delete(block);
        store.remove(key(family.block, block));
        if (block.isNoted) store.remove(key(family.gone, block));
      } else if (block.hasLess) {
        this.#thin.add(block, this.#transaction);
        block.hasLess = false;
        block.isNoted = true;
        store.put(key(family.gone, block), block.gone().bytes);
      }
    }
    for (const block of this.#thin.take(this.#transaction, room, 2 * batch.bytes)) {
      const thinned = this.#withoutGone(block);
      if (thinned === undefined) continue;
      batch.thinned.push(thinned);
      store.put(key(family.block, block), thinned.value);
      store.remove(key(family.gone, block));
    }
  }

  /** The transaction is on disk; `next` is the one behind it. */
  succeeded(batch: Batch, next: Batch): void {
    for (const block of batch.blocks) {
      for (const synced of this.#parts.gateways[block.gateway]?.unsynced.shift(block.seq) ?? [])
        if (synced.isWritten) this.#keep(synced);
    }
    for (const thinned of batch.thinned) this.#thinned(thinned, next);
    // A block whose last record went meanwhile is still there until the next.
    for (const block of batch.dirty) if (block.left === 0 && !block.isDirty) this.#forget(block);
    if (this.#old <= this.#parts.span) return;
    this.#old = 0;
    for (const owner of this.#parts.gateways) owner?.old.keep(isInUse);
  }

  /** Nothing of the transaction is on disk, and its new blocks are refused. */
  failed(batch: Batch, next: Batch): void {
    for (const block of batch.dirty) {
      block.hasLess = block.goneLength > 0;
      if (block.isDirty) continue;
      block.isDirty = true;
      next.dirty.push(block);
    }
    for (const { block } of batch.thinned) if (block.left > 0) this.#thin.add(block, this.#transaction);
  }

  #valueOf(block: Block): Buffer | undefined {
    if (this.#lastRead?.block === block) return this.#lastRead.value;
    const value = this.#parts.store.get(writeSeqKey(this.#scratch, family.block, block.seq));
    this.#lastRead = value && { block, value };
    return value;
  }

  /** Nothing for a block that cannot be read: it stays as it is for whoever asks for it. */
  #withoutGone(block: Block): Thinned | undefined {
    try {
      const value = this.#valueOf(block);
      return value && block.withoutGone(value);
    } catch {
      return undefined;
    }
  }

  /** Puts a block up to the floor into the index that it belongs into. */
  #index(block: Block): void {
    const { gateway, index: before, seq } = block;
    const index = indexOf(block);
    if (index === before) return;
    block.index = index;
    if (before !== undefined) this.#parts.writes.remove(indexKey(before, gateway, seq));
    if (index !== undefined) this.#parts.writes.put(indexKey(index, gateway, seq));
  }

  #keep(block: Block): void {
    this.#newest.push(block);
    this.#parts.gateways[block.gateway]?.newest.push(block);
  }

  #forget(block: Block): void {
    if (block.isGone || !block.isWritten) return;
    block.isGone = true;
    block.states = none;
    if (this.#lastRead?.block === block) this.#lastRead = undefined;
    const owner = this.#parts.gateways[block.gateway];
    if (block.isOld) owner?.old.lost();
    else {
      this.#newest.lost();
      owner?.newest.lost();
    }
  }

  #thinned(thinned: Thinned, next: Batch): void {
    const { block } = thinned;
    block.thinned(thinned);
    if (this.#lastRead?.block === block) this.#lastRead = undefined;
    if (!block.hasLess || block.isDirty) return;
    block.isDirty = true;
    next.dirty.push(block);
  }
}

/** Of a block up to the floor. A record by itself is found without an index. */
function indexOf({ isSingle, left, open }: Block): IndexFamily | undefined {
  if (open > 0) return family.open;
  return left === 0 || isSingle ? undefined : family.waitingOnly;
}

/** Whether a block up to the floor cannot be read again as it is. */
function isInUse({ isDirty, thinSince }: Block): boolean {
  return isDirty || thinSince !== undefined;
}
