import type { Fate } from "../message/fate.ts";
import type { ListenerRules } from "../message/listener-rules.ts";
import type { LogEvent, LogLevel } from "../message/log.ts";
import type { DeviceId, DownMessage, UpMessage } from "../message/message.ts";
import { Alarms } from "./alarms.ts";
import { keyOnDisk } from "./cloud-facts.ts";
import type { DeliveryOutcome, GatewayEffect } from "./event.ts";
import type { LocalRegistry } from "./local-attachments.ts";
import type { Naming } from "./names.ts";
import type { RulesOptions } from "./options.ts";
import { Pacing } from "./pacing.ts";
import type { SessionLimits } from "./session-limits.ts";
import { type Adaptations, compareSides, type Side } from "./side.ts";
import type { TelemetryForm } from "./telemetry-shape.ts";

/** What one gateway's rules are made of. Durations are milliseconds. */
export interface RuleOptions {
  /** The gateway's own name, for reports. */
  readonly id: string;
  readonly rules: RulesOptions;
  readonly local: Side;
  readonly upstream: Side;
  /** How many publishes may be unacknowledged. */
  readonly inFlight: number;
  readonly attachTimeoutMs: number;
  /** Between an attach's PUBACK and the first packet for the device, where an error can still take it back. */
  readonly settleMs: number;
  /** Bad packets close the connection, as the cloud of the local dialect would. */
  readonly strict?: boolean;
  /** Other names for devices, before what an id must look like. */
  readonly naming?: Naming;
  /** Telemetry bodies and folders that the deployment chose. */
  readonly telemetry?: TelemetryForm;
  /** Who may be attached on the local side; absent: nobody asks. */
  readonly registry?: LocalRegistry;
  /** How the cloud of the local side meets those that connect. */
  readonly listener?: ListenerRules;
  /** A connection begins with the attachments of the gateway's last one. */
  readonly restoreAttachments?: boolean;
  /** What tells the cloud from any other; facts about it hold with no other. Absent: there is only one. */
  readonly cloud?: string;
}

/** The same with what `store` effects wrote before. */
export interface GatewayEngineOptions extends RuleOptions {
  readonly facts: Iterable<readonly [string, string]>;
}

/** Where a message stands in the spool. Later ones are greater in `seq`, then in `index`. */
export interface Mark {
  readonly seq: number;
  readonly index: number;
}

/** A message as it comes out of the spool or from the local gateway, whose fate is still open. */
export interface Cargo extends Mark {
  readonly message: UpMessage;
  readonly arrivedMs: number;
  /** Its share of the payload that it came in; 0 if it comes from a recall, which has a bound of its own. */
  readonly bytes: number;
  /** The connection it came on; questions are worthless to any other. Absent once it was read back from the spool. */
  readonly connection: number | undefined;
  /** It comes from a recall, so nothing older of its device is left behind in the spool. */
  readonly isRecalled: boolean;
  /** Publishes still to be acknowledged before it is delivered. */
  left: number;
  /** Its fate when they are, if not `delivered`. */
  fate: Fate | undefined;
  isSettled: boolean;
}

/** Of what the spool had no room for. */
export const droppedFull: Fate = { kind: "dropped", reason: "full" };

const delivered: Fate = { kind: "delivered" };
const nothing: readonly GatewayEffect[] = [];
const noQuestions: ReadonlySet<Cargo> = new Set();

/**
 * What all rules of one gateway share: the time of the event being handled, the effects that come of it, and the one way
 * to give a message its fate. Owns the invariant that each message gets exactly one.
 */
export class Core {
  readonly options: RuleOptions;
  readonly adapt: Adaptations;
  readonly alarms = new Alarms();
  pacing: Pacing;
  /** Knows what the local gateway calls a device. */
  local: { nameOf(device: DeviceId): DeviceId } | undefined;
  nowMs = 0;
  isUpstreamOpen = false;
  /** Nothing goes upstream until the cloud has said how much it takes. */
  isHeldBack = false;
  /** A publish is looked for that the connection is closed for: nothing else goes, and nothing shares a publish. */
  isNarrowing = false;
  /** What it said. */
  told: SessionLimits | undefined;
  isDraining = false;
  /** Until the backlog of an earlier run has been read, older messages may come than what is live, or parked. */
  isCaughtUp = false;
  /** The live connection of the local gateway. */
  connection: number | undefined;
  /** Messages taken and not settled. */
  load = 0;
  /** The same in bytes of their payloads. */
  loadBytes = 0;
  #effects: GatewayEffect[] | undefined;
  #token = 0;
  #deliveries: Map<number, { readonly bytes: number; done(outcome: DeliveryOutcome): void }> | undefined;
  #deliveryBytes = 0;
  #questions: Set<Cargo> | undefined;

  constructor(options: RuleOptions) {
    this.options = options;
    this.adapt = compareSides(options.local.traits, options.upstream.traits);
    this.pacing = new Pacing(options.upstream.limits);
  }

