import type { Fate } from "../message/fate.ts";
import type { DeviceId, UpMessage } from "../message/message.ts";
import type { Commands } from "./commands.ts";
import { type Cargo, type Core, droppedFull } from "./core.ts";
import type { Dispatch } from "./dispatch.ts";
import { type Flight, type Flights, flightFor } from "./flights.ts";
import { factName, type Lane, type Waiting } from "./lane.ts";
import { pack, useOfWaiting } from "./packing.ts";
import { sizeOf, toUpstream } from "./translation.ts";

/** What one device may have in memory while attaching it does not succeed; what is more goes back to the spool. */
const stuckMessages = 256;
const stuckAfterMs = 2000;
/** With this many messages in memory in all, such a device is left with few of them. */
const crowdedLoad = 1024;
const crowdedMessages = 8;
/** And what it may have in any case. */
const waitingBytes = 1024 * 1024;
const recallLimit = 64;
const recallBelow = 16;
/** Recalled messages come within the turn; after this long they will not. */
const recallPatienceMs = 5000;

export interface OutboxParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly dispatch: Dispatch;
  readonly commands: Commands;
}

/**
 * The queue of each device: what waits for it, in order, here or in the spool, and what goes back when it is lost.
 */
export class Outbox {
  readonly #core: Core;
  readonly #flights: Flights;
  readonly #dispatch: Dispatch;
  readonly #parts: OutboxParts;

  constructor(parts: OutboxParts) {
    this.#core = parts.core;
    this.#flights = parts.flights;
    this.#dispatch = parts.dispatch;
    this.#parts = parts;
  }

