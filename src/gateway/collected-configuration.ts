import {
  arrayText,
  type JsonText,
  kindOf,
  membersOf,
  objectText,
  parseJson,
  scalarText,
  stringOf,
} from "../message/json.ts";
import type { AttributesResponse, Config } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Configuration, ConfigurationFact } from "./configuration.ts";
import { type Core, isTaken } from "./core.ts";
import { bodyOfValues } from "./document-shape.ts";
import type { DeliveryOutcome } from "./event.ts";
import { factName, type Lane } from "./lane.ts";
import type { OwnQuestions, Wanted } from "./own-questions.ts";

/** The attributes of a device that make up its configuration, and how far the gateway has been told. */
export interface Collected {
  attributes: Map<string, JsonText>;
  /** Names that are certainly shared: they came in an update. */
  shared: Set<string>;
  /** Names that the device itself reported. */
  reported: Set<string>;
  /** All of that as it is on disk. */
  kept: string;
  /** Questions under way, and names that were updated since they were asked. */
  asking: number;
  updated: Set<string>;
  /** When the answers were last complete, on this connection. */
  answeredMs: number | undefined;
  /** A subscription waits for its first document; `answers`: until the answers are there, or too late. */
  owed: "answers" | "document" | undefined;
  waitAlarm: Alarm | undefined;
  /** The body that the gateway last took. */
  given: string | undefined;
  isGiving: boolean;
  clearAtMs: number;
  offerAlarm: Alarm | undefined;
  /** Changes that the gateway has not taken yet, and what to acknowledge upstream when it has. */
  changes: number;
  inbound: number[];
}

/** Not worth a place on disk. */
const nothing = '{"attributes":{},"shared":[],"reported":[]}';
/** How long a subscription waits for the cloud's answer (translation, section 4). */
const firstDocumentMs = 5000;
/** The vendor's limit on updates of one device. */
const intervalMs = 1000;
/** A gateway that is there and did not take a document is offered it again after this long. */
const offerAgainMs = 5000;

export interface CollectedConfigurationParts {
  readonly core: Core;
  readonly questions: OwnQuestions;
}

/**
 * Changed and deleted attributes from the cloud for a gateway that wants whole documents. The current ones are asked for
 * when a device is attached and when the gateway subscribes to its configuration; what is known is kept on disk.
 *
 * Without names to ask for, an attribute belongs to the document when an update named it, or when a question for all of
 * them did and the device has not reported it itself: such an answer does not say which side an attribute is of.
 */
export class CollectedConfiguration implements Configuration {
  readonly #parts: CollectedConfigurationParts;
  readonly #core: Core;
  readonly #wanted: readonly string[];

  constructor(parts: CollectedConfigurationParts) {
    this.#parts = parts;
    this.#core = parts.core;
    const { document, keys } = parts.core.options.rules.config;
    this.#wanted = document === null ? keys : [document];
  }

  restore(lane: Lane, _fact: ConfigurationFact, value: string): void {
    const members = membersOf(value as JsonText);
    const config = this.#of(lane);
    config.kept = value;
    config.attributes = membersOf(members.get("attributes") ?? ("{}" as JsonText));
    config.shared = new Set(stringsIn(members.get("shared")));
    config.reported = new Set(stringsIn(members.get("reported")));
  }

  receive(lane: Lane, { values, deleted }: Config, inbound: number | undefined): void {
    const config = this.#of(lane);
    const before = config.attributes;
    config.attributes = new Map(before);
    for (const [name, value] of values === undefined ? [] : membersOf(values)) this.#change(config, name, value);
    for (const name of deleted ?? []) this.#change(config, name, undefined);
    this.#keep(lane, config);
    config.changes += 1;
    // The cloud sends nothing a second time; only the newest change needs to wait for the gateway.
    for (const older of config.inbound.splice(0)) this.#core.acknowledge(older);
    if (inbound !== undefined) config.inbound.push(inbound);
    this.#offer(lane, config);
  }

  offer(lane: Lane): void {
    if (lane.collected !== undefined) this.#offer(lane, lane.collected);
  }

  attached(lane: Lane): void {
    this.#ask(lane, this.#of(lane));
  }

