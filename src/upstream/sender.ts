import type { Socket } from "node:net";
import { printControlPacket } from "../mqtt/control-packet.ts";
import type { InFlight } from "./in-flight.ts";
import type { Outbox, Outgoing } from "./outbox.ts";
import { publishBound, publishSize, writePublish } from "./publish-encoder.ts";
import type { Timers } from "./timers.ts";

/** What is encoded for one write; the rest stays as it came, by reference. One packet may be larger. */
const maxBatchBytes = 1024 * 1024;
/** Acknowledgements that may pile up while the server does not read; then we do not read either. */
const maxPendingAcknowledgements = 10_000;

/** The connection that a `Sender` sends for. */
export interface Sending {
  readonly protocol: 3 | 4 | 5;
  readonly outbox: Outbox;
  readonly inFlight: InFlight;
  readonly timers: Timers;
  /** Something was written. */
  sent(atMs: number): void;
  /** A publish that the server would not take by its size; it was not sent. */
  unsendable(token: number): void;
  /** A SUBSCRIBE with that packet id is about to be sent. */
  subscribing(id: number, filters: number): void;
}

/** The server's limits, of its CONNACK. */
export interface SenderLimits {
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
}

/**
 * Puts packets on the wire: all of one event-loop turn in one write, in the caller's order, as fast as the socket and the
 * server's Receive Maximum let it.
 *
 * What cannot go yet stays in the outbox. Acknowledgements overtake it: they wait for no quota.
 */
export class Sender {
  readonly #sending: Sending;
  readonly #socket: Socket;
  readonly #limits: SenderLimits;
  /** Packet ids to acknowledge, plus 65536 times the reason code. */
  #acknowledgements: number[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #stalledSinceMs: number | undefined;
  #isBlocked = false;
  #isHeld = false;

  constructor(sending: Sending, socket: Socket, limits: SenderLimits) {
    this.#sending = sending;
    this.#socket = socket;
    this.#limits = limits;
  }

  /** Since when something cannot be sent because the server owes PUBACKs that nobody awaits any more. */
  get stalledSinceMs(): number | undefined {
    return this.#stalledSinceMs;
  }

