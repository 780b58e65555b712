import { generate } from "mqtt-packet";
import type { Packet } from "../message/packet.ts";
import type { Granted } from "./subscriptions.ts";
import type { Wire } from "./wire.ts";

/** What became of a packet for a gateway. */
export type Delivery = "acknowledged" | "written" | "offline" | "unsubscribed" | "rejected";

export interface OutboxOptions {
  readonly protocol: 3 | 4 | 5;
  readonly wire: Wire;
  /** Packets that may be sent and unacknowledged at once; MQTT 5's Receive Maximum lowers it. */
  readonly window: number;
  /** MQTT 5's Maximum Packet Size of the client. */
  readonly maxPacketBytes?: number;
  /** Bytes that may wait for room in the window before the client counts as stuck. */
  readonly maxWaitingBytes: number;
  readonly stuck: () => void;
  readonly now: () => number;
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
  readonly #options: OutboxOptions;
  readonly #sent = new Map<number, Sent>();
  readonly #waiting: Outgoing[] = [];
  #waitingBytes = 0;
  #lastId = 0;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** When the packet that has been unacknowledged for longest was sent. */
  get oldestSentMs(): number | undefined {
    const [oldest] = this.#sent.values();
    return oldest?.sentMs;
  }

  /** Resolves `acknowledged` at PUBACK, `written` at once for QoS 0, `rejected` when the client refuses or cannot take it. */
  send(packet: Packet, qos: 0 | 1, subscription: Granted | undefined): Promise<Delivery> {
    const { protocol, wire, maxPacketBytes, window } = this.#options;
    const outgoing = print(packet, qos, { protocol, subscription });
    if (outgoing.bytes.length > (maxPacketBytes ?? Number.POSITIVE_INFINITY)) return Promise.resolve("rejected");
    if (this.#closed) return Promise.resolve("offline");
    if (qos === 0) {
      wire.send(outgoing.bytes);
      return Promise.resolve("written");
    }
    return new Promise((settle) => {
      const whole = { ...outgoing, settle };
      if (this.#sent.size < window) {
        this.#write(whole);
      } else {
        this.#waiting.push(whole);
        this.#waitingBytes += whole.bytes.length;
        if (this.#waitingBytes > this.#options.maxWaitingBytes) this.#options.stuck();
      }
    });
  }

  /** PUBACK of the client; `code` is 0 before MQTT 5. False for an id that nothing waits under. */
  acknowledge(messageId: number, code: number): boolean {
    const sent = this.#sent.get(messageId);
    if (sent === undefined) return false;
    this.#sent.delete(messageId);
    sent.settle(code >= 0x80 ? "rejected" : "acknowledged");
    const next = this.#waiting.shift();
    if (next === undefined) return true;
    this.#waitingBytes -= next.bytes.length;
    this.#write(next);
    return true;
  }

  close(): void {
    this.#closed = true;
    for (const { settle } of this.#sent.values()) settle("offline");
    for (const { settle } of this.#waiting) settle("offline");
    this.#sent.clear();
    this.#waiting.length = 0;
  }

  #write({ bytes, idAt, settle }: Outgoing): void {
    do this.#lastId = (this.#lastId % 0xffff) + 1;
    while (this.#sent.has(this.#lastId));
    bytes.writeUInt16BE(this.#lastId, idAt);
    this.#sent.set(this.#lastId, { sentMs: this.#options.now(), settle });
    this.#options.wire.send(bytes);
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
  const bytes = generate(
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
    { protocolVersion: protocol },
  );
  let lengthBytes = 1;
  while ((bytes[lengthBytes] ?? 0) >= 0x80) lengthBytes++;
  return { bytes, idAt: 1 + lengthBytes + 2 + Buffer.byteLength(packet.topic) };
}
