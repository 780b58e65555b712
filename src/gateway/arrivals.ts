import type { Fate } from "../message/fate.ts";
import type { Attach, AttributesRequest, Call, Detach, State, UpMessage } from "../message/message.ts";
import type { Attachments } from "./attachments.ts";
import type { AttributeRequests } from "./attribute-requests.ts";
import { answerCall, isOwnCall } from "./calls.ts";
import type { Commands } from "./commands.ts";
import type { Configuration } from "./configuration.ts";
import type { Cargo, Core } from "./core.ts";
import type { Dispatch } from "./dispatch.ts";
import { valuesOfBody } from "./document-shape.ts";
import type { Lanes } from "./lanes.ts";
import type { Outbox } from "./outbox.ts";
import type { OwnAttributes } from "./own-attributes.ts";
import type { PassedQuestions } from "./passed-questions.ts";
import type { ReportedState } from "./reported-state.ts";

const delivered: Fate = { kind: "delivered" };

export interface ArrivalsParts {
  readonly core: Core;
  readonly lanes: Lanes;
  readonly outbox: Outbox;
  readonly attachments: Attachments;
  readonly state: ReportedState;
  readonly commands: Commands;
  readonly requests: AttributeRequests;
  readonly ownAttributes: OwnAttributes;
  readonly passed: PassedQuestions;
  readonly configuration: Configuration;
  readonly dispatch: Dispatch;
}

/** What each kind of message from the local side sets off. */
export class Arrivals {
  readonly #parts: ArrivalsParts;
  readonly #core: Core;
  /** Calls that are being answered, so that they are not answered twice. */
  #answering: Set<string> | undefined;

  constructor(parts: ArrivalsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** Takes one message of the local side. Without `isQueued` only what is done on arrival; the message comes again. */
  take(arriving: Cargo, isQueued: boolean): void {
    const { message } = arriving;
    switch (message.kind) {
      case "telemetry":
        if (!this.#parts.commands.hears(message, arriving, isQueued) && isQueued) this.#queue(message, arriving);
        return;
      case "claim":
        if (isQueued) this.#queue(message, arriving);
        return;
      case "state":
        this.#report(message, arriving, isQueued);
        return;
      case "attach":
        this.#attach(message, arriving, isQueued);
        return;
      case "detach":
        this.#detach(message, arriving, isQueued);
        return;
      case "commandResponse":
        this.#parts.commands.note(message, arriving);
        if (isQueued) this.#parts.commands.reply(message, arriving);
        return;
      case "attributesRequest":
        this.#request(message, arriving, isQueued);
        return;
      case "call":
        this.#call(message, arriving, isQueued);
        return;
    }
  }

  #queue(message: Exclude<UpMessage, Call>, arriving: Cargo): void {
    const lane = this.#parts.lanes.of(message.device);
    lane.lastSeenMs = arriving.arrivedMs;
    lane.isLeaving = false;
    const cargo = this.#parts.outbox.admit(lane, arriving);
    if (cargo !== undefined) this.#parts.outbox.push(lane, message, cargo);
  }

  #report(message: State, arriving: Cargo, isQueued: boolean): void {
    const passing = this.#withheld(message, arriving, isQueued);
    if (passing === undefined) return;
    if (this.#core.adapt.state === "spread" && passing.body !== undefined) {
      this.#parts.configuration.reported(this.#parts.lanes.of(message.device), valuesOfBody(passing.body));
    }
    if (this.#core.adapt.state === "pass" || this.#core.adapt.state === "spread") {
      if (isQueued) this.#queue(passing, arriving);
      return;
    }
    const lane = this.#parts.lanes.of(message.device);
    lane.lastSeenMs = arriving.arrivedMs;
    lane.isLeaving = false;
    // Changes that are older than this one and were never merged may still come out of an earlier run's backlog.
    if (!isQueued && !this.#core.isCaughtUp) return;
    const merge = this.#parts.state.merge(lane, passing, arriving);
    if (!isQueued) return;
    if (lane.detaches > 0) {
      const cargo = this.#parts.outbox.admit(lane, arriving);
      if (cargo !== undefined) this.#parts.outbox.pushMarker(lane, passing, cargo);
      return;
    }
    const cargo = this.#parts.state.isMerged
      ? this.#parts.outbox.admitDocument(lane, arriving)
      : this.#parts.outbox.admit(lane, arriving);
    if (cargo !== undefined) this.#parts.state.add(lane, passing, cargo, merge);
  }

  /** The message without what the gateway may not say about itself; absent if nothing is left, which is its fate then. */
  #withheld(message: State, arriving: Cargo, isQueued: boolean): State | undefined {
    if (message.device !== undefined || message.values === undefined) return message;
    const values = this.#parts.ownAttributes.withhold(message.values);
    if (values === undefined) {
      if (isQueued) this.#core.settleAt(arriving, { kind: "dropped", reason: "withheld" });
      return undefined;
    }
    return values === message.values ? message : { ...message, values };
  }

