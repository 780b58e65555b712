import type { State } from "../message/message.ts";
import type { Attachments } from "./attachments.ts";
import type { Core } from "./core.ts";
import type { Step, Steps } from "./dispatch.ts";
import { type Flights, flightFor } from "./flights.ts";
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
export class Departures implements Steps {
  readonly #parts: DeparturesParts;
  readonly #core: Core;

  constructor(parts: DeparturesParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  next(lane: Lane): Step | undefined {
    switch (lane.phase) {
      case "detached": {
        this.#parts.attachments.settleDetaches(lane);
        const wanted = lane.id === undefined ? undefined : this.#parts.attachments.wants(lane);
        return wanted === "waiting" ? "attach" : wanted === "idle" ? "attachIdle" : undefined;
      }
      case "subscribing":
        return "subscribe";
      case "attached":
        return this.#nextOfAttached(lane);
      default:
        return undefined;
    }
  }

  bytes(lane: Lane, step: Step): number {
    switch (step) {
      case "reply":
        return lane.replies.peek()?.bytes ?? 0;
      case "data":
        return lane.data.peek()?.bytes ?? 0;
      default:
        return 0;
    }
  }

  use(lane: Lane, step: Step): Use | undefined {
    const use = usedBy(this.#core, lane, step);
    return use === undefined ? undefined : { ...use, isOwn: lane.device === undefined };
  }

  perform(lane: Lane, step: Step): void {
    switch (step) {
      case "attach":
      case "attachIdle":
        this.#parts.attachments.attach(lane);
        return;
      case "subscribe":
        this.#parts.attachments.subscribe(lane);
        return;
      case "detach":
        this.#parts.attachments.detach(lane);
        return;
      case "reply":
        this.#parts.outbox.sendReply(lane);
        return;
      case "question":
        this.#parts.questions.send(lane);
        return;
      case "data":
        this.#parts.outbox.sendData(lane);
        return;
      case "state":
        this.#sendState(lane);
        return;
    }
  }

  #nextOfAttached(lane: Lane): Step | undefined {
    if (lane.replies.length > 0) return "reply";
    if (lane.questions !== undefined && lane.questions.length > 0) return "question";
    this.#settleMarkers(lane);
    if (this.#parts.state.isDue(lane)) return "state";
    const head = lane.data.peek();
    if (head === undefined) return lane.isLeaving && !lane.isStored && isQuiet(lane) ? "detach" : undefined;
    if (head.message.kind === "detach") return isQuiet(lane) ? "detach" : undefined;
    return "data";
  }

  /** What only had to wait for its place: an attach of a device that is attached, a state behind a detach. */
  #settleMarkers(lane: Lane): void {
    for (let head = lane.data.peek(); head !== undefined; head = lane.data.peek()) {
      const { message, cargo } = head;
      const isState =
        message.kind === "state" && this.#core.adapt.state !== "pass" && this.#core.adapt.state !== "spread";
      const isOver = cargo?.isSettled === true;
      if (message.kind !== "attach" && !isState && !isOver) return;
      this.#parts.outbox.shift(lane);
      if (cargo === undefined || isOver) continue;
      if (isState) this.#parts.state.add(lane, message, cargo, this.#parts.state.merge(lane, message, cargo));
      else this.#core.unload(cargo);
    }
  }

  #sendState(lane: Lane): void {
    const { body, revision } = this.#parts.state.next(lane);
    const message: State = lane.id === undefined ? { kind: "state", body } : { kind: "state", device: lane.id, body };
    this.#core.pacing.charge(this.#core.nowMs, 0, body.length);
    const flight = flightFor("state", lane);
    flight.revision = revision;
    this.#parts.flights.send(flight, message);
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
