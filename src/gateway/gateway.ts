import type { Decoded } from "../message/decoded.ts";
import type { AttributesResponse, CallResult, DeviceId, DownMessage, UpMessage } from "../message/message.ts";
import { admitPacket } from "./admission.ts";
import type { Alarm } from "./alarms.ts";
import { factsOfCloud } from "./cloud-facts.ts";
import type { Cargo, Core, GatewayEngineOptions } from "./core.ts";
import type {
  Admission,
  Arrival,
  Carried,
  CarriedLocal,
  CarriedUpstream,
  GatewayEffect,
  GatewayEvent,
  GatewayStatus,
  Heard,
} from "./event.ts";
import { statusOfLane } from "./lane-status.ts";
import { tellStray } from "./local-errors.ts";
import { grantOf, type Wish } from "./local-grant.ts";
import { Parts } from "./parts.ts";
import { recordsOf } from "./records-of.ts";

export type { GatewayEngineOptions } from "./core.ts";
export type {
  Admission,
  Arrival,
  Carried,
  DeliveryOutcome,
  GatewayEffect,
  GatewayEvent,
  GatewayStatus,
} from "./event.ts";
export type { Side } from "./side.ts";

/** The rules between the two clouds of one gateway. */
export interface Gateway {
  /** Decides on a packet from the local side before it is journaled. */
  admit(decoded: Decoded, protocol: 3 | 4 | 5, arrival?: Arrival): Admission;
  /** Whether the local gateway may subscribe: to this, to what others may hear, or to a filter unlike any of its cloud. */
  grants(wish: Wish | "others" | "unlike"): "grant" | "refuse" | "close";
  /** Advances by one event; what should happen comes back in order. Deterministic: same events and times, same effects. */
  handle(event: GatewayEvent, nowMs: number): readonly GatewayEffect[];
  /** For the rules that take the place of these. */
  carry(): Carried;
  /** When `handle({ kind: "tick" })` is next due, Unix milliseconds. */
  readonly wakeAtMs: number | undefined;
  /** Messages taken from the spool and not yet settled or parked. */
  readonly load: number;
  /** The same in bytes of the payloads they came in: of large packets far fewer fit into memory. */
  readonly loadBytes: number;
  /** Records of which a message is published and not acknowledged, or is a question that is being answered. */
  sending(): ReadonlySet<number>;
  status(nowMs: number): GatewayStatus;
  /** The records whose messages an unacknowledged publish carries, or goes ahead of; for people. */
  recordsOf(token: number): readonly number[];
  /** The local side's name for an id of the upstream, where it has one; for people. */
  nameOf(id: DeviceId): DeviceId | undefined;
}

/**
 * The rules of one gateway: a state machine that is told what happened and says what to do. Which adaptations are at work
 * follows from the traits of the two sides alone.
 *
 * @param options `facts` is what the `store` effects of an earlier run left: with them it goes on where that one ended.
 */
export function createGateway(options: GatewayEngineOptions): Gateway {
  return new Rules(options);
}

class Rules implements Gateway {
  readonly #core: Core;
  readonly #parts: Parts;
  #awayAlarm: Alarm | undefined;
  #hasBegun = false;

