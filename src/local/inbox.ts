import type { Packet } from "../message/packet.ts";
import type { Wire } from "./wire.ts";
import type { Exchange, LocalClient, Verdict } from "./wiring.ts";

/**
 * A link in the chain of publishes that wait, itself what is told their verdicts: that spares each a closure. It holds no
 * packet, which need not live until then.
 */
class Waiting implements Exchange {
  readonly inbox: Inbox;
  readonly qos: Packet["qos"];
  readonly packetId: number;
  /** About what the packet takes up in memory while it waits for the disk. */
  readonly bytes: number;
  verdict: Verdict | undefined;
  next: Waiting | undefined;

  constructor(inbox: Inbox, { qos, packetId, bytes }: Pick<Waiting, "qos" | "packetId" | "bytes">) {
    this.inbox = inbox;
    this.qos = qos;
    this.packetId = packetId;
    this.bytes = bytes;
    this.verdict = undefined;
    this.next = undefined;
  }

  get isBehindRefused(): boolean {
    return this.inbox.hasRefused;
  }

  answer(verdict: Verdict): void {
    this.inbox.settle(this, verdict);
  }
}

/** The session that an `Inbox` is part of. */
export interface Receiving {
  readonly client: LocalClient;
  readonly wire: Wire;
  publish(packet: Packet, exchange: Exchange): void;
  /** Ends the connection. */
  end(code: number, reason: string): void;
  /** Publishes have got their verdict; so many bytes still wait for theirs. */
  answered(waitingBytes: number): void;
}

/** MQTT 5 reason codes used here (2.4). */
const unspecifiedError = 0x80;
const protocolError = 0x82;

/**
 * The gate that publishes of one connection pass before they are acknowledged.
 *
 * All that have arrived wait for their verdict at the same time, so that they can share a disk sync; they are answered in
 * the order they came in (MQTT 3.1.1, 4.6), whatever the order of the verdicts.
 */
export class Inbox {
  readonly #session: Receiving;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  /** Nothing that arrives from here on counts. */
  #closed = false;
  /** A verdict was `close`: see `Exchange.isBehindRefused`. */
  hasRefused = false;
  /** How much waits for its verdict. */
  waitingBytes = 0;
  /** Packet ids of QoS 2 publishes that came and were not released yet, and whether PUBREC was sent for them. */
  #exactlyOnce: Map<number, "waiting" | "answered"> | undefined;

  constructor(session: Receiving) {
    this.#session = session;
  }

  accept(packet: Packet, messageId: number): void {
    if (this.#closed) return;
    if (packet.qos > 0 && messageId === 0) {
      this.reject(0x81);
      return;
    }
    if (packet.qos === 2) {
      this.#exactlyOnce ??= new Map();
      const known = this.#exactlyOnce.get(messageId);
      if (known === "answered") this.#session.wire.acknowledge(0x50, messageId, 0);
      if (known !== undefined) return;
      this.#exactlyOnce.set(messageId, "waiting");
    }
    const { qos, topic, payload } = packet;
    const bytes = 64 + topic.length + payload.length;
    const waiting = new Waiting(this, { qos, packetId: qos === 0 ? 0 : messageId, bytes });
    this.#append(waiting);
    this.#session.publish(packet, waiting);
  }

  /** A packet that ends the connection when what came before it is answered. */
  reject(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    const waiting = new Waiting(this, { qos: 0, packetId: 0, bytes: 0 });
    waiting.verdict = { kind: "close", code };
    this.#append(waiting);
    this.#answer();
  }

  /** PUBREL: the packet id may be used anew. Before its PUBREC there can be none: the id would be taken for answered. */
  release(messageId: number): void {
    if (this.#exactlyOnce?.get(messageId) === "waiting") {
      this.reject(protocolError);
      return;
    }
    this.#exactlyOnce?.delete(messageId);
    this.#session.wire.acknowledge(0x70, messageId, 0);
  }

  /** Verdicts that are still to come have nobody to be told to any more. */
  close(): void {
    this.#closed = true;
    this.#first = undefined;
    this.#last = undefined;
  }

  /** The verdict on one of them is there. */
  settle(waiting: Waiting, verdict: Verdict): void {
    waiting.verdict = verdict;
    // It comes again on the next connection: what was sent behind it must not be taken before that.
    if (verdict.kind === "close") {
      this.#closed = true;
      this.hasRefused = true;
    }
    if (waiting === this.#first) this.#answer();
  }

  #append(waiting: Waiting): void {
    this.waitingBytes += waiting.bytes;
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.next = waiting;
    this.#last = waiting;
  }

  #answer(): void {
    for (let head = this.#first; head?.verdict !== undefined; head = this.#first) {
      this.#first = head.next;
      if (head.next === undefined) this.#last = undefined;
      // A dead link that was moved to the old generation would drag every later one there too.
      head.next = undefined;
      this.waitingBytes -= head.bytes;
      if (head.verdict.kind === "close") {
        this.close();
        this.#session.end(head.verdict.code ?? unspecifiedError, "refused");
        return;
      }
      this.#acknowledge(head, head.verdict);
    }
    this.#session.answered(this.waitingBytes);
  }

  #acknowledge({ qos, packetId }: Waiting, verdict: Exclude<Verdict, { kind: "close" }>): void {
    if (qos === 0) return;
    if (verdict.kind === "silence") {
      this.#exactlyOnce?.delete(packetId);
      return;
    }
    const code = verdict.kind === "reject" && this.#session.client.protocol === 5 ? verdict.code : 0;
    if (qos === 1) {
      this.#session.wire.acknowledge(0x40, packetId, code);
      return;
    }
    this.#session.wire.acknowledge(0x50, packetId, code);
    // MQTT 5, 4.3.3: a PUBREC of 0x80 or more ends the exchange, no PUBREL will come.
    if (code >= 0x80) this.#exactlyOnce?.delete(packetId);
    else this.#exactlyOnce?.set(packetId, "answered");
  }
}
