import { readControlPacket } from "../mqtt/control-packet.ts";
import { skipProperties } from "../mqtt/properties.ts";

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
  const packet = readControlPacket(0x20, body, 5);
  if (packet instanceof Error || packet.cmd !== "connack") return undefined;
  const { reasonString, receiveMaximum, maximumPacketSize, serverKeepAlive, maximumQoS } = packet.properties ?? {};
  return { code, reasonString, receiveMaximum, maximumPacketSize, serverKeepAlive, maximumQoS };
}

/** Reads the body of a v5 DISCONNECT. */
export function readDisconnect(body: Buffer): { readonly code: number; readonly reasonString?: string | undefined } {
  const code = body[0] ?? 0;
  const packet = body.length > 1 ? readControlPacket(0xe0, body, 5) : undefined;
  const isRead = packet !== undefined && !(packet instanceof Error) && packet.cmd === "disconnect";
  return { code, reasonString: isRead ? packet.properties?.reasonString : undefined };
}

/** Reads a SUBACK: its packet id and a code per filter, unknown ones too. `undefined` when it is malformed. */
export function readSuback(body: Buffer, protocol: 3 | 4 | 5): { id: number; codes: number[] } | undefined {
  if (body.length < 2) return undefined;
  const start = protocol === 5 ? skipProperties(body, 2, body.length) : 2;
  return start === undefined ? undefined : { id: body.readUInt16BE(0), codes: [...body.subarray(start)] };
}