  /** Takes a message over, unless its place is in the spool behind older ones: then it says so and that was its fate. */
  admit(lane: Lane, cargo: Cargo): Cargo | undefined {
    const { device } = lane;
    if (device !== undefined) {
      if (lane.phase === "held") {
        this.#core.settleAt(cargo, this.heldFate(lane, device));
        this.stored(lane);
        return undefined;
      }
      if (!cargo.isRecalled && (lane.isStored || this.#isCrowded(lane))) {
        this.#core.settleAt(cargo, { kind: "parked", device });
        this.stored(lane);
        return undefined;
      }
    }
    return this.#core.take(cargo);
  }

  /** The same for a reported document, which has a queue of its own and need not keep its place behind telemetry. */
  admitDocument(lane: Lane, cargo: Cargo): Cargo | undefined {
    const { device } = lane;
    if (device !== undefined && (lane.phase === "held" || this.#isCrowded(lane))) return this.admit(lane, cargo);
    return this.#core.take(cargo);
  }

  heldFate(lane: Lane, device: DeviceId): Fate {
    return { kind: "held", device, reason: lane.reason ?? "held" };
  }

  /** Queues a message, or sends it at once where nothing is in the way. */
  push(lane: Lane, message: UpMessage, cargo: Cargo): void {
    const core = this.#core;
    const bytes = sizeOf(message);
    const waiting: Waiting = { message, isReady: false, isAlone: false, bytes, cargo, command: undefined };
    if (this.#isClear(lane)) {
      const use = core.pacing.isMetered ? useOfWaiting(core, lane, waiting) : undefined;
      if (core.pacing.take(core.nowMs, bytes, use)) {
        this.#fly(lane, waiting);
        return;
      }
    }
    lane.data.push(waiting);
    lane.waitingBytes += bytes;
    this.#dispatch.wake(lane);
  }

  /** Queues something that has to keep its place among the messages but is not sent as one: attach, detach, a late state. */
  pushMarker(lane: Lane, message: UpMessage, cargo: Cargo): void {
    if (message.kind === "detach") lane.detaches += 1;
    lane.data.push({ message, isReady: false, isAlone: false, bytes: 0, cargo, command: undefined });
    this.#dispatch.wake(lane);
  }

  /** Queues an answer to a command, which goes before all else of its device. */
  pushReply(lane: Lane, message: UpMessage, command: number | undefined, cargo: Cargo | undefined): void {
    lane.replies.push({ message, isReady: true, isAlone: false, bytes: sizeOf(message), cargo, command });
    this.#dispatch.wake(lane);
  }

  /** Takes the first waiting message out. */
  shift(lane: Lane): Waiting | undefined {
    const waiting = lane.data.shift();
    if (waiting === undefined) return undefined;
    lane.waitingBytes -= waiting.bytes;
    if (waiting.message.kind === "detach") lane.detaches -= 1;
    return waiting;
  }

  /** Sends the first waiting message. */
  sendData(lane: Lane): void {
    const waiting = this.shift(lane);
    if (waiting !== undefined) this.#fly(lane, waiting);
    this.recall(lane);
  }

  sendReply(lane: Lane): void {
    const waiting = lane.replies.shift();
    if (waiting === undefined) return;
    const flight = flightFor("reply", lane);
    flight.waiting = waiting;
    this.#flights.send(flight, waiting.message);
  }

  /** Puts lost publishes back where they came from, in their order. */
  putBack(flights: readonly Flight[]): void {
    for (const { lane, waiting, riders, purpose } of flights.toReversed()) {
      if (waiting === undefined) continue;
      if (purpose === "reply") {
        if (waiting.cargo?.isSettled !== true) lane.replies.unshift(waiting);
      } else this.#putFirst(lane, [waiting, ...riders]);
    }
  }

  /** Takes apart a publish that was refused as a whole: which of its messages is to blame shows when each goes by itself. */
  takeApart({ lane, waiting, riders }: Flight): void {
    if (waiting === undefined) return;
    this.#putFirst(
      lane,
      [waiting, ...riders].map((one) => ({ ...one, isAlone: true })),
    );
  }

  /** Everything that waits goes back to the spool with this fate. */
  giveUp(lane: Lane, fate: Fate): void {
    for (const { cargo, command } of [...lane.replies.drain(), ...lane.data.drain()]) {
      if (cargo !== undefined) this.#core.settle(cargo, fate);
      else if (command !== undefined) this.#parts.commands.close(command);
    }
    lane.waitingBytes = 0;
    lane.detaches = 0;
  }

  /** Takes out what waits of these records: they are dropped. */
  withdraw(lane: Lane, seqs: ReadonlySet<number>): void {
    const isGone = ({ cargo }: Waiting) => cargo !== undefined && seqs.has(cargo.seq);
    for (const { cargo, command } of lane.replies.take(isGone)) {
      if (cargo !== undefined) this.#core.settle(cargo, droppedFull);
      if (command !== undefined) this.#parts.commands.close(command);
    }
    for (const { cargo, message, bytes } of lane.data.take(isGone)) {
      if (cargo !== undefined) this.#core.settle(cargo, droppedFull);
      lane.waitingBytes -= bytes;
      if (message.kind === "detach") lane.detaches -= 1;
    }
  }

  /** Asks for what is held and parked, when there is room for it. */
  recall(lane: Lane): void {
    const core = this.#core;
    if (!lane.isStored || lane.recalling > 0 || lane.phase !== "attached" || lane.device === undefined) return;
    if (core.isDraining || !core.isCaughtUp || !core.isUpstreamOpen || lane.data.length >= recallBelow) return;
    // What was held again comes first once more: without more room there would be no getting past it.
    lane.recalling = recallLimit + lane.heldAgain;
    lane.heldAgain = 0;
    lane.storedSinceRecall = false;
    lane.recallAlarm = core.alarms.set(core.nowMs + recallPatienceMs, () => {
      lane.recalling = 0;
      this.recall(lane);
    });
    core.emit({ kind: "recall", device: lane.device, limit: lane.recalling });
  }

  /** One recalled message has been dealt with. */
  recalled(lane: Lane): void {
    if (lane.recalling === 0) return;
    lane.recalling -= 1;
    if (lane.recalling > 0) return;
    this.#core.alarms.cancel(lane.recallAlarm);
    this.recall(lane);
  }

  recallEnded(lane: Lane): void {
    this.#core.alarms.cancel(lane.recallAlarm);
    lane.recalling = 0;
    if (lane.phase === "held") return;
    // What came while the spool was being read is behind what was read.
    if (lane.storedSinceRecall) {
      this.recall(lane);
      return;
    }
    lane.isStored = false;
    lane.heldAgain = 0;
    if (!lane.hasHeld) this.#core.store(`waiting/${factName(lane)}`, undefined);
    this.#dispatch.wake(lane);
  }

  /** Something of the device is in the spool: what comes now queues up behind it, after a restart too. */
  stored(lane: Lane): void {
    lane.storedSinceRecall = true;
    if (lane.isStored || lane.device === undefined) return;
    lane.isStored = true;
    this.#core.store(`waiting/${factName(lane)}`, lane.reason ?? "");
  }

  /**
   * Whether a device has all the room that it may take from others. One that is just being attached may take what there
   * is: it will send soon.
   */
  #isCrowded(lane: Lane): boolean {
    const { isUpstreamOpen, load, nowMs } = this.#core;
    if (lane.phase === "attached" || !isUpstreamOpen) return false;
    if (lane.waitingBytes >= waitingBytes) return true;
    if (lane.stuckSinceMs === undefined || nowMs - lane.stuckSinceMs < stuckAfterMs) return false;
    const waiting = lane.data.length + (lane.state?.pending.length ?? 0);
    return waiting >= (load >= crowdedLoad ? crowdedMessages : stuckMessages);
  }

  #isClear(lane: Lane): boolean {
    return (
      lane.phase === "attached" &&
      lane.data.length === 0 &&
      lane.rank === 0 &&
      this.#core.isUpstreamOpen &&
      !this.#core.isHeldBack &&
      !this.#core.isNarrowing &&
      this.#flights.hasRoom &&
      this.#dispatch.isIdle
    );
  }

