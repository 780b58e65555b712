import { crc32 } from "node:zlib";
import type { Packet } from "../message/packet.ts";

/** A packet and what has to be known of it before it is decoded. */
export interface StoredRecord {
  /** The gateway's number in this spool. */
  readonly gateway: number;
  readonly packet: Packet;
  readonly arrivedMs: number;
  readonly dialect: string;
  /** How many messages it held on arrival. */
  readonly count: number;
  readonly isReply: boolean;
  /** Its bytes are not those that were written. */
  readonly isDamaged: boolean;
}

/** What a state needs of a record, without its texts. */
export interface RecordHead {
  readonly gateway: number;
  readonly count: number;
  readonly isReply: boolean;
  readonly payloadLength: number;
}

/** Where a record stands in a block's bytes. */
export interface RecordPlace {
  readonly from: number;
  /** Behind its last byte. */
  readonly to: number;
  /** By how much its sequence number is higher than the block's. */
  readonly offset: number;
  /** The how manieth it is, from 0. */
  readonly index: number;
}

/** The parts of a packet that a record is made of. */
export type RecordContent = Pick<StoredRecord, "packet" | "arrivedMs" | "dialect">;

const headLength = 20;
const replyBit = 0x04;
const checksumBit = 0x08;
const checksumLength = 4;
/** No record of a block is shorter. */
export const minLength = headLength + checksumLength;

/** Bytes that a record takes up. @throws {RangeError} for a topic or a dialect's name that is too long. */
export function recordLength({ dialect, packet }: RecordContent): number {
  return headLength + textsOf(dialect, packet.topic).bytes.length + packet.payload.length + checksumLength;
}

/**
 * Writes a record into `bytes`, where there is room for as much as `recordLength` says:
 *
 * | at | length | |
 * |---|---|---|
 * | 0 | 1 | QoS (bits 0 and 1), whether it is a reply (bit 2), whether it ends with a checksum (bit 3) |
 * | 1 | 1 | length of the dialect's name |
 * | 2 | 2 | length of the topic in UTF-8 |
 * | 4 | 4 | gateway |
 * | 8 | 4 | number of messages |
 * | 12 | 8 | arrival, Unix milliseconds, a double |
 * | 20 | | dialect, topic, payload |
 * | end | 4 | CRC-32 of all before it, begun with the record's offset in its block; records of format 1 have none |
 *
 * Numbers are little-endian.
 */
export function encodeRecord(
  { bytes, from, to, offset }: Omit<RecordPlace, "index"> & { readonly bytes: Buffer },
  { count, gateway, isReply }: Omit<RecordHead, "payloadLength">,
  { arrivedMs, dialect, packet: { payload, qos, topic } }: RecordContent,
): void {
  const texts = textsOf(dialect, topic);
  const end = to - checksumLength;
  bytes[from] = qos | checksumBit | (isReply ? replyBit : 0);
  bytes[from + 1] = texts.dialectLength;
  bytes.writeUInt16LE(texts.bytes.length - texts.dialectLength, from + 2);
  bytes.writeUInt32LE(gateway, from + 4);
  bytes.writeUInt32LE(count, from + 8);
  bytes.writeDoubleLE(arrivedMs, from + 12);
  bytes.set(texts.bytes, from + headLength);
  bytes.set(payload, end - payload.length);
  bytes.writeUInt32LE(crc32(bytes.subarray(from, end), offset), end);
}

/** Reads a record; its payload is a view of `bytes`. */
export function decodeRecord(bytes: Buffer, { from, to, offset }: RecordPlace): StoredRecord {
  const dialectAt = from + headLength;
  const topicAt = dialectAt + (bytes[from + 1] as number);
  const payloadAt = topicAt + bytes.readUInt16LE(from + 2);
  const end = endOf(bytes, from, to);
  return {
    gateway: bytes.readUInt32LE(from + 4),
    count: bytes.readUInt32LE(from + 8),
    arrivedMs: bytes.readDoubleLE(from + 12),
    isReply: isReply(bytes, from),
    isDamaged: end < to && crc32(bytes.subarray(from, end), offset) !== bytes.readUInt32LE(end),
    dialect: bytes.toString("utf8", dialectAt, topicAt),
    packet: {
      topic: bytes.toString("utf8", topicAt, payloadAt),
      payload: bytes.subarray(payloadAt, end),
      qos: ((bytes[from] as number) & 0x03) as 0 | 1 | 2,
    },
  };
}

export function decodeHead(bytes: Buffer, { from, to }: RecordPlace): RecordHead {
  return {
    gateway: bytes.readUInt32LE(from + 4),
    count: bytes.readUInt32LE(from + 8),
    isReply: isReply(bytes, from),
    payloadLength:
      endOf(bytes, from, to) - from - headLength - (bytes[from + 1] as number) - bytes.readUInt16LE(from + 2),
  };
}

interface Texts {
  readonly dialectLength: number;
  readonly bytes: Buffer;
}

/** Few topics are used again and again, so that what they look like is kept. */
const knownTexts = new Map<string, Map<string, Texts>>();
const maxTopics = 10_000;

function textsOf(dialect: string, topic: string): Texts {
  const topics = knownTexts.get(dialect) ?? new Map<string, Texts>();
  const known = topics.get(topic);
  if (known !== undefined) return known;
  const dialectLength = Buffer.byteLength(dialect);
  const bytes = Buffer.from(dialect + topic);
  if (dialectLength > 0xff) throw new RangeError(`Cannot store dialect "${dialect}": its name is too long`);
  if (bytes.length - dialectLength > 0xffff)
    throw new RangeError("Cannot store a packet: MQTT allows no topic so long");
  const texts = { dialectLength, bytes };
  if (topics.size >= maxTopics) topics.clear();
  topics.set(topic, texts);
  knownTexts.set(dialect, topics);
  return texts;
}

/** Where the payload ends. Only a record by itself may be without a checksum, and only in a block does one begin behind 0. */
function endOf(bytes: Buffer, from: number, to: number): number {
  return to - (from === 0 && ((bytes[from] as number) & checksumBit) === 0 ? 0 : checksumLength);
}

function isReply(bytes: Buffer, from: number): boolean {
  return ((bytes[from] as number) & replyBit) !== 0;
}