  #attach(message: Attach, arriving: Cargo, isQueued: boolean): void {
    const known = this.#parts.lanes.find(message.device);
    if (known === undefined && !isQueued) return;
    const lane = known ?? this.#parts.lanes.of(message.device);
    lane.lastSeenMs = arriving.arrivedMs;
    lane.isLeaving = false;
    if (message.profile !== undefined) lane.profile = message.profile;
    const isGoing = lane.phase === "detaching" || lane.detaches + lane.unreadDetaches > 0;
    const isFree = lane.isKnown && !isGoing && !lane.isStored;
    if (isFree || lane.device === undefined) {
      this.#core.settleAt(arriving, delivered);
      return;
    }
    if (!isQueued) return;
    const wasHeld = lane.phase === "held" && !arriving.isRecalled;
    const cargo = this.#parts.outbox.admit(lane, arriving);
    if (cargo !== undefined) this.#parts.outbox.pushMarker(lane, message, cargo);
    // The gateway connects the device anew: perhaps something has been mended.
    if (wasHeld) this.#parts.attachments.retry(lane);
  }

  #detach(message: Detach, arriving: Cargo, isQueued: boolean): void {
    const lane = this.#parts.lanes.find(message.device);
    if (lane !== undefined && !isQueued) lane.unreadDetaches += 1;
    if (!isQueued) return;
    if (lane === undefined || lane.device === undefined) {
      this.#core.settleAt(arriving, delivered);
      return;
    }
    lane.unreadDetaches = Math.max(0, lane.unreadDetaches - 1);
    const cargo = this.#parts.outbox.admit(lane, arriving);
    if (cargo === undefined) return;
    this.#parts.outbox.pushMarker(lane, message, cargo);
    if (lane.phase === "detached") this.#parts.attachments.settleDetaches(lane);
    this.#parts.lanes.release(lane);
  }

  #request(message: AttributesRequest, arriving: Cargo, isQueued: boolean): void {
    const { seq, index, arrivedMs, connection } = arriving;
    const passing = this.#core.adapt.attributes === "pass" ? this.#parts.requests.passable(message) : undefined;
    if (passing !== undefined) {
      if (isQueued) this.#parts.passed.ask(passing, arriving);
      return;
    }
    if (this.#parts.requests.isAsked(seq, index)) return;
    if (connection === undefined || connection !== this.#core.connection) {
      this.#core.settleAt(arriving, { kind: "dropped", reason: "gone" });
      return;
    }
    const lane = this.#parts.lanes.of(message.device);
    lane.lastSeenMs = arrivedMs;
    lane.isLeaving = false;
    if (lane.device !== undefined && !lane.isKnown && lane.phase === "detached") {
      lane.isWanted = true;
      this.#parts.dispatch.wake(lane);
    }
    this.#parts.requests.ask(lane, message, this.#core.takeQuestion(arriving));
  }

  #call(message: Call, arriving: Cargo, isQueued: boolean): void {
    const { seq, index } = arriving;
    if (!isOwnCall(this.#core, message)) {
      if (isQueued) this.#parts.passed.call(message, arriving);
      return;
    }
    const key = `${seq}/${index}`;
    this.#answering ??= new Set();
    if (this.#answering.has(key)) return;
    this.#answering.add(key);
    answerCall(this.#core, message, this.#core.takeQuestion(arriving), () => this.#answering?.delete(key));
  }
}
