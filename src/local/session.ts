import { generate } from "mqtt-packet";
import type { Packet, Subscription } from "../message/packet.ts";
import { Inbox } from "./inbox.ts";
import { type Delivery, Outbox } from "./outbox.ts";
import { Subscriptions } from "./subscriptions.ts";
import { isTopicFilter, isTopicName } from "./topic-filter.ts";
import type { Tuning } from "./tuning.ts";
import type { Wire } from "./wire.ts";
import type { LocalClient, LocalWarning, LocalWiring } from "./wiring.ts";

/** MQTT 5 reason code (2.4). */
const topicFilterInvalid = 0x8f;

/** A filter as a client asks for it. */
export interface Wish {
  readonly filter: string;
  readonly qos: number;
}

export interface SessionOptions {
  readonly client: LocalClient;
  readonly wiring: LocalWiring;
  readonly wire: Wire;
  readonly tuning: Tuning;
  /** What an MQTT 5 client said in CONNECT; absent: no limit. */
  readonly receiveMaximum?: number;
  readonly maxPacketBytes?: number;
  readonly end: (code: number, reason: string) => void;
}

/** MQTT from CONNACK to the end of the connection, for a gateway that is known. */
export class Session {
  readonly client: LocalClient;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly #options: SessionOptions;
  readonly #subscriptions = new Subscriptions();
  readonly #warnings = new Set<LocalWarning>();

  constructor(options: SessionOptions) {
    const { client, wiring, wire, tuning, end } = options;
    this.client = client;
    this.#options = options;
    this.inbox = new Inbox({
      protocol: client.protocol,
      wire,
      publish: (packet, exchange) => wiring.publish(client, packet, exchange),
      close: end,
    });
    this.outbox = new Outbox({
      protocol: client.protocol,
      wire,
      window: Math.min(tuning.window, options.receiveMaximum ?? tuning.window),
      ...(options.maxPacketBytes !== undefined && { maxPacketBytes: options.maxPacketBytes }),
      maxWaitingBytes: tuning.maxWaitingBytes,
      stuck: () => end(0x97, "does not acknowledge"),
      now: tuning.now,
    });
  }

  /** Answers SUBSCRIBE: what may not be heard is refused, and the connection goes on, unless the cloud would close it. */
  subscribe(messageId: number, wishes: readonly Wish[], identifier: number | undefined): void {
    const { client, wiring, wire } = this.#options;
    const heard: Subscription[] = [];
    const answers = wishes.map(({ filter }) => (isTopicFilter(filter) ? wiring.grant(client, filter) : undefined));
    if (answers.includes("close")) {
      this.inbox.reject(topicFilterInvalid);
      return;
    }
    const granted = wishes.map(({ filter, qos: wanted }, index) => {
      const highest = answers[index];
      if (highest === undefined || highest === "close") return client.protocol === 5 ? 0x8f : 0x80;
      const qos = wanted === 0 ? 0 : highest;
      this.#subscriptions.add(filter, { qos, ...(identifier !== undefined && { identifier }) });
      heard.push({ filter, qos });
      return qos;
    });
    wire.send(generate({ cmd: "suback", messageId, granted }, { protocolVersion: client.protocol }));
    if (heard.length > 0) wiring.subscribed(client, heard);
  }

  unsubscribe(messageId: number, filters: readonly string[]): void {
    const { client, wire } = this.#options;
    // MQTT 5, 3.11.3: 0x11 where there was no such subscription; earlier versions have no codes.
    const granted = filters.map((filter) => (this.#subscriptions.remove(filter) ? 0x00 : 0x11));
    wire.send(generate({ cmd: "unsuback", messageId, granted }, { protocolVersion: client.protocol }));
  }

  /** See `LocalListener.deliver`. */
  deliver(packet: Packet, needsSubscription: boolean): Promise<Delivery> {
    if (!isTopicName(packet.topic)) return Promise.resolve("rejected");
    const subscription = this.#subscriptions.find(packet.topic);
    if (subscription === undefined && needsSubscription) return Promise.resolve("unsubscribed");
    const qos = packet.qos === 0 || subscription?.qos === 0 ? 0 : 1;
    return this.outbox.send(packet, qos, subscription);
  }

  /** PUBACK of the client; `code` is 0 before MQTT 5. */
  acknowledge(messageId: number, code: number): void {
    if (!this.outbox.acknowledge(messageId, code)) this.stray("PUBACK", messageId);
  }

  /** A packet about an exchange that there is not; real clients acknowledge twice, so it does no harm. */
  stray(type: string, packetId: number): void {
    this.#options.wiring.stray?.(this.client, { type, packetId });
  }

  /** Whether what the client sends had better wait for a moment. */
  get isAhead(): boolean {
    return this.#options.wiring.isAhead?.(this.client) ?? false;
  }

  /** Something that the client asks for and does not get: said once for each connection. */
  warn(warning: LocalWarning): void {
    if (this.#warnings.has(warning)) return;
    this.#warnings.add(warning);
    this.#options.wiring.warned?.(this.client, warning);
  }

  /** Takes subscriptions back without telling the client. */
  revoke(isRevoked: (filter: string) => boolean): void {
    this.#subscriptions.removeWhere(isRevoked);
  }

  close(): void {
    this.inbox.close();
    this.outbox.close();
  }
}
