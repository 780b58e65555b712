import { type Packet as MqttPacket, parser } from "mqtt-packet";
import type { Packet } from "../message/packet.ts";

/** What a server says in its CONNACK. Absent limits do not exist. */
export interface Connack {
  readonly code: number;
  readonly reasonString?: string | undefined;
  /** Publishes at QoS 1 that may be unacknowledged. */
  readonly receiveMaximum?: number | undefined;
  /** Bytes of a whole packet that the server takes. */
  readonly maximumPacketSize?: number | undefined;
  /** Seconds; the server's wish goes before ours. */
  readonly serverKeepAlive?: number | undefined;
  readonly maximumQoS?: number | undefined;
}

/** Reads the body of a CONNACK; `undefined` when it is none. Codes that no standard knows are read like any other. */
export function readConnack(body: Buffer, protocol: 3 | 4 | 5): Connack | undefined {
  const code = body[1];
  if (code === undefined || (body[0] ?? 0) > 1) return undefined;
  // A server that does not speak MQTT 5 refuses with the two bytes of 3.1.1.
  if (protocol !== 5 || body.length === 2) return { code };
  const packet = parseV5(0x20, body);
  if (packet?.cmd !== "connack") return undefined;
  const { reasonString, receiveMaximum, maximumPacketSize, serverKeepAlive, maximumQoS } = packet.properties ?? {};
  return { code, reasonString, receiveMaximum, maximumPacketSize, serverKeepAlive, maximumQoS };
}

/** Reads the body of a v5 DISCONNECT. */
export function readDisconnect(body: Buffer): { readonly code: number; readonly reasonString?: string | undefined } {
  const code = body[0] ?? 0;
  const packet = body.length > 1 ? parseV5(0xe0, body) : undefined;
  return { code, reasonString: packet?.cmd === "disconnect" ? packet.properties?.reasonString : undefined };
}

/** Reads the body of a PUBLISH; the payload is a copy. `undefined` when it is malformed. */
export function readPublish(header: number, body: Buffer, protocol: 3 | 4 | 5): InboundPublish | undefined {
  const qos = (header >>> 1) & 3;
  if (qos === 3 || body.length < 2) return undefined;
  const topicEnd = 2 + body.readUInt16BE(0);
  const idEnd = topicEnd + (qos > 0 ? 2 : 0);
  if (idEnd > body.length) return undefined;
  const id = qos > 0 ? body.readUInt16BE(topicEnd) : 0;
  const start = protocol === 5 ? skipProperties(body, idEnd) : idEnd;
  // An empty topic would be a topic alias, which is not ours to get: we announce none (MQTT 5, 3.3.2.3.4).
  if (start === undefined || topicEnd === 2 || (qos > 0 && id === 0)) return undefined;
  const topic = body.toString("utf8", 2, topicEnd);
  const payload = new Uint8Array(body.subarray(start));
  return { id, packet: { topic, payload, qos: qos as 0 | 1 | 2 } };
}

export interface InboundPublish {
  /** Packet identifier; 0 at QoS 0. */
  readonly id: number;
  readonly packet: Packet;
}

/** Reads a SUBACK: its packet id and a code per filter, unknown ones too. `undefined` when it is malformed. */
export function readSuback(body: Buffer, protocol: 3 | 4 | 5): { id: number; codes: number[] } | undefined {
  if (body.length < 2) return undefined;
  const start = protocol === 5 ? skipProperties(body, 2) : 2;
  return start === undefined ? undefined : { id: body.readUInt16BE(0), codes: [...body.subarray(start)] };
}

/** Where the v5 properties that begin at `at` end. */
function skipProperties(body: Buffer, at: number): number | undefined {
  let length = 0;
  let start = at;
  for (let shift = 0; ; shift += 7) {
    const byte = body[start++];
    if (byte === undefined || shift > 21) return undefined;
    length += (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return start + length <= body.length ? start + length : undefined;
}

/** Reads a packet with properties by mqtt-packet, which knows them all. */
function parseV5(header: number, body: Buffer): MqttPacket | undefined {
  let found: MqttPacket | undefined;
  const reader = parser({ protocolVersion: 5 });
  reader.on("packet", (packet) => {
    found = packet;
  });
  reader.on("error", () => undefined);
  try {
    reader.parse(withHeader(header, body));
  } catch {
    return undefined; // It reads past the end of some truncated properties.
  }
  return found;
}

function withHeader(header: number, body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([header, ...length, rest]), body]);
}
