import type { State } from "../message/message.ts";
import type { Attachments } from "./attachments.ts";
import type { Core } from "./core.ts";
import type { Step, Steps } from "./dispatch.ts";
import type { Flights } from "./flights.ts";
import { isQuiet, type Lane } from "./lane.ts";
import type { Outbox } from "./outbox.ts";
import type { OwnQuestions } from "./own-questions.ts";
import { useOfWaiting } from "./packing.ts";
import { type Use, useOf } from "./quota.ts";
import type { ReportedState } from "./reported-state.ts";

export interface DeparturesParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly outbox: Outbox;
  readonly attachments: Attachments;
  readonly state: ReportedState;
  readonly questions: OwnQuestions;
}

/** What a device's next packet upstream is. */
export function createDepartures({ core, flights, outbox, attachments, state, questions }: DeparturesParts): Steps {
  return {
    next(lane) {
      switch (lane.phase) {
        case "detached": {
          attachments.settleDetaches(lane);
          const wanted = lane.id === undefined ? undefined : attachments.wants(lane);
          return wanted === "waiting" ? "attach" : wanted === "idle" ? "attachIdle" : undefined;
        }
        case "subscribing":
          return "subscribe";
        case "attached":
          return nextOfAttached(lane);
        default:
          return undefined;
      }
    },

    bytes(lane, step) {
      switch (step) {
        case "reply":
          return lane.replies.peek()?.bytes ?? 0;
        case "data":
          return lane.data.peek()?.bytes ?? 0;
        default:
          return 0;
      }
    },

    use(lane, step) {
      const use = usedBy(core, lane, step);
      return use === undefined ? undefined : { ...use, isOwn: lane.device === undefined };
    },

    perform(lane, step) {
      switch (step) {
        case "attach":
        case "attachIdle":
          return attachments.attach(lane);
        case "subscribe":
          return attachments.subscribe(lane);
        case "detach":
          return attachments.detach(lane);
        case "reply":
          return outbox.sendReply(lane);
        case "question":
          return questions.send(lane);
        case "data":
          return outbox.sendData(lane);
        case "state":
          return sendState(lane);
      }
    },
  };

  function nextOfAttached(lane: Lane): Step | undefined {
    if (lane.replies.length > 0) return "reply";
    if (lane.questions !== undefined && lane.questions.length > 0) return "question";
    settleMarkers(lane);
    if (state.isDue(lane)) return "state";
    const head = lane.data.peek();
    if (head === undefined) return lane.isLeaving && !lane.isStored && isQuiet(lane) ? "detach" : undefined;
    if (head.message.kind === "detach") return isQuiet(lane) ? "detach" : undefined;
    return "data";
  }

  /** What only had to wait for its place: an attach of a device that is attached, a state behind a detach. */
  function settleMarkers(lane: Lane): void {
    for (let head = lane.data.peek(); head !== undefined; head = lane.data.peek()) {
      const { message, cargo } = head;
      const isState = message.kind === "state" && core.adapt.state !== "pass" && core.adapt.state !== "spread";
      const isOver = cargo?.isSettled === true;
      if (message.kind !== "attach" && !isState && !isOver) return;
      outbox.shift(lane);
      if (cargo === undefined || isOver) continue;
      if (isState) state.add(lane, message, cargo, state.merge(lane, message, cargo));
      else core.unload(cargo);
    }
  }

  function sendState(lane: Lane): void {
    const { body, revision } = state.next(lane);
    const message: State = lane.id === undefined ? { kind: "state", body } : { kind: "state", device: lane.id, body };
    core.pacing.charge(core.nowMs, 0, body.length);
    flights.send("state", lane, message, { revision });
  }
}

function usedBy(core: Core, lane: Lane, step: Step): Use | undefined {
  switch (step) {
    case "subscribe":
      return undefined;
    case "data": {
      const waiting = lane.data.peek();
      return waiting === undefined ? undefined : useOfWaiting(core, lane, waiting);
    }
    case "attach":
    case "attachIdle":
      return useOf({ kind: "attach" });
    case "state":
      return { isOwn: false, messages: 0, uploads: 1, points: lane.state?.members.size ?? 0 };
    case "reply":
    case "question":
    case "detach":
      return useOf({ kind: "detach" });
  }
}
