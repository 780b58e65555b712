import type { Decoded, RuleRef } from "../message/decoded.ts";
import { parseJson } from "../message/json.ts";
import type { Message, MessageKind } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import type { Dialect } from "./dialect.ts";
import type { Rule } from "./rule.ts";
import { type KindWords, type ValueType, vocabulary } from "./vocabulary.ts";

/** Stands where something is not shown. */
export const mask = "•••";

const maskText = JSON.stringify(mask);
export const maskBytes: Uint8Array = new TextEncoder().encode(mask);

export interface MaskOptions {
  readonly dialect: Pick<Dialect, "rules">;
  /** The rule that read or printed the packet, and what it says. */
  readonly rule: RuleRef | undefined;
  readonly messages: readonly Message[];
  /** How much of a payload is wanted; of one that is masked no more comes. */
  readonly maxLength?: number;
}

/** Whether packets of a rule may hold secrets: a credential of its own, or a document of the gateway itself. */
export function mayHoldSecrets(kind: MessageKind, carried: ReadonlySet<string>, needed: ReadonlySet<string>): boolean {
  const { secrets = [], ownSecrets = [] } = vocabulary[kind];
  const hidden = needed.has("device") ? secrets : [...secrets, ...ownSecrets];
  return hidden.some((name) => carried.has(name));
}

/**
 * The message with all that is secret in it masked: the same message where nothing is.
 *
 * @param maxLength What is masked may end there, in the middle of its JSON.
 */
export function maskedMessage<M extends Message>(message: M, maxLength = Number.POSITIVE_INFINITY): M {
  const { secrets = [], ownSecrets = [], variables }: KindWords = vocabulary[message.kind];
  const isOwn = !("device" in message) || message.device === undefined;
  const hidden = isOwn ? [...secrets, ...ownSecrets] : secrets;
  const said = message as unknown as Readonly<Record<string, unknown>>;
  const masked = hidden
    .filter((name) => said[name] !== undefined)
    .map((name) => [name, maskedValue(said[name], variables[name], maxLength)]);
  return masked.length === 0 ? message : { ...message, ...Object.fromEntries(masked) };
}

/** What was read, with all that is secret in it masked. */
export function maskedDecoded(decoded: Decoded): Decoded {
  if (decoded.kind !== "messages") return decoded;
  return { ...decoded, messages: decoded.messages.map((message) => maskedMessage(message)) };
}

/**
 * A packet as it may be shown, given the rule that read or printed it and what it means.
 *
 * What no rule reads may be anything, so of it only the shape is shown: keys, `true`, `false` and `null`. Of a packet that may
 * hold secrets, values are shown only where they are known to be none; a misspelt key does not give a token away.
 */
export function maskedPacket<P extends Pick<Packet, "topic" | "payload">>(
  packet: P,
  { dialect, messages, maxLength = Number.POSITIVE_INFINITY, ...by }: MaskOptions,
): P {
  const rule = by.rule && dialect.rules.find(({ ref }) => ref === by.rule);
  const masked = messages.map((message) => maskedMessage(message, maxLength));
  const isOpen =
    rule !== undefined &&
    (!rule.mayHoldSecrets || (messages.length > 0 && masked.every((message) => isAboutDevice(message, rule))));
  if (isOpen) return packet;
  const known = new Set(masked.flatMap((message) => Object.values(message)).filter((value) => value !== mask));
  return {
    ...packet,
    topic: maskedTopic(packet.topic, messages),
    payload: maskedPayload(packet.payload, maxLength, known),
  };
}

/** A JSON text with its scalars masked, save those that are known and `true`, `false`, `null`; may be cut off at its end. */
export function maskedJson(text: string, known: ReadonlySet<unknown> = new Set()): string {
  return text.replace(/"(?:[^"\\]|\\.)*(?:"(\s*:)?|$)|[^\s{}[\],:"]+/gs, (token, isKey: string | undefined) => {
    if (isKey !== undefined || /^(?:true|false|null)$/.test(token)) return token;
    return known.has(scalarOf(token)) ? token : maskText;
  });
}

/** A document of a device: its kind keeps secrets only in what is addressed to the gateway itself. */
function isAboutDevice(message: Message, { kind }: Rule): boolean {
  const { secrets = [] } = vocabulary[kind];
  return secrets.length === 0 && "device" in message && message.device !== undefined;
}

function maskedTopic(topic: string, messages: readonly Message[]): string {
  const secrets = messages.flatMap((message) => {
    const said = message as unknown as Readonly<Record<string, unknown>>;
    return (vocabulary[message.kind].secrets ?? []).map((name) => said[name]);
  });
  return secrets.reduce<string>(
    (text, secret) => (typeof secret === "string" && secret !== "" ? text.replaceAll(secret, mask) : text),
    topic,
  );
}

function maskedPayload(payload: Uint8Array, maxLength: number, known?: ReadonlySet<unknown>): Uint8Array {
  if (payload.length === 0) return payload;
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
  // What is not JSON has no shape to show.
  return parseJson(text, 0).kind === "fault" ? maskBytes : Buffer.from(maskedJson(text.slice(0, maxLength), known));
}

function maskedValue(value: unknown, type: ValueType | undefined, maxLength: number): unknown {
  if (value instanceof Uint8Array) return maskedPayload(value, maxLength);
  const isJson = typeof value === "string" && (type === "json" || type === "object");
  return isJson ? maskedJson(value.slice(0, maxLength)) : mask;
}

function scalarOf(token: string): unknown {
  try {
    return JSON.parse(token);
  } catch {
    return undefined;
  }
}