  /** The largest packet the upstream takes, as MQTT's remaining length. */
  get packetBytes(): number {
    const { packetBytes = Number.POSITIVE_INFINITY } = this.options.upstream.limits;
    return Math.min(packetBytes, this.told?.packetBytes ?? packetBytes);
  }

  /** The effects since the last call. */
  takeEffects(): readonly GatewayEffect[] {
    const effects = this.#effects;
    this.#effects = undefined;
    return effects ?? nothing;
  }

  emit(effect: GatewayEffect): void {
    // Most events have one effect, and a list that is pushed to gets room for seventeen.
    if (this.#effects === undefined) this.#effects = [effect];
    else this.#effects.push(effect);
  }

  token(): number {
    this.#token += 1;
    return this.#token;
  }

  /** From here on it counts as being in memory, until it is settled. */
  take(cargo: Cargo): Cargo {
    this.load += 1;
    this.loadBytes += cargo.bytes;
    return cargo;
  }

  /** The same for a question that is answered here. */
  takeQuestion(cargo: Cargo): Cargo {
    this.#questions ??= new Set();
    this.#questions.add(cargo);
    return this.take(cargo);
  }

  /** Questions that are being answered here. */
  get questions(): ReadonlySet<Cargo> {
    return this.#questions ?? noQuestions;
  }

  settle(cargo: Cargo, fate: Fate): void {
    if (cargo.isSettled) return;
    cargo.isSettled = true;
    this.#questions?.delete(cargo);
    this.load -= 1;
    this.loadBytes -= cargo.bytes;
    this.emit({ kind: "settle", ref: cargo, fate });
  }

  /** One of the cargo's publishes is acknowledged. */
  unload(cargo: Cargo): void {
    cargo.left -= 1;
    if (cargo.left === 0) this.settle(cargo, cargo.fate ?? delivered);
  }

  /** Gives a message that was never taken its fate. */
  settleAt(cargo: Cargo, fate: Fate): void {
    this.emit({ kind: "settle", ref: cargo, fate });
  }

  store(key: string, value: string | undefined): void {
    this.emit({ kind: "store", key: keyOnDisk(key, this.options.cloud), value });
  }

  report(level: LogLevel, event: LogEvent, fields: Readonly<Record<string, unknown>>): void {
    this.emit({ kind: "report", level, event, fields });
  }

  acknowledge(inbound: number | undefined): void {
    if (inbound === undefined || !this.isUpstreamOpen) return;
    this.pacing.charge(this.nowMs, 1, 0);
    this.emit({ kind: "acknowledge", inbound });
  }

  countDown(event: "received" | "delivered"): void {
    this.emit({ kind: "countDown", event, count: 1 });
  }

  dropDown(reason: string): void {
    this.emit({ kind: "countDown", event: "dropped", count: 1, reason });
  }

  /** The same once what was stored is on disk, for what the gateway refers to later. */
  deliverAfterFacts(
    message: DownMessage,
    connection: number | undefined,
    done: (outcome: DeliveryOutcome) => void,
  ): void {
    this.#deliver(message, { isAfterFacts: true, ...(connection === undefined ? {} : { connection }) }, done);
  }

  /** Gives the local gateway a message; `done` hears how it went, in a later turn. */
  deliver(message: DownMessage, connection: number | undefined, done: (outcome: DeliveryOutcome) => void): void {
    this.#deliver(message, connection === undefined ? {} : { connection }, done);
  }

  #deliver(
    message: DownMessage,
    how: { readonly connection?: number; readonly isAfterFacts?: true },
    done: (outcome: DeliveryOutcome) => void,
  ): void {
    const token = this.token();
    const bytes = sizeOf(message);
    this.#deliveries ??= new Map();
    this.#deliveries.set(token, { bytes, done });
    this.#deliveryBytes += bytes;
    const named = this.#named(message);
    this.emit({ kind: "deliver", token, message: named, ...how });
  }

  #named(message: DownMessage): DownMessage {
    if (!("device" in message) || message.device === undefined) return message;
    const name = this.local?.nameOf(message.device) ?? message.device;
    return name === message.device ? message : { ...message, device: name };
  }

  deliveryEnded(token: number, outcome: DeliveryOutcome): void {
    const delivery = this.#deliveries?.get(token);
    if (delivery === undefined) return;
    this.#deliveries?.delete(token);
    this.#deliveryBytes -= delivery.bytes;
    delivery.done(outcome);
  }

  /** What is on its way to the local gateway. */
  get deliveries(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#deliveries?.size ?? 0, bytes: this.#deliveryBytes };
  }
}

/** Whether the gateway has the message now. */
export function isTaken(outcome: DeliveryOutcome): boolean {
  return outcome === "acknowledged" || outcome === "written";
}

export function isAfter(one: Mark, other: Mark | undefined): boolean {
  if (other === undefined) return true;
  return one.seq > other.seq || (one.seq === other.seq && one.index > other.index);
}

/** About how large a message is. */
function sizeOf(message: DownMessage): number {
  switch (message.kind) {
    case "config":
      return message.body?.length ?? message.values?.length ?? 0;
    case "command":
      return message.body?.length ?? message.params?.length ?? 0;
    default:
      return 0;
  }
}