  constructor({ facts, ...options }: GatewayEngineOptions) {
    this.#parts = new Parts(options);
    this.#core = this.#parts.core;
    const known = factsOfCloud(facts, options.cloud, (effect) => this.#core.emit(effect));
    for (const [key, value] of known) this.#restore(key, value);
  }

  admit(decoded: Decoded, protocol: 3 | 4 | 5, arrival?: Arrival): Admission {
    const { admission, local } = this.#parts;
    if (arrival === undefined || !local.isRequired) return admitPacket(this.#core, decoded, protocol);
    this.#core.nowMs = arrival.nowMs;
    const admitted = admission.admit(decoded, arrival);
    const effects = this.#core.takeEffects();
    return effects.length === 0 ? admitted : { ...admitted, effects };
  }

  grants(wish: Wish | "others" | "unlike"): "grant" | "refuse" | "close" {
    return grantOf(this.#core, this.#parts.local, wish);
  }

  handle(event: GatewayEvent, nowMs: number): readonly GatewayEffect[] {
    this.#core.nowMs = nowMs;
    if (!this.#hasBegun) this.#begin();
    this.#react(event);
    this.#core.alarms.runDue(nowMs);
    this.#parts.elimination.pump();
    return this.#core.takeEffects();
  }

  carry(): Carried {
    const { isUpstreamOpen, isHeldBack, isNarrowing, options, pacing, told } = this.#core;
    const { attachments, local, passed } = this.#parts;
    const isSteady = isUpstreamOpen && !isHeldBack && !isNarrowing;
    const how = { limits: options.upstream.limits, config: options.rules.config };
    return {
      local: { attached: local.carry(), asked: passed.carry() },
      ...(isSteady ? { upstream: { attached: attachments.carry(), told, pacing, ...how } } : {}),
    };
  }

  get wakeAtMs(): number | undefined {
    return this.#core.alarms.nextMs;
  }

  get loadBytes(): number {
    return this.#core.loadBytes;
  }

  get load(): number {
    return this.#core.load;
  }

  sending(): ReadonlySet<number> {
    const { flights, state } = this.#parts;
    const seqs = new Set<number>();
    for (const { seq } of this.#core.questions) seqs.add(seq);
    for (const { lane, purpose, waiting, riders } of flights.all()) {
      if (purpose === "state") for (const seq of state.sending(lane)) seqs.add(seq);
      for (const one of [waiting, ...riders]) if (one?.cargo !== undefined) seqs.add(one.cargo.seq);
    }
    return seqs;
  }

  status(): GatewayStatus {
    const { flights, lanes, openCommands } = this.#parts;
    return {
      devices: [...lanes.all()].map(statusOfLane),
      openCommands,
      inFlight: flights.size,
      queued: this.#core.load,
    };
  }

  recordsOf(token: number): readonly number[] {
    return recordsOf(this.#parts.flights.find(token));
  }

  nameOf(id: DeviceId): DeviceId | undefined {
    return this.#parts.lanes.findId(id)?.device;
  }

  #react(event: GatewayEvent): void {
    switch (event.kind) {
      case "arrived": {
        const { messages, queue, record } = event;
        for (let index = 0; index < messages.length; index++) {
          const message = messages[index];
          if (message === undefined || !record.isOpen(index)) continue;
          this.#parts.arrivals.take(arrivedCargo(event, index, this.#parts.local.identify(message)), queue);
        }
        return;
      }
      case "caughtUp":
        // Some may have been dropped before they were read.
        for (const lane of this.#parts.lanes.all()) lane.unreadDetaches = 0;
        this.#parts.attachments.caughtUp();
        return;
      case "recalled": {
        const message = this.#parts.local.identify(event.message);
        const lane = "device" in message ? this.#parts.lanes.find(message.device) : undefined;
        this.#parts.arrivals.take(recalledCargo(event, message), true);
        if (lane !== undefined) this.#parts.outbox.recalled(lane);
        return;
      }
      case "recallEnded": {
        const lane = this.#parts.lanes.find(event.device);
        if (lane !== undefined) this.#parts.outbox.recallEnded(lane);
        return;
      }
      case "localConnected":
        this.#localConnected(event.connection, event.carried);
        return;
      case "localSubscribed":
        if (event.connection === this.#core.connection) this.#localSubscribed(event.heard);
        return;
      case "localStray":
        if (event.connection === this.#core.connection) tellStray(this.#core, event);
        return;
      case "localDisconnected":
        this.#localDisconnected(event.connection);
        return;
      case "upstreamOpened":
        this.#upstreamOpened(event.carried);
        return;
      case "upstreamClosed":
        this.#parts.elimination.closed(event.reason);
        this.#parts.upstreamClosed();
        return;
      case "acknowledged":
        this.#parts.elimination.acknowledged(event.token);
        this.#parts.landings.acknowledged(event.token, event.code);
        return;
      case "unsendable":
        this.#parts.landings.setAside(event.token, event.reason);
        return;
      case "subscribed":
        this.#parts.attachments.subscribed(event.token, event.codes);
        return;
      case "received":
        this.#received(event.message, event.inbound, event.about);
        return;
      case "delivered":
        this.#core.deliveryEnded(event.token, event.outcome);
        return;
      case "withdrawn":
        this.#withdraw(event.seqs);
        return;
      case "refused":
        this.#parts.commands.refused(event.seq);
        return;
      case "retry":
        this.#retry(event.device);
        return;
      case "tick":
        return;
      case "draining":
        this.#core.isDraining = true;
        return;
    }
  }

  /** The first event brings the first time: without a local gateway the devices' time to be detached begins to run. */
  #begin(): void {
    this.#hasBegun = true;
    this.#startAwayAlarm();
  }

  #startAwayAlarm(): void {
    this.#core.alarms.cancel(this.#awayAlarm);
    this.#awayAlarm = this.#core.alarms.set(this.#core.nowMs + this.#core.options.rules.detachAfter, () =>
      this.#parts.attachments.leave(
        (lane) => this.#core.connection === undefined || !this.#parts.local.isAttached(lane.device),
      ),
    );
  }

  #localConnected(connection: number, carried: CarriedLocal | undefined): void {
    if (this.#core.connection !== undefined) this.#parts.localConnectionEnded(this.#core.connection);
    this.#core.connection = connection;
    const lost = this.#parts.local.connected(carried?.attached);
    if (lost.length > 0) this.#core.emit({ kind: "revoke", devices: lost });
    if (carried !== undefined) this.#parts.passed.carried(carried.asked);
    // Where devices have to be attached, being there is not enough: those that are not attached again still leave.
    if (!this.#parts.local.isRequired) {
      this.#core.alarms.cancel(this.#awayAlarm);
      this.#parts.attachments.stay();
    }
    this.#parts.offerConfiguration();
  }

  #localSubscribed(heard: readonly Heard[] | undefined): void {
    // On shared topics one subscription is for all devices.
    if (heard === undefined || this.#core.options.local.traits.packet === "devices") {
      this.#parts.offerConfiguration();
      return;
    }
    for (const { kind, device } of heard) {
      if (device !== undefined) this.#parts.local.called(device);
      const lane = kind === "config" ? this.#parts.lanes.find(this.#parts.local.idOf(device)) : undefined;
      if (lane !== undefined) this.#parts.configuration.heard(lane);
    }
  }

  #localDisconnected(connection: number): void {
    this.#parts.localConnectionEnded(connection);
    if (this.#core.connection !== connection) return;
    this.#core.connection = undefined;
    this.#startAwayAlarm();
  }

  #upstreamOpened(carried: CarriedUpstream | undefined): void {
    this.#core.isUpstreamOpen = true;
    // A configuration is read as it comes: to read it otherwise, it has to come again, as it does when it is subscribed to.
    if (carried === undefined || !isEqual(carried.config, this.#core.options.rules.config)) {
      this.#core.pacing.restart(this.#core.nowMs);
      this.#parts.elimination.opened();
      return;
    }
    // Clouds count on: who changes the rules often has no more to spend for that.
    if (isEqual(carried.limits, this.#core.options.upstream.limits)) this.#core.pacing = carried.pacing;
    this.#parts.elimination.resumed();
    this.#parts.limits.resumed(carried.told);
    this.#parts.configuration.attached(this.#parts.lanes.own);
    this.#parts.attachments.resumed(carried.attached);
  }

  #received(message: DownMessage, inbound: number | undefined, about: number | undefined): void {
    switch (message.kind) {
      case "config":
        if (this.#parts.downlink.refuses(message)) break;
        this.#parts.configuration.receive(this.#parts.lanes.ofId(message.device), message, inbound);
        return;
      case "command":
        if (this.#parts.downlink.refuses(message)) break;
        this.#parts.commands.receive(this.#parts.lanes.ofId(message.device), message, inbound);
        return;
      case "error":
        this.#parts.errors.receive(message, about);
        break;
      case "attributesResponse":
        this.#answered(message);
        break;
      case "callResult":
        this.#answered(message);
        break;
      case "removed":
      case "renamed":
      case "detached":
        this.#parts.notices.receive(message);
        break;
    }
    this.#core.acknowledge(inbound);
  }

  #answered(message: AttributesResponse | CallResult): void {
    const lane = this.#parts.lanes.findId(message.kind === "callResult" ? undefined : message.device);
    if (!this.#parts.questions.answered(message, lane)) this.#parts.passed.answered(message, lane?.device);
  }

  #withdraw(seqs: ReadonlySet<number>): void {
    for (const lane of [this.#parts.lanes.own, ...this.#parts.lanes.all()]) {
      if (lane.data.length > 0 || lane.replies.length > 0) this.#parts.outbox.withdraw(lane, seqs);
      this.#parts.state.withdraw(lane, seqs);
      this.#parts.dispatch.wake(lane);
    }
  }

  #retry(device: DeviceId | undefined): void {
    if (device === undefined) {
      for (const lane of [...this.#parts.lanes.all()])
        if (lane.phase === "held" || lane.hasHeld) this.#parts.attachments.retry(lane);
      return;
    }
    const lane = this.#parts.lanes.of(device);
    // The operator may know of more than the rules do.
    if (!lane.hasHeld) this.#parts.outbox.stored(lane);
    this.#parts.attachments.retry(lane);
  }

  #restore(key: string, value: string): void {
    const slash = key.indexOf("/");
    const fact = slash === -1 ? key : key.slice(0, slash);
    const lane = () =>
      key.length === slash + 1 ? this.#parts.lanes.own : this.#parts.lanes.of(key.slice(slash + 1) as DeviceId);
    switch (fact) {
      case "attached":
      case "waiting":
        this.#parts.attachments.restore(lane(), fact, value);
        return;
      case "local":
        this.#parts.local.restore(key.slice(slash + 1) as DeviceId);
        return;
      case "document":
      case "documentTaken":
      case "desired":
      case "taken":
      case "doubtful":
      case "collected":
        this.#parts.configuration.restore(lane(), fact, value);
        return;
      case "reported":
      case "published":
        this.#parts.state.restore(lane(), fact, value);
        return;
      case "command":
      case "commandIds":
      case "folded":
        this.#parts.commands.restore(key, value);
        return;
      case "alias": {
        this.#parts.lanes.rename(lane(), value as DeviceId);
        this.#parts.lanes.takeName(lane());
        return;
      }
      case "connectors":
        this.#parts.ownAttributes.restore(value);
        return;
      default: // a later version's
    }
  }
}

function arrivedCargo(event: EventOf<"arrived">, index: number, message: UpMessage): Cargo {
  const { connection, messages, record } = event;
  const { seq, arrivedMs } = record;
  const bytes = Math.ceil(event.bytes / messages.length);
  const isRecalled = false;
  return { seq, index, arrivedMs, bytes, connection, message, isRecalled, left: 1, fate: undefined, isSettled: false };
}

function recalledCargo({ seq, index, arrivedMs }: EventOf<"recalled">, message: UpMessage): Cargo {
  const bytes = 0;
  const connection = undefined;
  const isRecalled = true;
  return { seq, index, arrivedMs, bytes, connection, message, isRecalled, left: 1, fate: undefined, isSettled: false };
}

type EventOf<Kind extends GatewayEvent["kind"]> = Extract<GatewayEvent, { kind: Kind }>;

/** Options are plain data. */
function isEqual(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
