import { type JsonText, membersOf, objectText } from "../message/json.ts";
import type { AttributesRequest, AttributesResponse } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Configuration } from "./configuration.ts";
import { type Cargo, type Core, isTaken } from "./core.ts";
import type { Lane } from "./lane.ts";

/** How long a question waits for the first document (translation, section 4). */
const firstDocumentMs = 5000;

interface Question {
  readonly lane: Lane;
  readonly message: AttributesRequest;
  readonly cargo: Cargo;
  readonly connection: number;
  readonly alarm: Alarm;
}

export interface AttributeRequestsParts {
  readonly core: Core;
  readonly configuration: Configuration;
}

/**
 * Answers questions for attributes from the documents: `shared` from what the cloud wants, `client` from what the device
 * reported, in the exact forms of ThingsBoard (its specification, 7.4 and 13.2).
 */
export class AttributeRequests {
  readonly #parts: AttributeRequestsParts;
  readonly #core: Core;
  readonly #waiting = new Map<string, Question>();
  readonly #answering = new Set<string>();

  constructor(parts: AttributeRequestsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** Answers a question, now or when the first document is there. It is bound to its connection. */
  ask(lane: Lane, message: AttributesRequest, cargo: Cargo): void {
    const { connection } = cargo;
    if (connection === undefined) {
      this.#core.settle(cargo, { kind: "dropped", reason: "gone" });
      return;
    }
    if (
      !this.#needsDocument(message) ||
      this.#parts.configuration.desired(lane) !== undefined ||
      this.#isWithheld(message)
    ) {
      this.#answer(lane, message, cargo, connection);
      return;
    }
    const key = keyOf(cargo.seq, cargo.index);
    const alarm = this.#core.alarms.set(this.#core.nowMs + firstDocumentMs, () => {
      this.#waiting.delete(key);
      this.#answer(lane, message, cargo, connection);
    });
    this.#waiting.set(key, { lane, message, cargo, connection, alarm });
  }

  /** What of a question may be asked of a cloud that can be asked; absent: it is answered here. */
  passable(message: AttributesRequest): AttributesRequest | undefined {
    if (message.device !== undefined || this.#isOpen()) return message;
    // The gateway's own configuration stays out; what it reported itself it may have.
    const { sharedKeys: _, ...rest } = message;
    return rest.clientKeys === undefined ? undefined : rest;
  }

  /** A question that came before is not asked a second time. */
  isAsked(seq: number, index: number): boolean {
    return this.#waiting.has(keyOf(seq, index)) || this.#answering.has(keyOf(seq, index));
  }

  hasDocument(lane: Lane): void {
    if (this.#waiting.size === 0) return;
    for (const [key, question] of this.#waiting) {
      if (question.lane !== lane) continue;
      this.#waiting.delete(key);
      this.#core.alarms.cancel(question.alarm);
      this.#answer(lane, question.message, question.cargo, question.connection);
    }
  }

  connectionEnded(connection: number): void {
    for (const [key, question] of this.#waiting) {
      if (question.connection !== connection) continue;
      this.#waiting.delete(key);
      this.#core.alarms.cancel(question.alarm);
      this.#core.settle(question.cargo, { kind: "dropped", reason: "gone" });
    }
  }

  #answer(lane: Lane, message: AttributesRequest, cargo: Cargo, connection: number): void {
    const key = keyOf(cargo.seq, cargo.index);
    this.#answering.add(key);
    this.#core.deliver(this.#answerOf(lane, message), connection, (outcome) => {
      this.#answering.delete(key);
      this.#core.settle(cargo, isTaken(outcome) ? { kind: "delivered" } : { kind: "dropped", reason: "gone" });
    });
  }

  #answerOf(lane: Lane, message: AttributesRequest): AttributesResponse {
    const client = lane.state?.members ?? new Map<string, JsonText>();
    const desired = this.#parts.configuration.desired(lane);
    const shared = desired === undefined ? new Map<string, JsonText>() : membersOf(desired);
    const { device, id } = message;
    if (device === undefined) return { kind: "attributesResponse", id, ...this.#ownAnswer(message, client, shared) };
    return { kind: "attributesResponse", device, id, ...deviceAnswer(message, client, shared) };
  }

  #ownAnswer(message: AttributesRequest, client: Attributes, shared: Attributes) {
    if (this.#isWithheld(message)) return {};
    const { clientKeys, sharedKeys } = message;
    const isForAll = clientKeys === undefined && sharedKeys === undefined;
    const ours = isForAll ? client : pick(client, clientKeys ?? []);
    const theirs = this.#isOpen() ? (isForAll ? shared : pick(shared, sharedKeys ?? [])) : pick(shared, []);
    return {
      ...(ours.size > 0 ? { client: objectText(ours) } : {}),
      ...(theirs.size > 0 ? { shared: objectText(theirs) } : {}),
    };
  }

  /** The question for everything that a gateway starts with: what it is told is taken for orders to its own process. */
  #isWithheld({ device, clientKeys, sharedKeys }: AttributesRequest): boolean {
    return device === undefined && !this.#isOpen() && clientKeys === undefined && sharedKeys === undefined;
  }

  #isOpen(): boolean {
    return !this.#core.adapt.guardsGateway || this.#core.options.rules.config.gateway === "forward";
  }

  #needsDocument({ device, scope, key, keys, clientKeys, sharedKeys }: AttributesRequest): boolean {
    if (device === undefined) return this.#isOpen() && (sharedKeys !== undefined || clientKeys === undefined);
    return scope === "shared" || (key === undefined && keys?.length === 0);
  }
}

type Attributes = ReadonlyMap<string, JsonText>;

function deviceAnswer({ scope, key, keys }: AttributesRequest, client: Attributes, shared: Attributes) {
  const names = key === undefined ? (keys ?? []) : [key];
  if (names.length === 0) return everything(client, shared);
  const found = pick(scope === "client" ? client : shared, names);
  if (found.size === 0) return {};
  if (names.length > 1) return { values: objectText(found) };
  return { value: [...found.values()][0] as JsonText };
}

/** `keys: []`: a scope with exactly one attribute answers with a bare value, one with several by name; shared goes before client. */
function everything(client: Attributes, shared: Attributes) {
  const merged = new Map<string, JsonText>();
  let value: JsonText | undefined;
  for (const scope of [client, shared]) {
    if (scope.size === 1) value = [...scope.values()][0];
    else for (const [name, text] of scope) merged.set(name, text);
  }
  return {
    ...(value === undefined ? {} : { value }),
    ...(merged.size === 0 ? {} : { values: objectText(merged) }),
  };
}

function pick(attributes: Attributes, names: readonly string[]): Map<string, JsonText> {
  const picked = new Map<string, JsonText>();
  for (const name of names) {
    const value = attributes.get(name);
    if (value !== undefined) picked.set(name, value);
  }
  return picked;
}

function keyOf(seq: number, index: number): string {
  return `${seq}/${index}`;
}
