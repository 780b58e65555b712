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

const headLength = 20;
const replyBit = 0x04;
const checksumBit = 0x08;
const checksumLength = 4;

/**
 * Writes a record, format 2:
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
 * | end | 4 | CRC-32 of all before it; records of format 1 have none |
 *
 * Numbers are little-endian.
 */
export function encodeRecord(
  head: RecordHead,
  arrival: Pick<StoredRecord, "packet" | "arrivedMs" | "dialect">,
): Buffer {
  const { topic, payload, qos } = arrival.packet;
  const texts = textsOf(arrival.dialect, topic);
  const payloadAt = headLength + texts.bytes.length;
  const end = payloadAt + payload.length;
  const bytes = Buffer.allocUnsafe(end + checksumLength);
  bytes[0] = qos | checksumBit | (head.isReply ? replyBit : 0);
  bytes[1] = texts.dialectLength;
  bytes.writeUInt16LE(texts.bytes.length - texts.dialectLength, 2);
  bytes.writeUInt32LE(head.gateway, 4);
  bytes.writeUInt32LE(head.count, 8);
  bytes.writeDoubleLE(arrival.arrivedMs, 12);
  bytes.set(texts.bytes, headLength);
  bytes.set(payload, payloadAt);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end);
  return bytes;
}

/** Reads a record; its payload is a view of `bytes`. */
export function decodeRecord(bytes: Buffer): StoredRecord {
  const topicAt = headLength + (bytes[1] as number);
  const payloadAt = topicAt + bytes.readUInt16LE(2);
  const end = endOf(bytes);
  return {
    gateway: bytes.readUInt32LE(4),
    count: bytes.readUInt32LE(8),
    arrivedMs: bytes.readDoubleLE(12),
    isReply: isReply(bytes),
    isDamaged: end < bytes.length && crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end),
    dialect: bytes.toString("utf8", headLength, topicAt),
    packet: {
      topic: bytes.toString("utf8", topicAt, payloadAt),
      payload: bytes.subarray(payloadAt, end),
      qos: ((bytes[0] as number) & 0x03) as 0 | 1 | 2,
    },
  };
}

export function decodeHead(bytes: Buffer): RecordHead {
  return {
    gateway: bytes.readUInt32LE(4),
    count: bytes.readUInt32LE(8),
    isReply: isReply(bytes),
    payloadLength: endOf(bytes) - headLength - (bytes[1] as number) - bytes.readUInt16LE(2),
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

/** Where the payload ends. */
function endOf(bytes: Buffer): number {
  return bytes.length - (((bytes[0] as number) & checksumBit) === 0 ? 0 : checksumLength);
}

function isReply(bytes: Buffer): boolean {
  return ((bytes[0] as number) & replyBit) !== 0;
}