  heard(lane: Lane): void {
    const config = this.#of(lane);
    config.owed = "answers";
    this.#core.alarms.cancel(config.waitAlarm);
    const isFresh = config.answeredMs !== undefined && this.#core.nowMs - config.answeredMs < firstDocumentMs;
    if (isFresh && config.asking === 0) {
      this.#complete(lane, config);
      return;
    }
    config.waitAlarm = this.#core.alarms.set(this.#core.nowMs + firstDocumentMs, () => this.#complete(lane, config));
    if (this.#core.isUpstreamOpen && lane.phase === "attached" && config.asking === 0) this.#ask(lane, config);
  }

  reported(lane: Lane, values: JsonText): void {
    if (this.#wanted.length > 0) return;
    const config = this.#of(lane);
    const names = [...membersOf(values).keys()].filter((name) => !config.reported.has(name));
    if (names.length === 0) return;
    for (const name of names) {
      config.reported.add(name);
      if (!config.shared.has(name)) config.attributes.delete(name);
    }
    this.#keep(lane, config);
  }

  forget(lane: Lane): void {
    if (lane.collected === undefined) return;
    this.#core.alarms.cancel(lane.collected.waitAlarm);
    this.#core.alarms.cancel(lane.collected.offerAlarm);
    this.#ended(lane.collected, "superseded");
    lane.collected = undefined;
    this.#core.store(`collected/${factName(lane)}`, undefined);
  }

  upstreamClosed(lane: Lane): void {
    if (lane.collected === undefined) return;
    lane.collected.inbound = [];
    lane.collected.answeredMs = undefined;
  }

  desired({ collected }: Lane): JsonText | undefined {
    return collected === undefined || collected.attributes.size === 0 ? undefined : objectText(collected.attributes);
  }

  #of(lane: Lane): Collected {
    lane.collected ??= {
      attributes: new Map(),
      shared: new Set(),
      reported: new Set(),
      kept: nothing,
      asking: 0,
      updated: new Set(),
      answeredMs: undefined,
      owed: undefined,
      waitAlarm: undefined,
      given: undefined,
      isGiving: false,
      clearAtMs: 0,
      offerAlarm: undefined,
      changes: 0,
      inbound: [],
    };
    return lane.collected;
  }

  #keep(lane: Lane, config: Collected): void {
    const { attributes, shared, reported } = config;
    const names = (set: ReadonlySet<string>) => arrayText([...set].map(scalarText));
    const text = objectText([
      ["attributes", objectText(attributes)],
      ["shared", names(shared)],
      ["reported", names(reported)],
    ]);
    if (text === config.kept) return;
    config.kept = text;
    this.#core.store(`collected/${factName(lane)}`, text);
  }

  #change(config: Collected, name: string, value: JsonText | undefined): void {
    if (this.#wanted.length > 0 && !this.#wanted.includes(name)) return;
    config.updated.add(name);
    config.shared.add(name);
    if (value === undefined) config.attributes.delete(name);
    else config.attributes.set(name, value);
  }

