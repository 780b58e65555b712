import type { RetryPolicy } from "../message/traits.ts";
import type { Attachments } from "./attachments.ts";
import type { Commands } from "./commands.ts";
import type { Core } from "./core.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Flight, Flights } from "./flights.ts";
import type { Outbox } from "./outbox.ts";
import type { OwnQuestions } from "./own-questions.ts";
import type { ReportedState } from "./reported-state.ts";

/** MQTT 5, 2.4: "Quota exceeded". The message is good, only not now. */
const quotaExceeded = 0x97;
const quotaPolicy: RetryPolicy = { action: "backoff", firstMs: 1000, capMs: 64_000 };

export interface LandingsParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly dispatch: Dispatch;
  readonly outbox: Outbox;
  readonly attachments: Attachments;
  readonly state: ReportedState;
  readonly commands: Commands;
  readonly questions: OwnQuestions;
}

/** What the end of a publish means, by what it was for. */
export class Landings {
  readonly #parts: LandingsParts;
  readonly #core: Core;

  constructor(parts: LandingsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** A PUBACK came; codes from 0x80 are refusals. */
  acknowledged(token: number, code: number): void {
    const flight = this.#parts.flights.find(token);
    if (flight === undefined) return;
    if (code === quotaExceeded && flight.purpose !== "attach") {
      // Still among the unacknowledged ones, so that it keeps its place before them.
      this.#parts.attachments.lost(flight.lane, quotaPolicy, reasonOf(code));
      return;
    }
    this.#parts.flights.land(token);
    if (code >= 0x80 && flight.purpose !== "attach") this.#setAside(flight, reasonOf(code));
    else this.#arrived(flight, code);
  }

  /** This publish will never do: its message is set aside, and the ones behind it go on. */
  setAside(token: number, reason: string): void {
    const flight = this.#parts.flights.land(token);
    if (flight !== undefined) this.#setAside(flight, reason);
  }

  #arrived(flight: Flight, code: number): void {
    const { lane, purpose, waiting, riders } = flight;
    switch (purpose) {
      case "attach":
        this.#parts.attachments.acknowledged(lane, code);
        break;
      case "detach":
        this.#parts.attachments.detachEnded(lane, flight);
        break;
      case "state":
        this.#parts.state.acknowledged(lane, flight.revision);
        break;
      case "question":
        break; // its answer comes as a message
      case "reply":
      case "data":
        if (waiting?.cargo !== undefined) this.#core.unload(waiting.cargo);
        if (waiting?.command !== undefined) this.#parts.commands.close(waiting.command);
        for (const { cargo } of riders) if (cargo !== undefined) this.#core.unload(cargo);
    }
    // The common case, data with nothing behind it, needs no look at what is next.
    if (purpose !== "data" || lane.data.length > 0 || lane.isStored || lane.isLeaving || lane.rank > 0) {
      this.#parts.outbox.recall(lane);
      this.#parts.dispatch.wake(lane);
    }
  }

  #setAside(flight: Flight, reason: string): void {
    const { lane, purpose, waiting, riders } = flight;
    const device = lane.device === undefined ? {} : { device: lane.device };
    if (riders.length > 0) {
      this.#parts.outbox.takeApart(flight);
      this.#parts.dispatch.wake(lane);
      return;
    }
    this.#core.report("warn", "message-set-aside", { ...device, purpose, reason });
    switch (purpose) {
      case "attach":
        this.#parts.attachments.hold(lane, reason);
        return;
      case "detach":
        this.#parts.attachments.detachEnded(lane, flight);
        return;
      case "state":
        this.#parts.state.condemn(lane, flight.revision, { kind: "quarantined", ...device, reason });
        break;
      case "question":
        this.#parts.questions.refused(lane, flight.revision);
        break;
      case "reply":
      case "data":
        if (waiting?.cargo !== undefined) this.#core.settle(waiting.cargo, { kind: "quarantined", ...device, reason });
        if (waiting?.command !== undefined) this.#parts.commands.close(waiting.command);
    }
    this.#parts.dispatch.wake(lane);
  }
}

function reasonOf(code: number): string {
  return `refused: code 0x${code.toString(16).toUpperCase()}`;
}
