import { readSync } from "node:fs";

/** An lmdb data file: its descriptor, its length, and the length of its pages. */
export interface PagedFile {
  readonly file: number;
  readonly length: number;
  readonly pageSize: number;
}

/** lmdb's `MDB_page_header`, and the kinds of pages. */
const header = { number: 0, flags: 18, lower: 20, upper: 22, pages: 20, length: 24 } as const;
const branch = 0x01;
const leaf = 0x02;
const overflow = 0x04;

/** lmdb's `MDB_node`: size of the data, flags, length of the key, key, data. In a branch the first two are a page number. */
const node = { size: 0, flags: 4, keyLength: 6, length: 8 } as const;
const isInOverflow = 0x01;

/** Pages are read so many at a time. */
const pagesPerRead = 64;

/**
 * Whether the trees under these roots hold together: every page is there once, is what it must be, and its entries lie
 * within it. What the entries say is not looked at. A root that is no page number is that of an empty tree.
 */
export function isTreeSound(file: PagedFile, roots: readonly number[]): boolean {
  const pages = new Pages(file);
  const waiting = roots.filter((root) => Number.isSafeInteger(root));
  for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
    if (!pages.take(number, 1)) return false;
    const at = pages.find(number);
    if (at < 0 || !isPageSound(pages, at, waiting)) return false;
  }
  return true;
}

/** Looks at the page at `at` in the buffer and at its overflow pages, and adds the pages below it to `waiting`. */
function isPageSound(pages: Pages, at: number, waiting: number[]): boolean {
  const { bytes, pageSize } = pages;
  const flags = bytes.readUInt16LE(at + header.flags);
  const lower = bytes.readUInt16LE(at + header.lower);
  const upper = bytes.readUInt16LE(at + header.upper);
  if ((flags !== branch && flags !== leaf) || lower % 2 !== 0 || lower > upper) return false;
  if (header.length + upper > pageSize) return false;
  const overflows: { first: number; length: number }[] = [];
  for (let entry = header.length; entry < header.length + lower; entry += 2) {
    const place = header.length + bytes.readUInt16LE(at + entry);
    if (place + node.length > pageSize) return false;
    const size = bytes.readUInt32LE(at + place + node.size);
    const nodeFlags = bytes.readUInt16LE(at + place + node.flags);
    const data = place + node.length + bytes.readUInt16LE(at + place + node.keyLength);
    if (flags === branch) {
      if (data > pageSize) return false;
      waiting.push(size + nodeFlags * 2 ** 32);
    } else if ((nodeFlags & isInOverflow) === 0) {
      if (data + size > pageSize) return false;
    } else {
      if (data + 8 > pageSize) return false;
      overflows.push({ first: readNumber(bytes, at + data), length: size });
    }
  }
  return overflows.every(({ first, length }) => isOverflowSound(pages, first, length));
}

function isOverflowSound(pages: Pages, first: number, length: number): boolean {
  const count = Math.ceil((header.length + length) / pages.pageSize);
  if (!pages.take(first, count)) return false;
  const at = pages.find(first);
  if (at < 0 || pages.bytes.readUInt16LE(at + header.flags) !== overflow) return false;
  return pages.bytes.readUInt32LE(at + header.pages) >= count;
}

/** A number of eight bytes; beyond 2^53 it is no page in any case. */
export function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** Reads the pages of a file, and knows which were read. */
class Pages {
  readonly pageSize: number;
  /** Some pages of the file, those that were read last. */
  readonly bytes: Buffer;
  readonly #file: number;
  readonly #taken: Uint8Array;
  #first = 0;
  #count = 0;

  constructor({ file, length, pageSize }: PagedFile) {
    this.#file = file;
    this.pageSize = pageSize;
    this.bytes = Buffer.alloc(pagesPerRead * pageSize);
    this.#taken = new Uint8Array(Math.floor(length / pageSize));
  }

  /** Counts pages as used; each may be used once, and the two heads not at all. */
  take(first: number, count: number): boolean {
    if (!(first >= 2 && first + count <= this.#taken.length)) return false;
    for (let number = first; number < first + count; number++) {
      if (this.#taken[number] !== 0) return false;
      this.#taken[number] = 1;
    }
    return true;
  }

  /** Where a page begins in `bytes`; -1 when the page does not call itself so. */
  find(number: number): number {
    if (number < this.#first || number >= this.#first + this.#count) {
      this.#first = number - (number % pagesPerRead);
      const position = this.#first * this.pageSize;
      this.#count = Math.floor(readSync(this.#file, this.bytes, 0, this.bytes.length, position) / this.pageSize);
      if (number >= this.#first + this.#count) return -1;
    }
    const at = (number - this.#first) * this.pageSize;
    return readNumber(this.bytes, at + header.number) === number ? at : -1;
  }
}