  #fly(lane: Lane, waiting: Waiting): void {
    const core = this.#core;
    const { cargo, message, isReady } = waiting;
    if (cargo === undefined || cargo.isSettled) return;
    if (isReady) {
      this.#publish(lane, message, waiting);
      return;
    }
    if (isQuestion(message) && cargo.connection !== undefined && cargo.connection !== core.connection) {
      core.settle(cargo, { kind: "dropped", reason: "gone" });
      return;
    }
    const made = toUpstream(core, message, lane.id, cargo.arrivedMs);
    if (made.kind !== "pieces") {
      this.#publish(lane, made, waiting);
      return;
    }
    const [first, ...rest] = made.pieces.map(
      (part): Waiting => ({
        message: part,
        isReady: true,
        isAlone: false,
        bytes: sizeOf(part),
        cargo,
        command: undefined,
      }),
    );
    if (first === undefined) {
      core.settle(cargo, made.fate ?? { kind: "delivered" });
      return;
    }
    cargo.left = made.pieces.length;
    cargo.fate = made.fate;
    lane.data.unshift(...rest);
    for (const { bytes } of rest) lane.waitingBytes += bytes;
    this.#publish(lane, first.message, first);
    this.#dispatch.wake(lane);
  }

  #publish(lane: Lane, message: UpMessage, waiting: Waiting): void {
    const flight = flightFor("data", lane);
    flight.waiting = waiting;
    if (message.kind !== "telemetry" || lane.data.length === 0 || waiting.isAlone || this.#core.isNarrowing) {
      this.#flights.send(flight, message);
      return;
    }
    const packed = pack(this.#core, lane, message, () => this.shift(lane));
    flight.riders = packed.riders;
    this.#flights.send(flight, packed.message);
  }

  #putFirst(lane: Lane, all: readonly Waiting[]): void {
    for (const waiting of all.toReversed()) {
      if (waiting.cargo?.isSettled === true) continue;
      lane.data.unshift(waiting);
      lane.waitingBytes += waiting.bytes;
      if (waiting.message.kind === "detach") lane.detaches += 1;
    }
  }
}

function isQuestion({ kind }: UpMessage): boolean {
  return kind === "attributesRequest" || kind === "call";
}