  #ask(lane: Lane, config: Collected): void {
    config.updated.clear();
    const asked = (names: readonly string[], merge: (answer: AttributesResponse) => void): void => {
      config.asking += 1;
      this.#parts.questions.askAttributes(lane, wantedOf(lane, names), (answer) => {
        if (lane.collected !== config) return;
        config.asking -= 1;
        if (answer !== undefined) {
          merge(answer);
          this.#keep(lane, config);
          config.answeredMs = this.#core.nowMs;
        }
        if (config.asking === 0) this.#complete(lane, config);
      });
    };
    if (lane.device === undefined) {
      asked(this.#wanted, (answer) => this.#mergeOwn(config, answer));
      return;
    }
    const names = this.#wanted.length > 0 ? this.#wanted : [...config.shared];
    if (names.length > 0) asked(names, (answer) => this.#mergeNamed(config, names, answer));
    if (this.#wanted.length === 0) asked([], (answer) => this.#mergeAll(config, answer));
  }

  /** A gateway is answered by scope, so that there is no doubt. */
  #mergeOwn(config: Collected, { shared }: AttributesResponse): void {
    const found: ReadonlyMap<string, JsonText> = shared === undefined ? new Map() : membersOf(shared);
    for (const name of [...config.attributes.keys()]) if (!found.has(name)) this.#set(config, name, undefined);
    for (const [name, value] of found) this.#set(config, name, value);
  }

  #mergeNamed(config: Collected, names: readonly string[], { value, values }: AttributesResponse): void {
    const [only] = names;
    // Before 3.3.3 several names with one hit were answered by a value without its name.
    if (names.length > 1 && value !== undefined && values === undefined) return;
    const found: ReadonlyMap<string, JsonText> = values === undefined ? new Map() : membersOf(values);
    for (const name of names)
      this.#set(config, name, found.get(name) ?? (name === only && names.length === 1 ? value : undefined));
  }

  #mergeAll(config: Collected, { value, values }: AttributesResponse): void {
    const found: ReadonlyMap<string, JsonText> = values === undefined ? new Map() : membersOf(values);
    for (const [name, text] of [...config.attributes]) {
      // An only attribute of its scope comes without its name.
      if (!config.shared.has(name) && !found.has(name) && text !== value) this.#set(config, name, undefined);
    }
    for (const [name, text] of found) {
      if (!config.shared.has(name) && !config.reported.has(name)) this.#set(config, name, text);
    }
  }

  /** What an answer says, unless an update has said something newer. */
  #set(config: Collected, name: string, value: JsonText | undefined): void {
    if (config.updated.has(name)) return;
    if (value === undefined) config.attributes.delete(name);
    else config.attributes.set(name, value);
  }

  /** The answers are there, or are not waited for any longer. */
  #complete(lane: Lane, config: Collected): void {
    this.#core.alarms.cancel(config.waitAlarm);
    if (config.owed === "answers") config.owed = "document";
    this.#offer(lane, config);
  }

  #offer(lane: Lane, config: Collected): void {
    if (config.isGiving || config.owed === "answers") return;
    const body = this.#bodyOf(config);
    const text = Buffer.from(body).toString("base64");
    if (config.owed === undefined) {
      const isNews = text !== config.given && (config.given !== undefined || body.length > 0 || config.changes > 0);
      if (!isNews) this.#ended(config);
      if (!isNews || config.asking > 0) return;
    }
    if (this.#core.connection === undefined) return;
    this.#core.alarms.cancel(config.offerAlarm);
    if (this.#core.nowMs < config.clearAtMs) {
      config.offerAlarm = this.#core.alarms.set(config.clearAtMs, () => this.#offer(lane, config));
      return;
    }
    const { changes, inbound, owed } = config;
    config.isGiving = true;
    config.owed = undefined;
    const { device } = lane;
    const message: Config = { kind: "config", ...(device === undefined ? {} : { device }), body };
    this.#core.deliver(message, undefined, (outcome) =>
      this.#given(lane, config, { outcome, text, changes, inbound, owed }),
    );
    config.changes = 0;
    config.inbound = [];
  }

  #given(lane: Lane, config: Collected, giving: Giving): void {
    const { outcome, text, changes, inbound, owed } = giving;
    config.isGiving = false;
    config.clearAtMs = this.#core.nowMs + intervalMs;
    if (isTaken(outcome) || outcome === "unrepresentable") {
      config.given = text;
      this.#ended({ changes, inbound: [...inbound] }, outcome === "unrepresentable" ? outcome : undefined);
      if (lane.collected === config) this.#offer(lane, config);
      return;
    }
    config.changes += changes;
    if (config.inbound.length === 0) config.inbound = [...inbound];
    else for (const older of inbound) this.#core.acknowledge(older);
    // Without a subscription the next one brings it.
    if (outcome === "unsubscribed" || this.#core.connection === undefined || lane.collected !== config) return;
    config.owed ??= owed;
    config.offerAlarm = this.#core.alarms.set(this.#core.nowMs + offerAgainMs, () => this.#offer(lane, config));
  }

  /** Counted when it is over: what is not kept on disk as pending must not be counted as that. */
  #ended(config: Pick<Collected, "changes" | "inbound">, dropped?: "superseded" | "unrepresentable"): void {
    for (; config.changes > 0; config.changes -= 1) {
      this.#core.countDown("received");
      if (dropped === undefined) this.#core.countDown("delivered");
      else this.#core.dropDown(dropped);
    }
    for (const inbound of config.inbound.splice(0)) this.#core.acknowledge(inbound);
  }

  #bodyOf({ attributes }: Collected): Uint8Array {
    if (this.#core.options.rules.config.document !== null) {
      const value = attributes.get(this.#core.options.rules.config.document);
      if (value === undefined) return Buffer.alloc(0);
      return Buffer.from(kindOf(value) === "string" ? (JSON.parse(value) as string) : value);
    }
    if (attributes.size === 0) return Buffer.alloc(0);
    if (this.#wanted.length === 0) return bodyOfValues(objectText(attributes));
    const known = this.#wanted.flatMap((name) => {
      const value = attributes.get(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    return known.length === 0 ? Buffer.alloc(0) : bodyOfValues(objectText(known));
  }
}

interface Giving extends Pick<Collected, "changes" | "owed"> {
  readonly outcome: DeliveryOutcome;
  readonly text: string;
  readonly inbound: readonly number[];
}

function wantedOf(lane: Lane, names: readonly string[]): Wanted {
  if (lane.device === undefined) return names.length === 0 ? {} : { sharedKeys: names };
  const [only] = names;
  // With one name the forms are answered alike, and this one cannot be taken for the question for everything.
  return names.length === 1 && only !== undefined ? { scope: "shared", key: only } : { scope: "shared", keys: names };
}

function stringsIn(text: JsonText | undefined): readonly string[] {
  const root = text === undefined ? undefined : parseJson(text, 1);
  return root?.kind === "array" ? (root.items ?? []).map(stringOf) : [];
}
