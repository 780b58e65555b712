import { createHash } from "node:crypto";

/**
 * The keys of the spool's store. Numbers are big-endian, so that the order of the bytes is the order of the numbers.
 *
 * | first byte | then | value |
 * |---|---|---|
 * | 1 | | what the spool is: see `stored.ts` |
 * | 2 | gateway | id, ledger and waiting bytes of a gateway |
 * | 3 | gateway, key | a fact |
 * | 4 | gateway, device | how much of a device is held and parked |
 * | 5 | gateway, device, seq, index | nothing: the message is held or parked |
 * | 6 | gateway, seq, index | nothing: the message is quarantined |
 * | 7 | seq | the fates of a record's messages, where they are not all pending |
 * | 8 | gateway, seq | nothing: the block has messages to be sent (for all but the newest blocks) |
 * | 9 | gateway, seq | nothing: the block has none, but others that wait (for all but the newest blocks) |
 * | 10 | seq | which records of a block are gone, where some are: see `block-codec.ts` |
 * | 255 | seq | a block of records of one gateway; a record by itself, where an earlier program wrote it |
 *
 * The sequence number of a block is that of its first record.
 *
 * Blocks come last: lmdb fills its pages to the brim only where keys are added behind all others. For the same reason
 * blocks are in the order of their arrival and not of their gateways.
 */
export const family = {
  meta: 1,
  gateway: 2,
  fact: 3,
  device: 4,
  waiting: 5,
  quarantined: 6,
  fates: 7,
  open: 8,
  waitingOnly: 9,
  gone: 10,
  block: 255,
} as const;

const seqLength = 6;
const gatewayLength = 4;

/** Of the only key of its family. */
export function singleKey(of: number): Buffer {
  return Buffer.from([of]);
}

/** Of a block, what is gone of it, or the fates of a record. */
export function seqKey(of: number, seq: number): Buffer {
  const key = Buffer.allocUnsafe(1 + seqLength);
  key[0] = of;
  key.writeUIntBE(seq, 1, seqLength);
  return key;
}

/** The same into a buffer of seven bytes that is used again. */
export function writeSeqKey(key: Buffer, of: number, seq: number): Buffer {
  key[0] = of;
  const high = Math.floor(seq / 0x1_0000_0000);
  key[1] = high >> 8;
  key[2] = high;
  key[3] = seq >>> 24;
  key[4] = seq >>> 16;
  key[5] = seq >>> 8;
  key[6] = seq;
  return key;
}

export function gatewayKey(of: number, gateway: number): Buffer {
  const key = Buffer.allocUnsafe(1 + gatewayLength);
  key[0] = of;
  key.writeUInt32BE(gateway, 1);
  return key;
}

/** The indexes of blocks. */
export type IndexFamily = typeof family.open | typeof family.waitingOnly;

/** Of a block in an index. */
export function indexKey(of: IndexFamily, gateway: number, seq: number): Buffer {
  const key = Buffer.allocUnsafe(1 + gatewayLength + seqLength);
  key[0] = of;
  key.writeUInt32BE(gateway, 1);
  key.writeUIntBE(seq, 1 + gatewayLength, seqLength);
  return key;
}

/** Of a fact or a device: any text, whatever its length. */
export function textKey(of: number, gateway: number, text: string): Buffer {
  return Buffer.concat([gatewayKey(of, gateway), encodeText(text)]);
}

export function waitingKey(gateway: number, device: string, ref: { seq: number; index: number }): Buffer {
  return Buffer.concat([textKey(family.waiting, gateway, device), refBytes(ref)]);
}

export function quarantinedKey(gateway: number, ref: { seq: number; index: number }): Buffer {
  return Buffer.concat([gatewayKey(family.quarantined, gateway), refBytes(ref)]);
}

/** The sequence number that a key ends with. */
export function seqOf(key: Buffer): number {
  return key.readUIntBE(key.length - seqLength, seqLength);
}

/** The message that a key ends with. */
export function refOf(key: Buffer): { seq: number; index: number } {
  const at = key.length - seqLength - 4;
  return { seq: key.readUIntBE(at, seqLength), index: key.readUInt32BE(at + seqLength) };
}

/** The key before this one, of those that are as long. */
export function keyBefore(key: Uint8Array): Buffer {
  const before = Buffer.from(key);
  for (let at = before.length - 1; at >= 0; at--) {
    const byte = before[at] as number;
    before[at] = byte - 1;
    if (byte > 0) break;
  }
  return before;
}

/** Where the keys end that begin with `prefix`. */
export function endOf(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    const byte = end[at] as number;
    if (byte === 255) continue;
    end[at] = byte + 1;
    return end.subarray(0, at + 1);
  }
  return Buffer.alloc(16, 255);
}

function refBytes({ seq, index }: { seq: number; index: number }): Buffer {
  const bytes = Buffer.allocUnsafe(seqLength + 4);
  bytes.writeUIntBE(seq, 0, seqLength);
  bytes.writeUInt32BE(index, seqLength);
  return bytes;
}

/** Longer texts are hashed, so that a key stays below lmdb's 1,978 bytes. */
const maxText = 1024;

/**
 * A text as bytes that no other text has and that show where they end: how it is written, its length, itself.
 *
 * UTF-8 is the same for every lone surrogate, and JSON can bring some; such texts are written as UTF-16.
 */
function encodeText(text: string): Buffer {
  const utf8 = Buffer.from(text, "utf8");
  const isExact = utf8.toString() === text;
  const bytes = isExact ? utf8 : Buffer.from(text, "utf16le");
  const kind = isExact ? 0 : 1;
  return bytes.length <= maxText
    ? withHead(kind, bytes)
    : withHead(kind + 2, createHash("sha256").update(bytes).digest());
}

function withHead(kind: number, bytes: Buffer): Buffer {
  const head = Buffer.allocUnsafe(3);
  head[0] = kind;
  head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
