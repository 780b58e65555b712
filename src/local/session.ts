import type { Packet, Subscription } from "../message/packet.ts";
import { printControlPacket } from "../mqtt/control-packet.ts";
import { Inbox, type Receiving } from "./inbox.ts";
import { type ClientLimits, type Delivering, type Delivery, Outbox } from "./outbox.ts";
import { Subscriptions } from "./subscriptions.ts";
import { isTopicFilter, isTopicName } from "./topic-filter.ts";
import type { Tuning } from "./tuning.ts";
import type { Wire } from "./wire.ts";
import type { Exchange, LocalClient, LocalWarning, LocalWiring } from "./wiring.ts";

/** MQTT 5 reason code (2.4). */
const topicFilterInvalid = 0x8f;

/** A filter as a client asks for it. */
export interface Wish {
  readonly filter: string;
  readonly qos: number;
}

/** The connection that a session is on. */
export interface SessionLine {
  readonly wire: Wire;
  end(code: number, reason: string): void;
}

export interface SessionOptions extends ClientLimits {
  readonly client: LocalClient;
  readonly wiring: LocalWiring;
  readonly line: SessionLine;
  readonly tuning: Tuning;
}

/** MQTT from CONNACK to the end of the connection, for a gateway that is known. */
export class Session implements Delivering, Receiving {
  readonly client: LocalClient;
  readonly wire: Wire;
  readonly tuning: Tuning;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  /** Told when publishes have got their verdict, with the bytes that still wait for theirs. */
  reader: { answered(waitingBytes: number): void } | undefined;
  readonly #wiring: LocalWiring;
  readonly #line: SessionLine;
  readonly #subscriptions = new Subscriptions();
  #warnings: Set<LocalWarning> | undefined;

  constructor({ client, wiring, line, tuning, ...limits }: SessionOptions) {
    this.client = client;
    this.wire = line.wire;
    this.tuning = tuning;
    this.#wiring = wiring;
    this.#line = line;
    this.inbox = new Inbox(this);
    this.outbox = new Outbox(this, limits);
  }

  publish(packet: Packet, exchange: Exchange): void {
    this.#wiring.publish(this.client, packet, exchange);
  }

  end(code: number, reason: string): void {
    this.#line.end(code, reason);
  }

  answered(waitingBytes: number): void {
    this.reader?.answered(waitingBytes);
  }

  /** Answers SUBSCRIBE: what may not be heard is refused, and the connection goes on, unless the cloud would close it. */
  subscribe(messageId: number, wishes: readonly Wish[], identifier: number | undefined): void {
    const { client, wire } = this;
    const wiring = this.#wiring;
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
    wire.send(printControlPacket({ cmd: "suback", messageId, granted }, client.protocol));
    if (heard.length > 0) wiring.subscribed(client, heard);
  }

  unsubscribe(messageId: number, filters: readonly string[]): void {
    const { client, wire } = this;
    // MQTT 5, 3.11.3: 0x11 where there was no such subscription; earlier versions have no codes.
    const granted = filters.map((filter) => (this.#subscriptions.remove(filter) ? 0x00 : 0x11));
    wire.send(printControlPacket({ cmd: "unsuback", messageId, granted }, client.protocol));
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
    this.#wiring.stray?.(this.client, { type, packetId });
  }

  /** Whether what the client sends had better wait for a moment. */
  get isAhead(): boolean {
    return this.#wiring.isAhead?.(this.client) ?? false;
  }

  /** Something that the client asks for and does not get: said once for each connection. */
  warn(warning: LocalWarning): void {
    this.#warnings ??= new Set();
    if (this.#warnings.has(warning)) return;
    this.#warnings.add(warning);
    this.#wiring.warned?.(this.client, warning);
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
