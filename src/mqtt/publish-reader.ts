import type { Packet } from "../message/packet.ts";
import { skipProperties } from "./properties.ts";

/**
 * Reads the bodies of one connection's PUBLISH packets.
 *
 * A gateway publishes to one topic nearly always: its text is kept and used again while the topic is the same, which spares
 * decoding it, and everybody who looks it up hashing it.
 */
export class PublishReader {
  /** Of the PUBLISH that was read last: its packet identifier, 0 at QoS 0. */
  id = 0;
  isRetained = false;
  /** There are v5 properties, of which nothing is read here. */
  hasProperties = false;
  readonly #protocol: 3 | 4 | 5;
  #topic = "";
  /** Whether the bytes of that topic are its character codes, so that they can be compared. */
  #isPlain = false;

  constructor(protocol: 3 | 4 | 5) {
    this.#protocol = protocol;
  }

  /**
   * Reads the body that stands in `bytes` from `start` to `end`; `undefined` when it is malformed. The payload is a view of
   * the bytes that were read.
   */
  read(header: number, bytes: Buffer, start: number, end: number): Packet | undefined {
    const qos = (header >>> 1) & 3;
    if (qos === 3 || end - start < 2) return undefined;
    const topicEnd = start + 2 + read16(bytes, start);
    const idEnd = topicEnd + (qos > 0 ? 2 : 0);
    if (idEnd > end) return undefined;
    const payloadAt = this.#protocol === 5 ? skipProperties(bytes, idEnd, end) : idEnd;
    if (payloadAt === undefined) return undefined;
    const topic = this.#topicOf(bytes, start + 2, topicEnd);
    const payload = bytes.subarray(payloadAt, end);
    this.id = qos > 0 ? read16(bytes, topicEnd) : 0;
    this.isRetained = (header & 1) !== 0;
    this.hasProperties = payloadAt > idEnd + 1;
    return { topic, payload, qos: qos as 0 | 1 | 2 };
  }

  #topicOf(bytes: Buffer, start: number, end: number): string {
    const known = this.#topic;
    let same = this.#isPlain && end - start === known.length;
    for (let i = 0; same && i < known.length; i++) same = bytes[start + i] === known.charCodeAt(i);
    if (same) return known;
    this.#topic = bytes.toString("utf8", start, end);
    this.#isPlain = isAscii(this.#topic);
    return this.#topic;
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