  /** Writes what there is once this turn of the event loop is over. */
  flushSoon(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.flush();
    });
  }

  /** Acknowledges an inbound publish. `code` is a v5 reason code; older versions of MQTT have none. */
  acknowledge(id: number, code = 0): void {
    this.#acknowledgements.push(id + 65_536 * (this.#sending.protocol === 5 ? code : 0));
    if (this.#isBlocked && this.#acknowledgements.length > maxPendingAcknowledgements) this.#socket.pause();
    this.flushSoon();
  }

  /** Sends nothing more of the outbox; acknowledgements still go. */
  hold(): void {
    this.#isHeld = true;
  }

  stop(): void {
    clearImmediate(this.#scheduled);
    this.#isHeld = true;
    this.#acknowledgements = [];
  }

  /** The socket takes more again. */
  drained(): void {
    this.#isBlocked = false;
    this.#socket.resume();
    this.flush();
  }

  flush(): void {
    const sending = this.#sending;
    const { outbox } = sending;
    if (this.#isBlocked || this.#socket.destroyed) return;
    const rejected: number[] = [];
    const batch = this.#encode(this.#select(rejected));
    if (batch.length > 0) {
      this.#isBlocked = !this.#socket.write(batch);
      sending.sent(sending.timers.elapsedMs());
    }
    // Later, because `drain()` flushes within a call of the caller's, who is not to be called back from it.
    if (rejected.length > 0) {
      setImmediate(() => {
        for (const token of rejected) sending.unsendable(token);
      });
    }
    if (batch.length > 0 && outbox.length > 0 && !this.#isBlocked && !this.#isHeld) this.flushSoon();
  }

  /** Takes from the outbox what may be sent now; what the server would refuse goes to `rejected`. */
  #select(rejected: number[]): Outgoing[] {
    const { outbox, inFlight, protocol, timers } = this.#sending;
    const { maximumPacketSize, receiveMaximum } = this.#limits;
    if (this.#isHeld || outbox.length === 0) return [];
    let quota = receiveMaximum - inFlight.unanswered;
    let ids = inFlight.free;
    let bytes = 0;
    let count = 0;
    let hasRejected = false;
    for (const item of outbox) {
      const bound = boundOf(item);
      if (item.kind === "publish" && bound > maximumPacketSize && !fits(item, protocol, maximumPacketSize)) {
        rejected.push(item.token);
        hasRejected = true;
        count += 1;
        continue;
      }
      if (ids === 0 || (bytes > 0 && bytes + bound > maxBatchBytes)) break;
      if (item.kind === "publish") {
        if (quota <= 0) break;
        quota -= 1;
      }
      ids -= 1;
      bytes += bound;
      count += 1;
    }
    const isStalled = count === 0 && inFlight.isEmpty && quota <= 0;
    this.#stalledSinceMs = isStalled ? (this.#stalledSinceMs ?? timers.elapsedMs()) : undefined;
    const taken = outbox.take(count);
    if (!hasRejected) return taken;
    return taken.filter((item) => item.kind !== "publish" || !rejected.includes(item.token));
  }

  #encode(items: readonly Outgoing[]): Buffer {
    const sending = this.#sending;
    const { inFlight, protocol } = sending;
    const acknowledgements = this.#acknowledgements;
    let bound = acknowledgements.length * 5;
    for (const item of items) bound += boundOf(item);
    if (bound === 0) return Buffer.alloc(0);
    const batch = Buffer.allocUnsafe(bound);
    let end = 0;
    for (const acknowledgement of acknowledgements) end = writePuback(batch, end, acknowledgement);
    if (acknowledgements.length > 0) this.#acknowledgements = [];
    const atMs = sending.timers.elapsedMs();
    for (const item of items) {
      if (item.kind === "publish") {
        const id = inFlight.add("publish", item.token, atMs);
        end = writePublish(batch, end, { packet: item.packet, id, protocol });
      } else {
        const id = inFlight.add(item.kind, item.kind === "subscribe" ? item.token : 0, atMs);
        if (item.kind === "subscribe") sending.subscribing(id, item.subscriptions.length);
        end += encodeSubscription(item, id, protocol).copy(batch, end);
      }
    }
    return batch.subarray(0, end);
  }
}

function boundOf(item: Outgoing): number {
  if (item.kind === "publish") return publishBound(item.packet);
  let bound = 1 + 4 + 2 + 1;
  if (item.kind === "subscribe") for (const { filter } of item.subscriptions) bound += 3 + 3 * filter.length;
  else for (const filter of item.filters) bound += 2 + 3 * filter.length;
  return bound;
}

function fits(item: Outgoing & { kind: "publish" }, protocol: 3 | 4 | 5, maxBytes: number): boolean {
  const size = publishSize(item.packet, protocol);
  return size !== undefined && size <= maxBytes;
}

function encodeSubscription(item: Exclude<Outgoing, { kind: "publish" }>, id: number, protocol: 3 | 4 | 5): Buffer {
  if (item.kind === "unsubscribe") {
    return printControlPacket({ cmd: "unsubscribe", messageId: id, unsubscriptions: [...item.filters] }, protocol);
  }
  const subscriptions = item.subscriptions.map(({ filter, qos }) => ({ topic: filter, qos }));
  return printControlPacket({ cmd: "subscribe", messageId: id, subscriptions }, protocol);
}

function writePuback(batch: Buffer, at: number, acknowledgement: number): number {
  const code = acknowledgement >>> 16;
  batch[at] = 0x40;
  batch[at + 1] = code === 0 ? 2 : 3;
  batch.writeUInt16BE(acknowledgement & 0xffff, at + 2);
  if (code === 0) return at + 4;
  batch[at + 4] = code;
  return at + 5;
}
