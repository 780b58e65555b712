import type { Alarm } from "./alarms.ts";
import type { Attachments } from "./attachments.ts";
import type { Configuration } from "./configuration.ts";
import type { Core } from "./core.ts";
import type { Dispatch, Step, Steps } from "./dispatch.ts";
import type { Flight, Flights } from "./flights.ts";
import type { Landings } from "./landings.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { LimitsInquiry } from "./limits-inquiry.ts";
import { Narrowing } from "./narrowing.ts";
import { isBlaming, keyOf, type Suspect, suspectsOf } from "./suspects.ts";

/** So long a probe says nothing. */
const probeMs = 2000;
/** As often a publish must have been unacknowledged when the connection was closed before it is suspected. */
const strikesOfSuspect = 2;
/** As often a suspect must have been sent alone and the connection been closed. */
const strikesOfCulprit = 2;
/** After so many in a row, with nothing acknowledged between them, the cloud itself may be to blame. */
const fruitlessCulprits = 3;
/** A connection that lasted so long was no failure. */
const stableMs = 60_000;
/** As many short lives in a row, with no message that was part of two of them, make an identity war. */
const shortLivesOfWar = 3;

/** Stands in the fate of a message that was found to be to blame. */
export const poisonReason = "poison: the connection was closed each time it was sent alone";

export interface EliminationParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly dispatch: Dispatch;
  readonly departures: Steps;
  readonly landings: Landings;
  readonly lanes: Lanes;
  readonly attachments: Attachments;
  readonly limits: LimitsInquiry;
  readonly configuration: Configuration;
}

/**
 * Finds the publish for which a cloud closes the connection. What was twice unacknowledged when it was closed is suspected.
 * From then on each connection begins with a probe, which says nothing; while such hold, suspects are sent and nothing else,
 * ever fewer of them, until one was sent alone and the connection closed, twice. It is set aside and the rest flows.
 *
 * A probe that is closed too clears them all: the connection has another trouble, which is waited out.
 */
export class Elimination {
  readonly #parts: EliminationParts;
  readonly #core: Core;
  #strikes: WeakMap<object, number> | undefined;
  #narrowing: Narrowing<Suspect> | undefined;
  #alone: Map<object, number> | undefined;
  /** Tokens of the suspects' publishes in this connection. */
  #sent: Map<Suspect, number> | undefined;
  #isWary = false;
  #isProbeDue = false;
  #probe: Alarm | undefined;
  #pace: Alarm | undefined;
  #openedMs = 0;
  #shortLives = 0;
  #fruitless = 0;

