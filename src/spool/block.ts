import { BlockWriter, placesIn } from "./block-codec.ts";
import { Gone } from "./gone.ts";
import type { IndexFamily } from "./keys.ts";
import type { RecordContent } from "./record-codec.ts";
import type { RecordState } from "./record-state.ts";

/** Records of one gateway that are one value on disk, and what became of them; in memory for the newest and for those in use. */
export class Block {
  /** That of its first record; the block keeps it when that is gone. */
  readonly seq: number;
  /** The gateway's number in this spool. */
  readonly gateway: number;
  lastSeq: number;
  /** In order; those that are gone stay among them until the block is written anew. */
  states: RecordState[] = [];
  /** Records that its value holds. */
  count = 0;
  /** Bytes of its value, and those of the records in it that are gone. */
  length = 0;
  goneLength = 0;
  /** Records with something left in them. */
  left = 0;
  /** Records with messages to be sent. */
  open = 0;
  /** Puts the value together, until the transaction is begun. */
  writer: BlockWriter | undefined = undefined;
  /** Whether the value is on disk or in the transaction that is under way. */
  isWritten = false;
  /** Whether it is a record by itself, as earlier programs wrote it. */
  isSingle = false;
  /** Whether it is not among the newest, so that it stands in an index. */
  isOld = false;
  index: IndexFamily | undefined = undefined;
  /** Whether it has changed since the last transaction was begun, and whether a record went. */
  isDirty = false;
  hasLess = false;
  /** Whether it is noted on disk which records are gone. */
  isNoted = false;
  /** The transaction in which a record last went; `undefined`: it does not wait to be written anew. */
  thinSince: number | undefined = undefined;
  thinBefore: Block | undefined = undefined;
  thinAfter: Block | undefined = undefined;
  /** Whether it is off the disk. */
  isGone = false;

  constructor(seq: number, gateway: number) {
    this.seq = seq;
    this.gateway = gateway;
    this.lastSeq = seq;
  }

  /** Takes a new record. */
  write(state: RecordState, content: RecordContent): void {
    state.at = (this.writer as BlockWriter).add(state, content);
    this.add(state);
    this.lastSeq = state.seq;
  }

  add(state: RecordState): void {
    state.block = this;
    state.isCountedOpen = state.open > 0;
    this.states.push(state);
    this.left++;
    if (state.isCountedOpen) this.open++;
  }

  /** Of a record that is in it; gone ones may be. */
  find(seq: number): RecordState | undefined {
    const { states } = this;
    let low = 0;
    let high = states.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((states[middle] as RecordState).seq < seq) low = middle + 1;
      else high = middle;
    }
    const found = states[low];
    return found?.seq === seq ? found : undefined;
  }

  /** Counts a record anew whose fates have changed; whether it went. */
  recount(state: RecordState): boolean {
    const isOpen = state.open > 0;
    if (isOpen !== state.isCountedOpen) {
      state.isCountedOpen = isOpen;
      this.open += isOpen ? 1 : -1;
    }
    if (state.left > 0) return false;
    this.left--;
    this.goneLength += state.length;
    this.hasLess = true;
    return true;
  }

  /** The value to be written first. */
  finish(): Buffer {
    const value = (this.writer as BlockWriter).finish();
    this.count = this.states.length;
    this.length = value.length;
    this.isWritten = true;
    const thinned = this.goneLength === 0 ? undefined : this.withoutGone(value);
    if (thinned === undefined) return value;
    this.thinned(thinned);
    return thinned.value;
  }

  /** What its value is without the records that are gone; `value` is what it is now. Nothing where that is damaged. */
  withoutGone(value: Buffer): Thinned | undefined {
    const states = this.states.filter(({ left }) => left > 0);
    const writer = new BlockWriter(this.seq, Math.max(64, this.length - this.goneLength));
    const places = placesIn(value);
    for (const { at, seq } of states) {
      const place = places[at];
      if (place?.offset !== seq - this.seq) return undefined;
      writer.copy(value, place);
    }
    return { block: this, states, value: writer.finish() };
  }

  /** Its value is that now. */
  thinned({ states, value }: Thinned): void {
    this.states = states;
    this.count = states.length;
    this.length = value.length;
    this.goneLength = 0;
    this.hasLess = false;
    this.isNoted = false;
    for (const [at, state] of states.entries()) {
      state.at = at;
      if (state.left > 0) continue;
      this.goneLength += state.length;
      this.hasLess = true;
    }
  }

  /** Which records of its value are gone. */
  gone(): Gone {
    const gone = Gone.all(this.count);
    for (const { at, left } of this.states) if (left > 0) gone.delete(at);
    return gone;
  }
}

/** A block as it is written anew. */
export interface Thinned {
  readonly block: Block;
  readonly states: RecordState[];
  readonly value: Buffer;
}
