import type { Alarm } from "./alarms.ts";
import type { Core } from "./core.ts";
import type { Dispatch, Step, Steps } from "./dispatch.ts";
import type { Flight, Flights } from "./flights.ts";
import type { Lane } from "./lane.ts";
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

export interface Elimination {
  /** A connection is there. */
  opened(): void;
  /** One is there that other rules had until now. */
  resumed(): void;
  /** It has ended; to be told before anything of it is taken back. */
  closed(reason: string): void;
  /** A publish was acknowledged. */
  acknowledged(token: number): void;
  /** Sends what may go now. */
  pump(): void;
}

export interface EliminationParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly dispatch: Dispatch;
  readonly steps: Steps;
  /** This publish will never do. */
  readonly setAside: (token: number, reason: string) => void;
  /** Subscribes to what is the gateway's own, which comes before all else. */
  readonly begin: () => void;
  /** Asks the cloud what is asked on each connection. */
  readonly inquire: () => void;
  /** The question for its limits may itself be what the cloud closes for. */
  readonly avoidInquiry: () => void;
}

/**
 * Finds the publish for which a cloud closes the connection. What was twice unacknowledged when it was closed is suspected.
 * From then on each connection begins with a probe, which says nothing; while such hold, suspects are sent and nothing else,
 * ever fewer of them, until one was sent alone and the connection closed, twice. It is set aside and the rest flows.
 *
 * A probe that is closed too clears them all: the connection has another trouble, which is waited out.
 */
