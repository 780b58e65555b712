import type { DeviceId, MessageKind } from "../message/message.ts";
import type { RetryPolicy } from "../message/traits.ts";
import type { Core } from "./core.ts";
import type { DeviceNotices } from "./device-notices.ts";
import type { Dispatch } from "./dispatch.ts";
import { type Flight, type Flights, flightFor } from "./flights.ts";
import { factName, isQuiet, type Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Outbox } from "./outbox.ts";
import type { ReportedState } from "./reported-state.ts";

/** Attempts at an attach that is not answered, before it counts as refused (translation, section 8). */
const attachTries = 3;
const attachBackoffCapMs = 64_000;
/** MQTT 5, 2.4: "Quota exceeded". Perhaps there is room later. */
const quotaExceeded = 0x97;
const holdMs = 15 * 60_000;
const deviceKinds: readonly MessageKind[] = ["config", "command"];

export interface AttachmentsParts {
  readonly core: Core;
  readonly lanes: Lanes;
  readonly flights: Flights;
  readonly dispatch: Dispatch;
  readonly outbox: Outbox;
  readonly state: ReportedState;
  readonly notices: DeviceNotices;
  /** A device is within reach. */
  readonly attached: (lane: Lane) => void;
  /** A device is out of reach: what is open with it has come to an end. */
  readonly detached: (lane: Lane) => void;
}

/**
 * Brings devices into reach of the upstream and keeps them there: attach, wait for its PUBACK, let it settle, subscribe, let
 * go what waited. Who is attached is a fact on disk and is attached again after each reconnect. A device that the cloud
 * refuses is held, alone.
 */
export class Attachments {
  readonly #parts: AttachmentsParts;
  readonly #core: Core;
  readonly #holdMs: number;
  #subscriptions: Map<number, Lane> | undefined;
  /** One subscription serves all devices of a connection. */
  readonly #hasSharedTopics: boolean;

  constructor(parts: AttachmentsParts) {
    this.#parts = parts;
    this.#core = parts.core;
    this.#hasSharedTopics = parts.core.options.upstream.traits.packet === "devices";
    const policies = [...parts.core.options.upstream.retries.values()];
    this.#holdMs = policies.find(({ action }) => action === "hold")?.everyMs ?? holdMs;
  }

