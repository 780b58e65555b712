import { type JsonText, membersOf, objectText } from "../message/json.ts";
import type { Config } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import { type Core, isTaken } from "./core.ts";
import { attributeOfBody, differenceOf, valuesOfBody } from "./document-shape.ts";
import type { DeliveryOutcome } from "./event.ts";
import { factName, type Lane } from "./lane.ts";

/** What the cloud wants a device to be, and what of it the local gateway has taken. */
export interface DesiredDocument {
  /** The last whole document; absent until one came. */
  desired: JsonText | undefined;
  taken: JsonText;
  /** Attributes that were sent and not acknowledged: the gateway may have taken them all the same. */
  doubtful: Set<string>;
  /** A document waits to be taken. */
  isPending: boolean;
  /** What to acknowledge upstream once it is. */
  inbound: number[];
  giving: Giving | undefined;
  alarm: Alarm | undefined;
}

/** An attempt to give the gateway a document. */
interface Giving {
  readonly desired: JsonText;
  readonly connection: number;
  inbound: readonly number[];
  left: number;
  outcome: DeliveryOutcome;
  /** A newer document came meanwhile; this one counts as superseded already. */
  isOld: boolean;
}

/** What of it is kept on disk, each under its own name. */
export type ConfigurationFact = "desired" | "taken" | "doubtful" | "collected" | "document" | "documentTaken";

export interface Configuration {
  restore(lane: Lane, fact: ConfigurationFact, value: string): void;
  receive(lane: Lane, message: Config, inbound: number | undefined): void;
  /** The gateway is there (again), or hears more: gives it what it has not taken yet. */
  offer(lane: Lane): void;
  /** The device is within the cloud's reach (again). */
  attached(lane: Lane): void;
  /** The gateway has subscribed to the device's configuration. */
  heard(lane: Lane): void;
  /** The device has reported these attributes as its own. */
  reported(lane: Lane, values: JsonText): void;
  /** The cloud has no such device any more. */
  forget(lane: Lane): void;
  /** What is waiting to be acknowledged upstream cannot be any more. */
  upstreamClosed(lane: Lane): void;
  /** The desired document as values, once there is one. */
  desired(lane: Lane): JsonText | undefined;
}

/** After a gateway that is there did not take a document: it may not have subscribed yet. */
const offerAgainMs = 5000;
const emptyDocument = "{}" as JsonText;

export interface ComparedConfigurationParts {
  readonly core: Core;
  /** A document has come for the device. */
  readonly hasDocument: (lane: Lane) => void;
}

/**
 * Whole documents from the cloud for a gateway that wants to hear what changed. A document is compared with the last one
 * that the gateway took; the upstream is acknowledged when it took all of it. While nobody is there the newest waits.
 *
 * Where both sides speak of what changed, it passes as it is.
 */
export class ComparedConfiguration implements Configuration {
  readonly #parts: ComparedConfigurationParts;
  readonly #core: Core;

  constructor(parts: ComparedConfigurationParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  restore(lane: Lane, fact: ConfigurationFact, value: string): void {
    const config = this.#of(lane);
    if (fact === "desired") config.desired = value as JsonText;
    else if (fact === "taken") config.taken = value as JsonText;
    else config.doubtful = new Set(JSON.parse(value) as string[]);
    const { desired, taken, doubtful } = config;
    config.isPending = desired !== undefined && (desired !== taken || doubtful.size > 0);
  }

  receive(lane: Lane, message: Config, inbound: number | undefined): void {
    if (
      lane.device === undefined &&
      this.#core.adapt.guardsGateway &&
      this.#core.options.rules.config.gateway === "withhold"
    ) {
      this.#core.countDown("received");
      this.#drop(lane, "forbidden", inbound);
      return;
    }
    if (this.#core.adapt.config === "pass") {
      this.#passOn(lane, message, inbound);
      return;
    }
    this.#core.countDown("received");
    const desired = this.#valuesOf(message.body ?? Buffer.alloc(0));
    // ThingsBoard says with that key which attributes are gone.
    if (membersOf(desired).has("deleted")) {
      this.#drop(lane, "unrepresentable", inbound);
      return;
    }
    const config = this.#of(lane);
    if (config.isPending) this.#ended("superseded");
    if (config.giving !== undefined) config.giving.isOld = true;
    if (config.desired !== desired) this.#core.store(`desired/${factName(lane)}`, desired);
    config.desired = desired;
    config.isPending = true;
    if (inbound !== undefined) config.inbound.push(inbound);
    this.#parts.hasDocument(lane);
    this.#offer(lane, config);
  }

  offer(lane: Lane): void {
    if (lane.config !== undefined) this.#offer(lane, lane.config);
  }

  attached(): void {}

  heard(lane: Lane): void {
    if (lane.config !== undefined) this.#offer(lane, lane.config);
  }

  reported(): void {}

  forget(): void {}

  upstreamClosed(lane: Lane): void {
    if (lane.config === undefined) return;
    lane.config.inbound = [];
    if (lane.config.giving !== undefined) lane.config.giving.inbound = [];
  }

  desired(lane: Lane): JsonText | undefined {
    return lane.config?.desired;
  }

  #of(lane: Lane): DesiredDocument {
    lane.config ??= {
      desired: undefined,
      taken: emptyDocument,
      doubtful: new Set(),
      isPending: false,
      inbound: [],
      giving: undefined,
      alarm: undefined,
    };
    return lane.config;
  }

