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

/**
 * Whole documents from the cloud for a gateway that wants to hear what changed. A document is compared with the last one
 * that the gateway took; the upstream is acknowledged when it took all of it. While nobody is there the newest waits.
 *
 * Where both sides speak of what changed, it passes as it is.
 */
export function createConfiguration(core: Core, hasDocument: (lane: Lane) => void): Configuration {
  const { rules } = core.options;

  return {
    restore(lane, fact, value) {
      const config = of(lane);
      if (fact === "desired") config.desired = value as JsonText;
      else if (fact === "taken") config.taken = value as JsonText;
      else config.doubtful = new Set(JSON.parse(value) as string[]);
      const { desired, taken, doubtful } = config;
      config.isPending = desired !== undefined && (desired !== taken || doubtful.size > 0);
    },

    receive(lane, message, inbound) {
      if (lane.device === undefined && core.adapt.guardsGateway && rules.config.gateway === "withhold") {
        core.countDown("received");
        return drop(lane, "forbidden", inbound);
      }
      if (core.adapt.config === "pass") return passOn(lane, message, inbound);
      core.countDown("received");
      const desired = valuesOf(message.body ?? Buffer.alloc(0));
      // ThingsBoard says with that key which attributes are gone.
      if (membersOf(desired).has("deleted")) return drop(lane, "unrepresentable", inbound);
      const config = of(lane);
      if (config.isPending) ended("superseded");
      if (config.giving !== undefined) config.giving.isOld = true;
      if (config.desired !== desired) core.store(`desired/${factName(lane)}`, desired);
      config.desired = desired;
      config.isPending = true;
      if (inbound !== undefined) config.inbound.push(inbound);
      hasDocument(lane);
      offer(lane, config);
    },

    offer(lane) {
      if (lane.config !== undefined) offer(lane, lane.config);
    },

    attached() {},

    heard(lane) {
      if (lane.config !== undefined) offer(lane, lane.config);
    },

    reported() {},

    forget() {},

    upstreamClosed(lane) {
      if (lane.config === undefined) return;
      lane.config.inbound = [];
      if (lane.config.giving !== undefined) lane.config.giving.inbound = [];
    },

    desired: (lane) => lane.config?.desired,
  };

  function of(lane: Lane): DesiredDocument {
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

  function doubt(lane: Lane, config: DesiredDocument, keys: readonly string[]): void {
    const before = config.doubtful;
    config.doubtful = new Set(keys);
    if (keys.length === before.size && keys.every((key) => before.has(key))) return;
    core.store(`doubtful/${factName(lane)}`, keys.length === 0 ? undefined : JSON.stringify(keys));
  }

  function valuesOf(body: Uint8Array): JsonText {
    const { document } = rules.config;
    return document === null ? valuesOfBody(body) : attributeOfBody(document, body);
  }

  function offer(lane: Lane, config: DesiredDocument): void {
    if (!config.isPending || config.giving !== undefined || config.desired === undefined) return;
    const { device } = lane;
    const named = device === undefined ? {} : { device };
    const messages: Config[] = [];
    const { changed, deleted } = differenceOf(config.taken, config.desired, config.doubtful);
    const keys = [...changed.map(([key]) => key), ...deleted];
    if (changed.length > 0) messages.push({ kind: "config", ...named, values: objectText(changed) });
    if (deleted.length > 0) messages.push({ kind: "config", ...named, deleted });
    if (messages.length === 0) {
      take(lane, config, config.desired, config.inbound.splice(0));
      return;
    }
    if (core.connection === undefined) return;
    core.alarms.cancel(config.alarm);
    doubt(lane, config, keys);
    config.giving = {
      desired: config.desired,
      connection: core.connection,
      inbound: config.inbound.splice(0),
      left: messages.length,
      outcome: "acknowledged",
      isOld: false,
    };
    for (const message of messages) {
      core.deliverAfterFacts(message, undefined, (outcome) => given(lane, config, outcome));
    }
  }

  function given(lane: Lane, config: DesiredDocument, outcome: DeliveryOutcome): void {
    const { giving } = config;
    if (giving === undefined) return;
    if (!isTaken(outcome) && isTaken(giving.outcome)) giving.outcome = outcome;
    giving.left -= 1;
    if (giving.left > 0) return;
    config.giving = undefined;
    if (isTaken(giving.outcome)) {
      taken(lane, config, giving);
      return;
    }
    if (giving.outcome === "unrepresentable") {
      for (const inbound of giving.inbound) core.acknowledge(inbound);
      if (!giving.isOld) {
        ended("unrepresentable");
        doubt(lane, config, []);
        config.isPending = false;
        config.desired = config.taken;
        core.store(`desired/${factName(lane)}`, config.taken);
      }
      offer(lane, config);
      return;
    }
    config.inbound.unshift(...giving.inbound);
    if (core.connection === undefined) return;
    if (giving.connection !== core.connection) {
      offer(lane, config);
      return;
    }
    config.alarm = core.alarms.set(core.nowMs + offerAgainMs, () => offer(lane, config));
  }

  function taken(lane: Lane, config: DesiredDocument, giving: Giving): void {
    if (!giving.isOld) {
      take(lane, config, giving.desired, giving.inbound);
      return;
    }
    setTaken(lane, config, giving.desired);
    for (const inbound of giving.inbound) core.acknowledge(inbound);
    offer(lane, config);
  }

  function take(lane: Lane, config: DesiredDocument, desired: JsonText, inbound: readonly number[]): void {
    setTaken(lane, config, desired);
    config.isPending = false;
    ended();
    for (const handle of inbound) core.acknowledge(handle);
  }

  function ended(dropped?: "superseded" | "unrepresentable"): void {
    if (dropped === undefined) core.countDown("delivered");
    else core.dropDown(dropped);
  }

  function setTaken(lane: Lane, config: DesiredDocument, desired: JsonText): void {
    if (config.taken !== desired) core.store(`taken/${factName(lane)}`, desired);
    config.taken = desired;
    doubt(lane, config, []);
  }

  function passOn(lane: Lane, message: Config, inbound: number | undefined): void {
    const { device } = lane;
    core.deliver({ ...message, ...(device === undefined ? {} : { device }) }, undefined, (outcome) => {
      // Nothing of it is kept, so nothing of it may be pending if the program ends.
      core.countDown("received");
      if (isTaken(outcome)) core.countDown("delivered");
      else core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
      core.acknowledge(inbound);
    });
  }

  function drop(lane: Lane, reason: "forbidden" | "unrepresentable", inbound: number | undefined): void {
    const [level, event] =
      reason === "forbidden" ? (["info", "config-forbidden"] as const) : (["warn", "config-unrepresentable"] as const);
    core.report(level, event, { device: lane.device });
    core.dropDown(reason);
    core.acknowledge(inbound);
  }
}
