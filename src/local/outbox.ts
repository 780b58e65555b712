import type { Packet } from "../message/packet.ts";
import { printControlPacket } from "../mqtt/control-packet.ts";
import type { Granted } from "./subscriptions.ts";
import type { Tuning } from "./tuning.ts";
import type { Wire } from "./wire.ts";
import type { LocalClient } from "./wiring.ts";

/** MQTT 5 reason code (2.4). */
const quotaExceeded = 0x97;

/** What became of a packet for a gateway. */
export type Delivery = "acknowledged" | "written" | "offline" | "unsubscribed" | "rejected";

/** The session that an `Outbox` is part of. */
export interface Delivering {
  readonly client: LocalClient;
  readonly wire: Wire;
  readonly tuning: Tuning;
  /** Ends the connection. */
  end(code: number, reason: string): void;
}

/** What an MQTT 5 client said in CONNECT; absent: no limit. */
export interface ClientLimits {
  /** Packets that may be unacknowledged at once. */
  readonly receiveMaximum?: number;
  readonly maxPacketBytes?: number;
}

interface Outgoing {
  /** The whole PUBLISH, with zeros for its packet id. */
  readonly bytes: Buffer;
  readonly idAt: number;
  readonly settle: (delivery: Delivery) => void;
}

interface Sent {
  readonly sentMs: number;
  readonly settle: (delivery: Delivery) => void;
}

/**
 * Packets on their way to one connection. Nothing is sent twice and nothing outlives the connection: what is not
 * acknowledged when it ends is `offline`.
 */
export class Outbox {
  readonly #session: Delivering;
  readonly #window: number;
  readonly #maxPacketBytes: number;
  #sent: Map<number, Sent> | undefined;
  #waiting: Outgoing[] | undefined;
  #waitingBytes = 0;
  #lastId = 0;
  #closed = false;

  constructor(session: Delivering, { receiveMaximum, maxPacketBytes }: ClientLimits) {
    const { window } = session.tuning;
    this.#session = session;
    this.#window = Math.min(window, receiveMaximum ?? window);
    this.#maxPacketBytes = maxPacketBytes ?? Number.POSITIVE_INFINITY;
  }

  /** When the packet that has been unacknowledged for longest was sent. */
  get oldestSentMs(): number | undefined {
    return this.#sent?.values().next().value?.sentMs;
  }

  /** Resolves `acknowledged` at PUBACK, `written` at once for QoS 0, `rejected` when the client refuses or cannot take it. */
  send(packet: Packet, qos: 0 | 1, subscription: Granted | undefined): Promise<Delivery> {
    const { client, tuning, wire } = this.#session;
    const outgoing = print(packet, qos, { protocol: client.protocol, subscription });
    if (outgoing.bytes.length > this.#maxPacketBytes) return Promise.resolve("rejected");
    if (this.#closed) return Promise.resolve("offline");
    if (qos === 0) {
      wire.send(outgoing.bytes);
      return Promise.resolve("written");
    }
    return new Promise((settle) => {
      const whole = { ...outgoing, settle };
      if ((this.#sent?.size ?? 0) < this.#window) {
        this.#write(whole);
      } else {
        this.#waiting ??= [];
        this.#waiting.push(whole);
        this.#waitingBytes += whole.bytes.length;
        if (this.#waitingBytes > tuning.maxWaitingBytes) this.#session.end(quotaExceeded, "does not acknowledge");
      }
    });
  }

  /** PUBACK of the client; `code` is 0 before MQTT 5. False for an id that nothing waits under. */
  acknowledge(messageId: number, code: number): boolean {
    const sent = this.#sent?.get(messageId);
    if (sent === undefined) return false;
    this.#sent?.delete(messageId);
    sent.settle(code >= 0x80 ? "rejected" : "acknowledged");
    const next = this.#waiting?.shift();
    if (next === undefined) return true;
    this.#waitingBytes -= next.bytes.length;
    this.#write(next);
    return true;
  }

  close(): void {
    this.#closed = true;
    for (const { settle } of this.#sent?.values() ?? []) settle("offline");
    for (const { settle } of this.#waiting ?? []) settle("offline");
    this.#sent = undefined;
    this.#waiting = undefined;
  }

  #write({ bytes, idAt, settle }: Outgoing): void {
    this.#sent ??= new Map();
    do this.#lastId = (this.#lastId % 0xffff) + 1;
    while (this.#sent.has(this.#lastId));
    bytes.writeUInt16BE(this.#lastId, idAt);
    this.#sent.set(this.#lastId, { sentMs: this.#session.tuning.now(), settle });
    this.#session.wire.send(bytes);
  }
}

/** A PUBLISH without its packet id; `idAt` is where that goes: behind the topic. */
function print(
  packet: Packet,
  qos: 0 | 1,
  { protocol, subscription }: { protocol: 3 | 4 | 5; subscription: Granted | undefined },
): { bytes: Buffer; idAt: number } {
  const { buffer, byteOffset, byteLength } = packet.payload;
  const identifier = protocol === 5 ? subscription?.identifier : undefined;
  const bytes = printControlPacket(
    {
      cmd: "publish",
      topic: packet.topic,
      payload: Buffer.from(buffer, byteOffset, byteLength),
      qos,
      dup: false,
      retain: false,
      ...(qos === 1 && { messageId: 1 }),
      ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
    },
    protocol,
  );
  let lengthBytes = 1;
  while ((bytes[lengthBytes] ?? 0) >= 0x80) lengthBytes++;
  return { bytes, idAt: 1 + lengthBytes + 2 + Buffer.byteLength(packet.topic) };
}