  /** Whether a detached device should be attached, and if so, whether something waits for it. */
  wants(lane: Lane): "waiting" | "idle" | undefined {
    if (lane.data.length > 0 || lane.replies.length > 0 || (lane.state?.pending.length ?? 0) > 0) return "waiting";
    if (this.#core.isDraining) return undefined;
    if (lane.isStored) return "waiting";
    return (lane.isKnown || lane.isWanted) && !lane.isLeaving ? "idle" : undefined;
  }

  attach(lane: Lane): void {
    this.#parts.lanes.takeName(lane);
    const { id, profile } = lane;
    if (id === undefined) return;
    lane.phase = "attaching";
    lane.tries += 1;
    lane.stuckSinceMs ??= this.#core.nowMs;
    const isImplied = this.#core.options.upstream.traits.attach === "implied";
    const token = this.#parts.flights.send(flightFor("attach", lane), {
      kind: "attach",
      device: id,
      ...(isImplied && profile !== undefined ? { profile } : {}),
    });
    this.#setAlarm(lane, this.#core.options.attachTimeoutMs, () => this.#unanswered(lane, token));
  }

  /** The PUBACK of an attach. An error may still take it back, so it has to settle where errors come on a topic. */
  acknowledged(lane: Lane, code: number): void {
    if (code === quotaExceeded && lane.tries < attachTries) {
      this.#tryLater(lane);
      return;
    }
    if (code >= 0x80) {
      this.#refused(lane, `attach-refused: code 0x${code.toString(16).toUpperCase()}`);
      return;
    }
    if (lane.phase !== "attaching") return;
    lane.phase = "settling";
    this.#know(lane);
    const { settleMs, upstream } = this.#core.options;
    if (upstream.traits.errors === "none" || settleMs <= 0) {
      this.#settled(lane);
      return;
    }
    this.#setAlarm(lane, settleMs, () => this.#settled(lane));
  }

  subscribe(lane: Lane): void {
    if (lane.id !== undefined) {
      const token = this.#core.token();
      this.#core.emit({ kind: "subscribe", token, device: lane.id, kinds: deviceKinds });
      this.#subscriptions ??= new Map();
      this.#subscriptions.set(token, lane);
    }
    this.#attached(lane);
  }

  /** A refused subscription is repeated once behind a new attach; then the device goes without it. */
  subscribed(token: number, codes: readonly number[]): void {
    const lane = this.#subscriptions?.get(token);
    this.#subscriptions?.delete(token);
    const isRefused = codes.some((code) => code >= 0x80);
    if (!isRefused) {
      if (lane !== undefined) lane.hasResubscribed = false;
      return;
    }
    this.#core.report("warn", "subscription-refused", { device: lane?.device, codes });
    if (lane === undefined || lane.hasResubscribed || lane.phase !== "attached") return;
    lane.hasResubscribed = true;
    this.#again(lane);
  }

  /** Takes a device out of reach behind everything it had to say. */
  detach(lane: Lane): void {
    const waiting = this.#parts.outbox.shift(lane);
    lane.phase = "detaching";
    const { id } = lane;
    if (id === undefined) return;
    const flight = flightFor("detach", lane);
    flight.waiting = waiting;
    this.#parts.flights.send(flight, { kind: "detach", device: id });
  }

  /** It is detached: acknowledged, or because the connection has ended. */
  detachEnded(lane: Lane, { waiting }: Flight): void {
    if (lane.phase === "detaching") lane.phase = "detached";
    this.forget(lane);
    if (waiting?.cargo !== undefined) this.#core.unload(waiting.cargo);
    this.#parts.dispatch.wake(lane);
    this.#parts.lanes.release(lane);
  }

  /** It is not to be attached again by itself. */
  forget(lane: Lane): void {
    if (lane.isKnown) this.#core.store(`attached/${factName(lane)}`, undefined);
    lane.isKnown = false;
    lane.isWanted = false;
    lane.isLeaving = false;
    this.#parts.detached(lane);
  }

  /** Disconnects of a device that nothing attaches and nothing waits for are true already. */
  settleDetaches(lane: Lane): void {
    while (lane.data.peek()?.message.kind === "detach" && isQuiet(lane)) {
      const waiting = this.#parts.outbox.shift(lane);
      this.forget(lane);
      if (waiting?.cargo !== undefined) this.#core.unload(waiting.cargo);
    }
  }

  /** The cloud will not have this device now: its messages stay, others flow. */
  hold(lane: Lane, reason: string, everyMs = this.#holdMs): void {
    const { device } = lane;
    if (device === undefined) {
      this.pause(lane, everyMs);
      return;
    }
    this.#takeBack(lane);
    lane.phase = "held";
    lane.heldSinceMs ??= this.#core.nowMs;
    lane.reason = reason;
    if (lane.isKnown) this.#core.store(`attached/${factName(lane)}`, undefined);
    lane.isKnown = false;
    this.#parts.outbox.giveUp(lane, this.#parts.outbox.heldFate(lane, device));
    this.#parts.state.giveUp(lane, this.#parts.outbox.heldFate(lane, device));
    lane.isStored = true;
    lane.storedSinceRecall = true;
    this.#core.store(`waiting/${factName(lane)}`, reason);
    this.#core.report("warn", "device-held", { device, reason });
    if (everyMs < Number.POSITIVE_INFINITY) this.#setAlarm(lane, everyMs, () => this.retry(lane));
    else this.#setPhase(lane, "held");
    this.#parts.dispatch.wake(lane);
  }

  /** The cloud has no such device any more: what waits for it must not make it anew, unless the gateway wants it. */
  remove(lane: Lane): void {
    if (this.wants(lane) === "waiting" || lane.flying > 0) {
      this.hold(lane, "removed", Number.POSITIVE_INFINITY);
      return;
    }
    this.#setPhase(lane, "detached");
    this.forget(lane);
    this.#parts.dispatch.wake(lane);
  }

  /** Tries a held device again, from the beginning. */
  retry(lane: Lane): void {
    if (lane.phase === "pausing") {
      this.#resume(lane);
      return;
    }
    if (lane.phase === "held") {
      this.#parts.lanes.reconsider(lane);
      if (lane.problem !== undefined) return;
      this.#setPhase(lane, "detached");
      lane.tries = 0;
      lane.lostMs = undefined;
      lane.isWanted = true;
    }
    if (lane.hasHeld) {
      lane.hasHeld = false;
      lane.heldAgain = 0;
      lane.isStored = true;
    }
    this.#parts.outbox.recall(lane);
    this.#parts.dispatch.wake(lane);
  }

  /** The cloud says that it does not know the device any more, or has thrown it out. */
  lost(lane: Lane, policy: RetryPolicy, reason: string): void {
    const { nowMs } = this.#core;
    const sinceMs = lane.lostMs === undefined ? Number.POSITIVE_INFINITY : nowMs - lane.lostMs;
    lane.lostMs = nowMs;
    const { firstMs = 1000, capMs = firstMs, againMs = 60_000 } = policy;
    if (policy.action === "reattach") {
      if (sinceMs < againMs) {
        this.hold(lane, reason, policy.everyMs);
        return;
      }
      this.#again(lane);
      return;
    }
    lane.losses = sinceMs > capMs * 2 ? 0 : lane.losses + 1;
    this.pause(lane, Math.min(capMs, firstMs * 2 ** Math.min(lane.losses, 20)));
  }

  /** Lets a device rest; what was under way goes again afterwards. */
  pause(lane: Lane, delayMs: number): void {
    this.#takeBack(lane);
    this.#setPhase(lane, "pausing");
    this.#setAlarm(lane, delayMs, () => this.#resume(lane));
    this.#parts.dispatch.wake(lane);
  }

  /** Subscribes what is the gateway's own, the errors topic first: without it a refused attach cannot be seen. */
  opened(): void {
    const { upstream } = this.#core.options;
    const isPlain = this.#core.options.registry?.isGateway === false;
    if (upstream.traits.errors === "topic" && !isPlain) this.#subscribeOwn(["error"]);
    const own: readonly MessageKind[] = ["config", "command"];
    const isTalkative = upstream.traits.commands === "replied";
    this.#subscribeOwn(isTalkative ? [...own, "attributesResponse", "callResult", "removed", "renamed"] : own);
    if (this.#hasSharedTopics && !isPlain) {
      const kinds: readonly MessageKind[] = [...deviceKinds, "attributesResponse", "detached"];
      this.#core.emit({ kind: "subscribe", token: this.#core.token(), isForAll: true, kinds });
    }
    for (const lane of this.#parts.lanes.all()) this.#parts.dispatch.wake(lane);
    this.#parts.dispatch.wake(this.#parts.lanes.own);
  }

  /** The connection was opened for other rules: who is attached on it stays so. */
  resumed(attached: ReadonlySet<DeviceId>): void {
    for (const lane of this.#parts.lanes.all()) {
      const isThere = lane.isKnown && lane.id !== undefined && attached.has(lane.id);
      if (isThere && lane.phase === "detached") this.#attached(lane);
      else this.#parts.dispatch.wake(lane);
    }
    this.#parts.dispatch.wake(this.#parts.lanes.own);
  }

  /** Ids of the devices that can be spoken for at once. */
  carry(): ReadonlySet<DeviceId> {
    const attached = new Set<DeviceId>();
    for (const { id, phase } of this.#parts.lanes.all()) if (phase === "attached" && id !== undefined) attached.add(id);
    return attached;
  }

  /** Nothing survives a connection: all is put back to before the attach. */
  closed(): void {
    const { flights, lanes, outbox, state } = this.#parts;
    const lost = flights.all();
    for (const { token } of lost) flights.land(token);
    outbox.putBack(lost.filter(({ purpose }) => purpose === "data" || purpose === "reply"));
    this.#subscriptions = undefined;
    for (const flight of lost) {
      if (flight.purpose === "state") state.returned(flight.lane);
      if (flight.purpose === "detach") this.detachEnded(flight.lane, flight);
    }
    for (const lane of lanes.all()) {
      lane.hasResubscribed = false;
      if (lane.phase !== "held") {
        this.#setPhase(lane, "detached");
        lane.tries = 0;
        lane.stuckSinceMs = undefined;
      }
      if (lane.isLeaving && this.wants(lane) === undefined) this.forget(lane);
      this.settleDetaches(lane);
      this.#parts.dispatch.wake(lane);
    }
    if (lanes.own.phase === "pausing") this.#setPhase(lanes.own, "attached");
    this.#parts.dispatch.wake(lanes.own);
  }

  /** The local gateway has been away for so long that its devices are to be detached, behind what they still have to say. */
  leave(hasToGo: (lane: Lane) => boolean): void {
    for (const lane of this.#parts.lanes.all()) {
      if (!hasToGo(lane)) continue;
      if (!lane.isKnown && !lane.isWanted) continue;
      lane.isLeaving = true;
      if (!this.#core.isUpstreamOpen && this.wants(lane) === undefined) this.forget(lane);
      this.#parts.dispatch.wake(lane);
    }
  }

  /** The local gateway is back: nobody has to leave any more. */
  stay(): void {
    for (const lane of this.#parts.lanes.all()) lane.isLeaving = false;
  }

  restore(lane: Lane, fact: "attached" | "waiting", value: string): void {
    if (fact === "attached") {
      lane.isKnown = true;
      lane.profile = value === "" ? undefined : value;
    } else {
      lane.isStored = true;
    }
  }

  /** What an earlier run left in the spool can be asked for now. */
  caughtUp(): void {
    if (this.#core.isCaughtUp) return;
    this.#core.isCaughtUp = true;
    for (const lane of this.#parts.lanes.all()) this.#parts.outbox.recall(lane);
  }

  #unanswered(lane: Lane, token: number): void {
    this.#parts.flights.land(token);
    this.#core.emit({ kind: "forget", token });
    if (lane.tries >= attachTries) this.#refused(lane, "attach-unanswered");
    else this.#tryLater(lane);
  }

  #refused(lane: Lane, reason: string): void {
    this.hold(lane, reason);
    this.#parts.notices.refused(lane, reason);
  }

  #tryLater(lane: Lane): void {
    this.pause(lane, Math.min(attachBackoffCapMs, 1000 * 2 ** (lane.tries - 1)));
  }

  #settled(lane: Lane): void {
    this.#setPhase(lane, "subscribing");
    if (this.#hasSharedTopics) {
      this.#attached(lane);
      return;
    }
    this.#parts.dispatch.wake(lane);
  }

  #attached(lane: Lane): void {
    this.#setPhase(lane, "attached");
    lane.tries = 0;
    lane.stuckSinceMs = undefined;
    lane.heldSinceMs = undefined;
    lane.reason = undefined;
    lane.isWanted = false;
    this.#core.report("debug", "device-attached", { device: lane.device });
    this.#parts.attached(lane);
    this.#parts.outbox.recall(lane);
    this.#parts.dispatch.wake(lane);
  }

  /** Attaches once more, and repeats what was not acknowledged. */
  #again(lane: Lane): void {
    this.#takeBack(lane);
    if (lane.device !== undefined) {
      this.#setPhase(lane, "detached");
      lane.isWanted = true;
    }
    this.#parts.dispatch.wake(lane);
  }

  #resume(lane: Lane): void {
    this.#setPhase(lane, lane.device === undefined ? "attached" : "detached");
    if (lane.device !== undefined) lane.isWanted = true;
    this.#parts.dispatch.wake(lane);
  }

  #takeBack(lane: Lane): void {
    const { flights, outbox, state } = this.#parts;
    const lost = flights.of(lane);
    for (const flight of lost) {
      flights.land(flight.token);
      this.#core.emit({ kind: "forget", token: flight.token });
      if (flight.purpose === "state") state.returned(lane);
    }
    outbox.putBack(lost);
  }

  #know(lane: Lane): void {
    if (!lane.isKnown) this.#core.store(`attached/${factName(lane)}`, lane.profile ?? "");
    lane.isKnown = true;
  }

  #setPhase(lane: Lane, phase: Lane["phase"]): void {
    this.#core.alarms.cancel(lane.alarm);
    lane.alarm = undefined;
    lane.phase = phase;
  }

  #setAlarm(lane: Lane, delayMs: number, run: () => void): void {
    this.#core.alarms.cancel(lane.alarm);
    lane.alarm = this.#core.alarms.set(this.#core.nowMs + delayMs, run);
  }

  #subscribeOwn(kinds: readonly MessageKind[]): void {
    const token = this.#core.token();
    this.#core.pacing.charge(this.#core.nowMs, 1, 0);
    this.#core.emit({ kind: "subscribe", token, kinds });
  }
}