  #doubt(lane: Lane, config: DesiredDocument, keys: readonly string[]): void {
    const before = config.doubtful;
    config.doubtful = new Set(keys);
    if (keys.length === before.size && keys.every((key) => before.has(key))) return;
    this.#core.store(`doubtful/${factName(lane)}`, keys.length === 0 ? undefined : JSON.stringify(keys));
  }

  #valuesOf(body: Uint8Array): JsonText {
    const { document } = this.#core.options.rules.config;
    return document === null ? valuesOfBody(body) : attributeOfBody(document, body);
  }

  #offer(lane: Lane, config: DesiredDocument): void {
    if (!config.isPending || config.giving !== undefined || config.desired === undefined) return;
    const { device } = lane;
    const named = device === undefined ? {} : { device };
    const messages: Config[] = [];
    const { changed, deleted } = differenceOf(config.taken, config.desired, config.doubtful);
    const keys = [...changed.map(([key]) => key), ...deleted];
    if (changed.length > 0) messages.push({ kind: "config", ...named, values: objectText(changed) });
    if (deleted.length > 0) messages.push({ kind: "config", ...named, deleted });
    if (messages.length === 0) {
      this.#take(lane, config, config.desired, config.inbound.splice(0));
      return;
    }
    if (this.#core.connection === undefined) return;
    this.#core.alarms.cancel(config.alarm);
    this.#doubt(lane, config, keys);
    config.giving = {
      desired: config.desired,
      connection: this.#core.connection,
      inbound: config.inbound.splice(0),
      left: messages.length,
      outcome: "acknowledged",
      isOld: false,
    };
    for (const message of messages) {
      this.#core.deliverAfterFacts(message, undefined, (outcome) => this.#given(lane, config, outcome));
    }
  }

  #given(lane: Lane, config: DesiredDocument, outcome: DeliveryOutcome): void {
    const { giving } = config;
    if (giving === undefined) return;
    if (!isTaken(outcome) && isTaken(giving.outcome)) giving.outcome = outcome;
    giving.left -= 1;
    if (giving.left > 0) return;
    config.giving = undefined;
    if (isTaken(giving.outcome)) {
      this.#taken(lane, config, giving);
      return;
    }
    if (giving.outcome === "unrepresentable") {
      for (const inbound of giving.inbound) this.#core.acknowledge(inbound);
      if (!giving.isOld) {
        this.#ended("unrepresentable");
        this.#doubt(lane, config, []);
        config.isPending = false;
        config.desired = config.taken;
        this.#core.store(`desired/${factName(lane)}`, config.taken);
      }
      this.#offer(lane, config);
      return;
    }
    config.inbound.unshift(...giving.inbound);
    if (this.#core.connection === undefined) return;
    if (giving.connection !== this.#core.connection) {
      this.#offer(lane, config);
      return;
    }
    config.alarm = this.#core.alarms.set(this.#core.nowMs + offerAgainMs, () => this.#offer(lane, config));
  }

  #taken(lane: Lane, config: DesiredDocument, giving: Giving): void {
    if (!giving.isOld) {
      this.#take(lane, config, giving.desired, giving.inbound);
      return;
    }
    this.#setTaken(lane, config, giving.desired);
    for (const inbound of giving.inbound) this.#core.acknowledge(inbound);
    this.#offer(lane, config);
  }

  #take(lane: Lane, config: DesiredDocument, desired: JsonText, inbound: readonly number[]): void {
    this.#setTaken(lane, config, desired);
    config.isPending = false;
    this.#ended();
    for (const handle of inbound) this.#core.acknowledge(handle);
  }

  #ended(dropped?: "superseded" | "unrepresentable"): void {
    if (dropped === undefined) this.#core.countDown("delivered");
    else this.#core.dropDown(dropped);
  }

  #setTaken(lane: Lane, config: DesiredDocument, desired: JsonText): void {
    if (config.taken !== desired) this.#core.store(`taken/${factName(lane)}`, desired);
    config.taken = desired;
    this.#doubt(lane, config, []);
  }

  #passOn(lane: Lane, message: Config, inbound: number | undefined): void {
    const { device } = lane;
    this.#core.deliver({ ...message, ...(device === undefined ? {} : { device }) }, undefined, (outcome) => {
      // Nothing of it is kept, so nothing of it may be pending if the program ends.
      this.#core.countDown("received");
      if (isTaken(outcome)) this.#core.countDown("delivered");
      else this.#core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
      this.#core.acknowledge(inbound);
    });
  }

  #drop(lane: Lane, reason: "forbidden" | "unrepresentable", inbound: number | undefined): void {
    const [level, event] =
      reason === "forbidden" ? (["info", "config-forbidden"] as const) : (["warn", "config-unrepresentable"] as const);
    this.#core.report(level, event, { device: lane.device });
    this.#core.dropDown(reason);
    this.#core.acknowledge(inbound);
  }
}