export function createElimination(parts: EliminationParts): Elimination {
  const { core, flights, dispatch, steps } = parts;
  let strikes = new WeakMap<object, number>();
  let narrowing: Narrowing<Suspect> | undefined;
  let alone = new Map<object, number>();
  /** Tokens of the suspects' publishes in this connection. */
  const sent = new Map<Suspect, number>();
  let isWary = false;
  let isProbeDue = false;
  let probe: Alarm | undefined;
  let pace: Alarm | undefined;
  let openedMs = 0;
  let shortLives = 0;
  let fruitless = 0;

  return {
    opened() {
      openedMs = core.nowMs;
      if (narrowing === undefined && !isProbeDue) {
        parts.begin();
        parts.inquire();
        return;
      }
      core.isNarrowing = true;
      probe = core.alarms.set(core.nowMs + probeMs, held);
    },

    resumed() {
      openedMs = core.nowMs;
    },

    closed(reason) {
      const wasOpen = core.isUpstreamOpen;
      const wasProbing = probe?.isLive === true;
      core.alarms.cancel(probe);
      core.alarms.cancel(pace);
      core.isNarrowing = false;
      if (!wasOpen || !isBlaming(reason)) {
        shortLives = 0;
        if (reason === "unacknowledged" || (wasProbing && reason === "identity-conflict")) narrowing = undefined;
      } else if (wasProbing) acquit("probe-closed");
      else if (narrowing === undefined) count(flights.all());
      else tried(narrowing, flights.all());
      sent.clear();
    },

    acknowledged(token) {
      if (!isWary && fruitless === 0) return;
      const flight = flights.find(token);
      if (flight === undefined) return;
      strikes.delete(flight.purpose === "question" ? parts : keyOf(flight));
      if (flight.purpose === "question") return;
      if (flight.purpose !== "attach" && flight.purpose !== "detach") fruitless = 0;
    },

    pump() {
      if (!core.isNarrowing) dispatch.pump();
      else if (core.isUpstreamOpen && probe?.isLive !== true && narrowing !== undefined) pursue(narrowing);
    },
  };

  /** Counts who was under way. */
  function count(lost: readonly Flight[]): void {
    const isStable = core.nowMs - openedMs >= stableMs;
    if (isStable) forgive();
    else shortLives += 1;
    isWary = true;
    const suspects = lost.flatMap(suspectsOf).filter((suspect) => strike(keyOf(suspect)) >= strikesOfSuspect);
    if (lost.some(({ purpose, lane }) => purpose === "question" && lane.device === undefined)) {
      if (strike(parts) >= strikesOfSuspect) parts.avoidInquiry();
    }
    if (core.isDraining) return;
    if (suspects.length > 0) {
      core.report("warn", "elimination-begins", { suspects: suspects.length });
      narrowing = new Narrowing(suspects);
      alone = new Map();
      again();
    } else if (shortLives >= shortLivesOfWar) {
      const detail = `closed ${shortLives} times within ${stableMs / 1000} s of connecting, whatever was sent: is this identity used twice?`;
      core.report("error", "identity-conflict", { closes: shortLives });
      core.emit({ kind: "reconnect", reason: "identity-conflict", detail });
    }
  }

  function forgive(): void {
    strikes = new WeakMap();
    shortLives = 0;
    isWary = false;
  }

  function strike(key: object): number {
    const times = (strikes.get(key) ?? 0) + 1;
    strikes.set(key, times);
    return times;
  }

  /** The connection was closed during a trial. */
  function tried(search: Narrowing<Suspect>, lost: readonly Flight[]): void {
    const underWay = new Set(search.trial.filter(isUnderWay));
    const [first] = lost;
    if (underWay.size === 0 || first === undefined) {
      acquit("closed-between-trials");
      return;
    }
    if (!search.isAlone) {
      search.fail(underWay);
      again();
      return;
    }
    // Alone, the publish under way may also be the attach that the suspect needs.
    const key = keyOf(first);
    const times = (alone.get(key) ?? 0) + 1;
    alone.set(key, times);
    if (times >= strikesOfCulprit) convict(first);
    else again();
  }

  function convict({ token, lane, purpose }: Flight): void {
    narrowing = undefined;
    shortLives = 0;
    fruitless += 1;
    core.report("error", "elimination-ends", { device: lane.device, purpose, found: true });
    parts.setAside(token, poisonReason);
    // One after the other, and nothing gets through: they may all be innocent, so there is no hurry.
    if (fruitless <= fruitlessCulprits) again();
    else core.report("error", "upstream-takes-nothing", { setAside: fruitless });
  }

  /** The connection is closed for another reason; what it is shows in the growing time between attempts. */
  function acquit(why: string): void {
    narrowing = undefined;
    isProbeDue = true;
    forgive();
    core.report("warn", "elimination-ends", { found: false, why });
  }

  /** Connections for the elimination's sake are no failures. */
  function again(): void {
    shortLives = 0;
    core.emit({ kind: "reconnect", reason: "elimination", detail: "a message that may be to blame is looked for" });
  }

  /** The probe has held. */
  function held(): void {
    isProbeDue = false;
    parts.begin();
    if (narrowing === undefined) resume();
  }

  function resume(): void {
    narrowing = undefined;
    core.isNarrowing = false;
    parts.inquire();
    dispatch.pump();
  }

  function pursue(search: Narrowing<Suspect>): void {
    for (;;) {
      const over = advance(search.trial);
      if (over.size > 0) search.clear(over);
      if (search.trial.length === 0) {
        core.report("info", "elimination-ends", { found: false, why: "all-passed" });
        resume();
        return;
      }
      if (over.size === 0) return;
    }
  }

  /** Sends of a trial what can go. Returns what is through, or out of reach. */
  function advance(trial: readonly Suspect[]): ReadonlySet<Suspect> {
    const over = new Set<Suspect>();
    const busy = new Set<Lane>();
    for (const suspect of trial) {
      const token = sent.get(suspect);
      if (token !== undefined) {
        if (flights.find(token) === undefined) over.add(suspect);
        continue;
      }
      if (busy.has(suspect.lane)) continue;
      const went = send(suspect);
      if (went === "paced") break;
      if (went === "over") over.add(suspect);
      if (went === "wait") busy.add(suspect.lane);
    }
    return over;
  }

  /** Brings a suspect as far on its way as it gets now. */
  function send(suspect: Suspect): "sent" | "over" | "wait" | "paced" {
    const { lane, purpose } = suspect;
    for (;;) {
      const step = nextFor(suspect);
      if (step === "over" || step === "wait") return step;
      if (!isFree(lane, step)) return "paced";
      const before = flights.lastToken;
      steps.perform(lane, step);
      dispatch.wake(lane);
      if (step === "subscribe") continue;
      if (step === "attach" && purpose !== "attach") return "wait";
      if (flights.lastToken === before) return "over"; // it came to nothing
      sent.set(suspect, flights.lastToken);
      return "sent";
    }
  }

  /** What brings a suspect on its way. */
  function nextFor(suspect: Suspect): Step | "over" | "wait" {
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
        return lane.state.clearAtMs <= core.nowMs ? "state" : "wait";
      }
      case "data":
        // What only had to wait for its place goes out of the way.
        if (lane.data.peek() !== waiting) steps.next(lane);
        return lane.data.peek() === waiting ? "data" : "over";
    }
  }

  function isFree(lane: Lane, step: Step): boolean {
    if (step === "subscribe") return true;
    if (!flights.hasRoom) return false;
    const bytes = steps.bytes(lane, step);
    const use = core.pacing.isMetered ? steps.use(lane, step) : undefined;
    if (core.pacing.take(core.nowMs, bytes, use)) return true;
    core.alarms.cancel(pace);
    pace = core.alarms.set(core.pacing.readyAtMs(core.nowMs, bytes, use), () => undefined); // every turn ends with a pump
    return false;
  }

  function isUnderWay(suspect: Suspect): boolean {
    return suspect.lane.phase === "attaching" || flights.find(sent.get(suspect) ?? 0) !== undefined;
  }
}
