import { encodeRecord, minLength, type RecordContent, type RecordHead, type RecordPlace } from "./record-codec.ts";

/**
 * A block, format 3: records of one gateway that were written in one transaction.
 *
 * | at | length | |
 * |---|---|---|
 * | 0 | 1 | 128: the first byte of a record by itself (formats 1 and 2) is smaller |
 * | 1 | | the records, see `record-codec.ts` |
 * | end - 2 - 8 n | 8 n | for each record: where it ends, and its sequence number less the block's; 4 bytes each |
 * | end - 2 | 2 | n, the number of records |
 *
 * Numbers are little-endian. A record has its own checksum, so that damage costs no more than the records that it is in.
 */
const marker = 0x80;
const entryLength = 8;
const countLength = 2;

/**
 * A block takes no more records than this: a value of this length fits into a page of lmdb, with the page's head, and all but
 * fills it. A record that is longer is a block by itself.
 */
const fullLength = 4064;

/** Puts a block together. */
export class BlockWriter {
  readonly #seq: number;
  #bytes: Buffer;
  #end = 1;
  readonly #ends: number[] = [];
  readonly #offsets: number[] = [];

  /** `seq`: the block's. `guess`: how many bytes it is going to be. */
  constructor(seq: number, guess: number) {
    this.#seq = seq;
    this.#bytes = Buffer.allocUnsafe(guess);
    this.#bytes[0] = marker;
  }

  /** Whether a record of so many bytes belongs into another block. */
  isFullFor(length: number): boolean {
    const count = this.#ends.length;
    return count > 0 && this.#end + length + (count + 1) * entryLength + countLength > fullLength;
  }

  /** Adds a record of `length` bytes (see `recordLength`), and gives the how manieth it is. */
  add(head: RecordHead & { readonly seq: number; readonly length: number }, content: RecordContent): number {
    const from = this.#end;
    const offset = head.seq - this.#seq;
    this.#extend(offset, head.length);
    encodeRecord({ bytes: this.#bytes, from, to: this.#end, offset }, head, content);
    return this.#ends.length - 1;
  }

  /** Adds a record as it stands in another value of the same block. */
  copy(value: Buffer, { from, offset, to }: RecordPlace): void {
    const at = this.#end;
    this.#extend(offset, to - from);
    value.copy(this.#bytes, at, from, to);
  }

  finish(): Buffer {
    const count = this.#ends.length;
    const length = this.#end + count * entryLength + countLength;
    this.#reserve(length);
    let at = this.#end;
    for (let index = 0; index < count; index++) {
      this.#bytes.writeUInt32LE(this.#ends[index] as number, at);
      this.#bytes.writeUInt32LE(this.#offsets[index] as number, at + 4);
      at += entryLength;
    }
    this.#bytes.writeUInt16LE(count, at);
    return this.#bytes.subarray(0, length);
  }

  #extend(offset: number, length: number): void {
    this.#reserve(this.#end + length);
    this.#end += length;
    this.#ends.push(this.#end);
    this.#offsets.push(offset);
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const longer = Buffer.allocUnsafe(Math.max(length, 2 * this.#bytes.length));
    this.#bytes.copy(longer);
    this.#bytes = longer;
  }
}

/** Whether it is a block, and not a record by itself. */
export function isBlock(value: Buffer): boolean {
  if (((value[0] as number) & marker) !== 0) return true;
  // A block whose first byte the disk has changed shows what it is by its table, which begins where its last record ends.
  const count = countOf(value);
  const table = value.length - countLength - count * entryLength;
  return count > 0 && table >= 1 + count * minLength && endAt(value, table, count - 1) === table;
}

/**
 * A class, and its parts one by one, as there is one for each record that is read: literals of this shape are changed one
 * by one into another by V8 once any of them had a fraction in it.
 */
class Place implements RecordPlace {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
  readonly index: number;

  constructor(from: number, to: number, offset: number, index: number) {
    this.from = from;
    this.to = to;
    this.offset = offset;
    this.index = index;
  }
}

/** A block does not say any more what is in it. */
export class BlockDamage extends Error {}

/** Reads, and has `damaged` make another error of `BlockDamage`. */
export function noticing<Result>(read: () => Result, damaged: (cause: Error) => Error): Result {
  try {
    return read();
  } catch (cause) {
    throw cause instanceof BlockDamage ? damaged(cause) : cause;
  }
}

/**
 * Where the records of a block stand, in order; a record by itself is all there is in its block. For an entry that makes no
 * sense, as the disk has changed it, something is given that does: what is read there is damaged then.
 *
 * @throws {BlockDamage} when not even the number of records makes sense.
 */
export function placesIn(value: Buffer): readonly RecordPlace[] {
  if (!isBlock(value)) return [new Place(0, value.length, 0, 0)];
  const { count, table } = tableOf(value);
  const places: RecordPlace[] = [];
  for (let index = 0, from = 1, least = 0; index < count; index++) {
    const to = endAt(value, table, index);
    const offset = Math.max(least, offsetAt(value, table, index));
    const isPlausible = to >= from + minLength && to <= table;
    places.push(new Place(from, isPlausible ? to : Math.min(from + minLength, table), offset, index));
    if (isPlausible) from = to;
    least = offset + 1;
  }
  return places;
}

/** Where the record stands whose sequence number is so much higher than the block's. @throws {BlockDamage} See `placesIn`. */
export function placeAt(value: Buffer, offset: number): RecordPlace | undefined {
  if (!isBlock(value)) return placesIn(value).find((place) => place.offset === offset);
  const { count, table } = tableOf(value);
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsetAt(value, table, middle) < offset) low = middle + 1;
    else high = middle;
  }
  const from = low === 0 ? 1 : endAt(value, table, low - 1);
  const to = endAt(value, table, low);
  const isPlausible = from > 0 && to >= from + minLength && to <= table;
  if (isPlausible && offsetAt(value, table, low) === offset) return new Place(from, to, offset, low);
  return placesIn(value).find((place) => place.offset === offset);
}

/** How many records there are, and where their table begins. */
function tableOf(value: Buffer): { readonly count: number; readonly table: number } {
  const count = countOf(value);
  const table = value.length - countLength - count * entryLength;
  if (count === 0 || table < 1 + count * minLength) throw new BlockDamage("a block is damaged");
  return { count, table };
}

function countOf(value: Buffer): number {
  return value.length < countLength ? 0 : value.readUInt16LE(value.length - countLength);
}

function endAt(value: Buffer, table: number, index: number): number {
  return value.readUInt32LE(table + index * entryLength);
}

function offsetAt(value: Buffer, table: number, index: number): number {
  return value.readUInt32LE(table + index * entryLength + 4);
}
