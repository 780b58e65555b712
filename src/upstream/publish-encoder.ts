import type { Packet } from "../message/packet.ts";

const publishQos1 = 0x32;
/** Header, longest remaining length, topic length, packet id, empty v5 properties. */
const overheadBytes = 1 + 4 + 2 + 2 + 1;
/** MQTT 3.1.1, 2.2.3: the largest remaining length. */
const maxRemainingBytes = 268_435_455;
const maxTopicBytes = 65_535;

/** An upper bound of a PUBLISH's bytes on the wire, cheap to get: no character of a topic takes more than three. */
export function publishBound(packet: Packet): number {
  return overheadBytes + 3 * packet.topic.length + packet.payload.length;
}

/** The exact bytes of a PUBLISH at QoS 1 on the wire; `undefined` when MQTT cannot carry it at any size limit. */
export function publishSize(packet: Packet, protocol: 3 | 4 | 5): number | undefined {
  const topicBytes = Buffer.byteLength(packet.topic);
  const remaining = 4 + topicBytes + (protocol === 5 ? 1 : 0) + packet.payload.length;
  if (topicBytes > maxTopicBytes || remaining > maxRemainingBytes) return undefined;
  return 1 + lengthBytes(remaining) + remaining;
}

/**
 * Writes a PUBLISH at QoS 1, not retained, without v5 properties, to `target` from `at` on, and returns where it ends.
 *
 * `target` must have room for `publishBound(packet)` bytes, and `publishSize` must be defined for it: neither is checked.
 * This exists because mqtt-packet builds a packet from about ten small writes.
 */
export function writePublish(target: Buffer, at: number, publish: OutgoingPublish): number {
  const { packet, id, protocol } = publish;
  const { topic, payload } = packet;
  const fixed = 4 + (protocol === 5 ? 1 : 0) + payload.length;
  // Nearly every topic is ASCII: then its length is known, and a loop beats two calls into the runtime.
  let topicBytes = isAscii(topic) ? topic.length : Buffer.byteLength(topic);
  let end = writeLength(target, at + 1, fixed + topicBytes);
  target[at] = publishQos1;
  target[end++] = topicBytes >>> 8;
  target[end++] = topicBytes & 0xff;
  if (topicBytes === topic.length) for (let i = 0; i < topicBytes; i++) target[end + i] = topic.charCodeAt(i);
  else topicBytes = target.write(topic, end);
  end += topicBytes;
  target[end++] = id >>> 8;
  target[end++] = id & 0xff;
  if (protocol === 5) target[end++] = 0;
  target.set(payload, end);
  return end + payload.length;
}

export interface OutgoingPublish {
  readonly packet: Packet;
  /** Packet identifier, 1 to 65535. */
  readonly id: number;
  readonly protocol: 3 | 4 | 5;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function writeLength(target: Buffer, at: number, length: number): number {
  let rest = length;
  let end = at;
  for (; rest > 0x7f; rest >>>= 7) target[end++] = (rest & 0x7f) | 0x80;
  target[end++] = rest;
  return end;
}

function lengthBytes(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x4000) return 2;
  return length < 0x200000 ? 3 : 4;
}
