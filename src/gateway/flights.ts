import type { UpMessage } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Core } from "./core.ts";
import { FlightTable } from "./flight-table.ts";
import type { Lane, Waiting } from "./lane.ts";

/** What a publish is for; it decides what its acknowledgement means. */
export type Purpose = "attach" | "detach" | "reply" | "data" | "state" | "question";

/** One publish, unacknowledged from when it is sent. */
export interface Flight {
  readonly purpose: Purpose;
  readonly lane: Lane;
  /** What goes back to its queue if the publish is lost; `riders` were behind it and are in the same publish. */
  waiting: Waiting | undefined;
  riders: readonly Waiting[];
  /** For a state: the revision it carries. For a question: its id. */
  revision: number;
  /** These two are set as it is sent. */
  token: number;
  sentMs: number;
}

const noRiders: readonly Waiting[] = [];

/** A publish that carries nothing which would have to go back. */
export function flightFor(purpose: Purpose, lane: Lane): Flight {
  return { purpose, lane, waiting: undefined, riders: noRiders, revision: 0, token: 0, sentMs: 0 };
}

/** Silence after which the connection is taken for dead (ThingsBoard specification, section 16: 30 s). */
export const ackTimeoutMs = 30_000;

/** The unacknowledged publishes of one connection. Owns the bound on their number. */
export class Flights {
  readonly #core: Core;
  #bound: number;
  #attachBound: number;
  readonly #flights = new FlightTable();
  /** Of the newest publish. */
  lastToken = 0;
  #attaching = 0;
  #alarm: Alarm | undefined;

  constructor(core: Core) {
    this.#core = core;
    this.#bound = Math.max(1, core.options.inFlight);
    this.#attachBound = attachBoundOf(this.#bound);
  }

  /** The cloud takes no more than this; our own bound still holds. */
  limit(inFlight: number): void {
    this.#bound = Math.max(1, Math.min(this.#core.options.inFlight, inFlight));
    this.#attachBound = attachBoundOf(this.#bound);
  }

  get size(): number {
    return this.#flights.size;
  }

  get hasRoom(): boolean {
    return this.#flights.size < this.#bound;
  }

  get hasRoomToAttach(): boolean {
    return this.#attaching < this.#attachBound;
  }

  /** Publishes. The caller has made sure of room and pace. */
  send(flight: Flight, message: UpMessage): number {
    const { purpose, lane } = flight;
    const core = this.#core;
    const token = core.token();
    this.lastToken = token;
    flight.token = token;
    flight.sentMs = core.nowMs;
    this.#flights.add(flight);
    lane.flying += 1;
    lane.sentMs = core.nowMs;
    if (purpose === "attach") this.#attaching += 1;
    const named = withId(message, lane);
    if (purpose === "question") core.emit({ kind: "publish", token, message: named, isQuestion: true });
    else core.emit({ kind: "publish", token, message: named });
    if (this.#alarm === undefined) this.#watch(core.nowMs + ackTimeoutMs);
    return token;
  }

  find(token: number): Flight | undefined {
    return this.#flights.get(token);
  }

  /** Takes a publish out: it is acknowledged, lost or given up. */
  land(token: number): Flight | undefined {
    const flight = this.#flights.get(token);
    if (flight === undefined) return undefined;
    this.#flights.delete(token);
    flight.lane.flying -= 1;
    if (flight.purpose === "attach") this.#attaching -= 1;
    return flight;
  }

  /** A lane's publishes, oldest first. */
  of(lane: Lane): readonly Flight[] {
    return lane.flying === 0 ? [] : this.#flights.all().filter((flight) => flight.lane === lane);
  }

  all(): readonly Flight[] {
    return this.#flights.all();
  }

  #watch(atMs: number): void {
    this.#alarm = this.#core.alarms.set(atMs, () => this.#check());
  }

  #check(): void {
    this.#alarm = undefined;
    for (const { purpose, sentMs } of this.#flights.all()) {
      if (purpose === "attach") continue; // has a deadline of its own
      const dueMs = sentMs + ackTimeoutMs;
      if (dueMs > this.#core.nowMs) {
        this.#watch(dueMs);
        return;
      }
      this.#core.report("warn", "upstream-silent", { unacknowledged: this.#flights.size });
      this.#core.emit({ kind: "reconnect", reason: "unacknowledged" });
      this.#watch(this.#core.nowMs + ackTimeoutMs);
      return;
    }
  }
}

/** A refused attach is often never answered; half of the places stay free for the devices that work. */
function attachBoundOf(bound: number): number {
  return Math.max(1, bound >> 1);
}

/** What was made ready before the cloud renamed the device has its old id. */
function withId(message: UpMessage, { id }: Lane): UpMessage {
  if (id === undefined || !("device" in message) || message.device === undefined || message.device === id)
    return message;
  return { ...message, device: id };
}
