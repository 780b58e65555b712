import type { Fate } from "../message/fate.ts";
import type { Attach, AttributesRequest, Call, Detach, State, UpMessage } from "../message/message.ts";
import type { Attachments } from "./attachments.ts";
import type { AttributeRequests } from "./attribute-requests.ts";
import { answerCall, isOwnCall } from "./calls.ts";
import type { Commands } from "./commands.ts";
import type { Configuration } from "./configuration.ts";
import type { Core } from "./core.ts";
import { valuesOfBody } from "./document-shape.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Arriving, Outbox } from "./outbox.ts";
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
  readonly wake: (lane: Lane) => void;
}

/** Takes one message of the local side. Without `isQueued` only what is done on arrival; the message comes again. */
export type Arrive = (arriving: Arriving, isQueued: boolean) => void;

/** What each kind of message from the local side sets off. */
export function createArrivals(parts: ArrivalsParts): Arrive {
  const { core, lanes, outbox, attachments, state, commands, requests, ownAttributes, passed } = parts;
  /** Calls that are being answered, so that they are not answered twice. */
  const answering = new Set<string>();

  return (arriving, isQueued) => {
    const { message } = arriving;
    switch (message.kind) {
      case "telemetry":
        if (!commands.hears(message, arriving, isQueued) && isQueued) queue(message, arriving);
        return;
      case "claim":
        if (isQueued) queue(message, arriving);
        return;
      case "state":
        return report(message, arriving, isQueued);
      case "attach":
        return attach(message, arriving, isQueued);
      case "detach":
        return detach(message, arriving, isQueued);
      case "commandResponse":
        commands.note(message, arriving);
        if (isQueued) commands.reply(message, arriving);
        return;
      case "attributesRequest":
        return request(message, arriving, isQueued);
      case "call":
        return call(message, arriving, isQueued);
    }
  };

  function queue(message: Exclude<UpMessage, Call>, arriving: Arriving): void {
    const lane = lanes.of(message.device);
    lane.lastSeenMs = arriving.arrivedMs;
    lane.isLeaving = false;
    const cargo = outbox.admit(lane, arriving);
    if (cargo !== undefined) outbox.push(lane, message, cargo);
  }

  function report(message: State, arriving: Arriving, isQueued: boolean): void {
    const passing = withheld(message, arriving, isQueued);
    if (passing === undefined) return;
    if (core.adapt.state === "spread" && passing.body !== undefined) {
      parts.configuration.reported(lanes.of(message.device), valuesOfBody(passing.body));
    }
    if (core.adapt.state === "pass" || core.adapt.state === "spread") {
      if (isQueued) queue(passing, arriving);
      return;
    }
    const lane = lanes.of(message.device);
    lane.lastSeenMs = arriving.arrivedMs;
    lane.isLeaving = false;
    // Changes that are older than this one and were never merged may still come out of an earlier run's backlog.
    if (!isQueued && !core.isCaughtUp) return;
    const merge = state.merge(lane, passing, arriving);
    if (!isQueued) return;
    if (lane.detaches > 0) {
      const cargo = outbox.admit(lane, arriving);
      if (cargo !== undefined) outbox.pushMarker(lane, passing, cargo);
      return;
    }
    const cargo = state.isMerged ? outbox.admitDocument(lane, arriving) : outbox.admit(lane, arriving);
    if (cargo !== undefined) state.add(lane, passing, cargo, merge);
  }

  /** The message without what the gateway may not say about itself; absent if nothing is left, which is its fate then. */
  function withheld(message: State, arriving: Arriving, isQueued: boolean): State | undefined {
    if (message.device !== undefined || message.values === undefined) return message;
    const values = ownAttributes.withhold(message.values);
    if (values === undefined) {
      if (isQueued) core.settleAt(arriving, { kind: "dropped", reason: "withheld" });
      return undefined;
    }
    return values === message.values ? message : { ...message, values };
  }

  function attach(message: Attach, arriving: Arriving, isQueued: boolean): void {
    const known = lanes.find(message.device);
    if (known === undefined && !isQueued) return;
    const lane = known ?? lanes.of(message.device);
    lane.lastSeenMs = arriving.arrivedMs;
    lane.isLeaving = false;
    if (message.profile !== undefined) lane.profile = message.profile;
    const isGoing = lane.phase === "detaching" || lane.detaches + lane.unreadDetaches > 0;
    const isFree = lane.isKnown && !isGoing && !lane.isStored;
    if (isFree || lane.device === undefined) {
      core.settleAt(arriving, delivered);
      return;
    }
    if (!isQueued) return;
    const wasHeld = lane.phase === "held" && !arriving.isRecalled;
    const cargo = outbox.admit(lane, arriving);
    if (cargo !== undefined) outbox.pushMarker(lane, message, cargo);
    // The gateway connects the device anew: perhaps something has been mended.
    if (wasHeld) attachments.retry(lane);
  }

  function detach(message: Detach, arriving: Arriving, isQueued: boolean): void {
    const lane = lanes.find(message.device);
    if (lane !== undefined && !isQueued) lane.unreadDetaches += 1;
    if (!isQueued) return;
    if (lane === undefined || lane.device === undefined) {
      core.settleAt(arriving, delivered);
      return;
    }
    lane.unreadDetaches = Math.max(0, lane.unreadDetaches - 1);
    const cargo = outbox.admit(lane, arriving);
    if (cargo === undefined) return;
    outbox.pushMarker(lane, message, cargo);
    if (lane.phase === "detached") attachments.settleDetaches(lane);
    lanes.release(lane);
  }

  function request(message: AttributesRequest, arriving: Arriving, isQueued: boolean): void {
    const { seq, index, arrivedMs, connection } = arriving;
    const passing = core.adapt.attributes === "pass" ? requests.passable(message) : undefined;
    if (passing !== undefined) {
      if (isQueued) passed.ask(passing, arriving);
      return;
    }
    if (requests.isAsked(seq, index)) return;
    if (connection === undefined || connection !== core.connection) {
      core.settleAt(arriving, { kind: "dropped", reason: "gone" });
      return;
    }
    const lane = lanes.of(message.device);
    lane.lastSeenMs = arrivedMs;
    lane.isLeaving = false;
    if (lane.device !== undefined && !lane.isKnown && lane.phase === "detached") {
      lane.isWanted = true;
      parts.wake(lane);
    }
    requests.ask(lane, message, core.takeQuestion(seq, index, arrivedMs, connection));
  }

  function call(message: Call, arriving: Arriving, isQueued: boolean): void {
    const { seq, index, arrivedMs, connection } = arriving;
    if (!isOwnCall(core, message)) {
      if (isQueued) passed.call(message, arriving);
      return;
    }
    const key = `${seq}/${index}`;
    if (answering.has(key)) return;
    answering.add(key);
    answerCall(core, message, core.takeQuestion(seq, index, arrivedMs, connection), () => answering.delete(key));
  }
}