  constructor(parts: EliminationParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** A connection is there. */
  opened(): void {
    this.#openedMs = this.#core.nowMs;
    if (this.#narrowing === undefined && !this.#isProbeDue) {
      this.#parts.attachments.opened();
      this.#inquire();
      return;
    }
    this.#core.isNarrowing = true;
    this.#probe = this.#core.alarms.set(this.#core.nowMs + probeMs, () => this.#held());
  }

  /** One is there that other rules had until now. */
  resumed(): void {
    this.#openedMs = this.#core.nowMs;
  }

  /** It has ended; to be told before anything of it is taken back. */
  closed(reason: string): void {
    const wasOpen = this.#core.isUpstreamOpen;
    const wasProbing = this.#probe?.isLive === true;
    this.#core.alarms.cancel(this.#probe);
    this.#core.alarms.cancel(this.#pace);
    this.#core.isNarrowing = false;
    if (!wasOpen || !isBlaming(reason)) {
      this.#shortLives = 0;
      if (reason === "unacknowledged" || (wasProbing && reason === "identity-conflict")) this.#narrowing = undefined;
    } else if (wasProbing) this.#acquit("probe-closed");
    else if (this.#narrowing === undefined) this.#count(this.#parts.flights.all());
    else this.#tried(this.#narrowing, this.#parts.flights.all());
    this.#sent = undefined;
  }

  /** A publish was acknowledged. */
  acknowledged(token: number): void {
    if (!this.#isWary && this.#fruitless === 0) return;
    const flight = this.#parts.flights.find(token);
    if (flight === undefined) return;
    this.#strikes?.delete(flight.purpose === "question" ? this : keyOf(flight));
    if (flight.purpose === "question") return;
    if (flight.purpose !== "attach" && flight.purpose !== "detach") this.#fruitless = 0;
  }

  /** Sends what may go now. */
  pump(): void {
    if (!this.#core.isNarrowing) this.#parts.dispatch.pump();
    else if (this.#core.isUpstreamOpen && this.#probe?.isLive !== true && this.#narrowing !== undefined)
      this.#pursue(this.#narrowing);
  }

  /** Asks the cloud what is asked on each connection. */
  #inquire(): void {
    this.#parts.limits.opened();
    this.#parts.configuration.attached(this.#parts.lanes.own);
  }

  /** Counts who was under way. */
  #count(lost: readonly Flight[]): void {
    const isStable = this.#core.nowMs - this.#openedMs >= stableMs;
    if (isStable) this.#forgive();
    else this.#shortLives += 1;
    this.#isWary = true;
    const suspects = lost.flatMap(suspectsOf).filter((suspect) => this.#strike(keyOf(suspect)) >= strikesOfSuspect);
    if (lost.some(({ purpose, lane }) => purpose === "question" && lane.device === undefined)) {
      if (this.#strike(this) >= strikesOfSuspect) this.#parts.limits.avoid();
    }
    if (this.#core.isDraining) return;
    if (suspects.length > 0) {
      this.#core.report("warn", "elimination-begins", { suspects: suspects.length });
      this.#narrowing = new Narrowing(suspects);
      this.#alone = undefined;
      this.#again();
    } else if (this.#shortLives >= shortLivesOfWar) {
      const detail = `closed ${this.#shortLives} times within ${stableMs / 1000} s of connecting, whatever was sent: is this identity used twice?`;
      this.#core.report("error", "identity-conflict", { closes: this.#shortLives });
      this.#core.emit({ kind: "reconnect", reason: "identity-conflict", detail });
    }
  }

  #forgive(): void {
    this.#strikes = undefined;
    this.#shortLives = 0;
    this.#isWary = false;
  }

  #strike(key: object): number {
    this.#strikes ??= new WeakMap();
    const times = (this.#strikes.get(key) ?? 0) + 1;
    this.#strikes.set(key, times);
    return times;
  }

  /** The connection was closed during a trial. */
  #tried(search: Narrowing<Suspect>, lost: readonly Flight[]): void {
    const underWay = new Set(search.trial.filter((suspect) => this.#isUnderWay(suspect)));
    const [first] = lost;
    if (underWay.size === 0 || first === undefined) {
      this.#acquit("closed-between-trials");
      return;
    }
    if (!search.isAlone) {
      search.fail(underWay);
      this.#again();
      return;
    }
    // Alone, the publish under way may also be the attach that the suspect needs.
    const key = keyOf(first);
    this.#alone ??= new Map();
    const times = (this.#alone.get(key) ?? 0) + 1;
    this.#alone.set(key, times);
    if (times >= strikesOfCulprit) this.#convict(first);
    else this.#again();
  }

  #convict({ token, lane, purpose }: Flight): void {
    this.#narrowing = undefined;
    this.#shortLives = 0;
    this.#fruitless += 1;
    this.#core.report("error", "elimination-ends", { device: lane.device, purpose, found: true });
    this.#parts.landings.setAside(token, poisonReason);
    // One after the other, and nothing gets through: they may all be innocent, so there is no hurry.
    if (this.#fruitless <= fruitlessCulprits) this.#again();
    else this.#core.report("error", "upstream-takes-nothing", { setAside: this.#fruitless });
  }

  /** The connection is closed for another reason; what it is shows in the growing time between attempts. */
  #acquit(why: string): void {
    this.#narrowing = undefined;
    this.#isProbeDue = true;
    this.#forgive();
    this.#core.report("warn", "elimination-ends", { found: false, why });
  }

  /** Connections for the elimination's sake are no failures. */
  #again(): void {
    this.#shortLives = 0;
    this.#core.emit({
      kind: "reconnect",
      reason: "elimination",
      detail: "a message that may be to blame is looked for",
    });
  }

  /** The probe has held. */
  #held(): void {
    this.#isProbeDue = false;
    this.#parts.attachments.opened();
    if (this.#narrowing === undefined) this.#resume();
  }

  #resume(): void {
    this.#narrowing = undefined;
    this.#core.isNarrowing = false;
    this.#inquire();
    this.#parts.dispatch.pump();
  }

  #pursue(search: Narrowing<Suspect>): void {
    for (;;) {
      const over = this.#advance(search.trial);
      if (over.size > 0) search.clear(over);
      if (search.trial.length === 0) {
        this.#core.report("info", "elimination-ends", { found: false, why: "all-passed" });
        this.#resume();
        return;
      }
      if (over.size === 0) return;
    }
  }

  /** Sends of a trial what can go. Returns what is through, or out of reach. */
  #advance(trial: readonly Suspect[]): ReadonlySet<Suspect> {
    const over = new Set<Suspect>();
    const busy = new Set<Lane>();
    for (const suspect of trial) {
      const token = this.#sent?.get(suspect);
      if (token !== undefined) {
        if (this.#parts.flights.find(token) === undefined) over.add(suspect);
        continue;
      }
      if (busy.has(suspect.lane)) continue;
      const went = this.#send(suspect);
      if (went === "paced") break;
      if (went === "over") over.add(suspect);
      if (went === "wait") busy.add(suspect.lane);
    }
    return over;
  }

  /** Brings a suspect as far on its way as it gets now. */
  #send(suspect: Suspect): "sent" | "over" | "wait" | "paced" {
    const { lane, purpose } = suspect;
    for (;;) {
      const step = this.#nextFor(suspect);
      if (step === "over" || step === "wait") return step;
      if (!this.#isFree(lane, step)) return "paced";
      const before = this.#parts.flights.lastToken;
      this.#parts.departures.perform(lane, step);
      this.#parts.dispatch.wake(lane);
      if (step === "subscribe") continue;
      if (step === "attach" && purpose !== "attach") return "wait";
      if (this.#parts.flights.lastToken === before) return "over"; // it came to nothing
      this.#sent ??= new Map();
      this.#sent.set(suspect, this.#parts.flights.lastToken);
      return "sent";
    }
  }

  /** What brings a suspect on its way. */
  #nextFor(suspect: Suspect): Step | "over" | "wait" {
    const { lane, purpose, waiting } = suspect;
    switch (lane.phase) {
      case "detached":
        return lane.id === undefined ? "over" : "attach";
      case "attaching":
      case "settling":
      case "detaching":
        return "wait";
      case "subscribing":
        return "subscribe";
      case "pausing":
      case "held":
        return "over";
      case "attached":
        break;
    }
    switch (purpose) {
      case "attach":
        return "over";
      case "reply":
        return lane.replies.peek() === waiting ? "reply" : "over";
      case "state": {
        if (lane.state === undefined || lane.state.pending.length === 0) return "over";
        return lane.state.clearAtMs <= this.#core.nowMs ? "state" : "wait";
      }
      case "data":
        // What only had to wait for its place goes out of the way.
        if (lane.data.peek() !== waiting) this.#parts.departures.next(lane);
        return lane.data.peek() === waiting ? "data" : "over";
    }
  }

  #isFree(lane: Lane, step: Step): boolean {
    if (step === "subscribe") return true;
    if (!this.#parts.flights.hasRoom) return false;
    const bytes = this.#parts.departures.bytes(lane, step);
    const use = this.#core.pacing.isMetered ? this.#parts.departures.use(lane, step) : undefined;
    if (this.#core.pacing.take(this.#core.nowMs, bytes, use)) return true;
    this.#core.alarms.cancel(this.#pace);
    this.#pace = this.#core.alarms.set(this.#core.pacing.readyAtMs(this.#core.nowMs, bytes, use), () => undefined); // every turn ends with a pump
    return false;
  }

  #isUnderWay(suspect: Suspect): boolean {
    return suspect.lane.phase === "attaching" || this.#parts.flights.find(this.#sent?.get(suspect) ?? 0) !== undefined;
  }
}
