import type { Meaning } from "../message/explained.ts";
import { arrayText, type JsonText, objectText, scalarText, toJsonText } from "../message/json.ts";
import type { Message, Point } from "../message/message.ts";
import { type KindWords, pointsField, vocabulary } from "./vocabulary.ts";

/** A message in words: its kind, its device, and the rest as one line of JSON, cut to `maxLength`. */
export function meaningOf(message: Message, maxLength: number): Meaning {
  const fields = fieldTexts(message).filter(([name]) => name !== "device");
  const device = "device" in message ? message.device : undefined;
  return {
    kind: message.kind,
    ...(device === undefined ? {} : { device }),
    text: cutText(objectText(fields), maxLength),
  };
}

/** What the variables of a rule hold in a message, each as text, cut to `maxLength`. */
export function variablesOf(message: Message, maxLength: number): Readonly<Record<string, string>> {
  const said = message as unknown as Readonly<Record<string, unknown>>;
  const entries = fieldTexts(message).map(([name, text]): [string, string] => {
    const value = said[name];
    return [
      name,
      cutText(typeof value === "string" ? value : value instanceof Uint8Array ? textOf(value) : text, maxLength),
    ];
  });
  return Object.fromEntries(entries);
}

/** The text, or as much of it as is wanted, with a mark where it goes on. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  // Half of a surrogate pair would print as something else.
  return `${text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, "")}…`;
}

function fieldTexts(message: Message): readonly (readonly [string, JsonText])[] {
  const { variables }: KindWords = vocabulary[message.kind];
  return Object.entries(message)
    .filter(([name, value]) => name !== "kind" && value !== undefined)
    .map(([name, value]) => [name, name === pointsField ? pointsText(value) : valueText(value, variables[name])]);
}

function pointsText(points: readonly Point[]): JsonText {
  return arrayText(
    points.map(({ ts, values }) =>
      objectText([...(ts === undefined ? [] : [["ts", scalarText(ts)] as const]), ["values", values]]),
    ),
  );
}

function valueText(value: unknown, type: string | undefined): JsonText {
  if (value instanceof Uint8Array) {
    const text = textOf(value);
    return toJsonText(text) ?? scalarText(text);
  }
  if ((type === "json" || type === "object") && typeof value === "string") return value as JsonText;
  return JSON.stringify(value) as JsonText;
}

/** Bytes as text where they are text. */
function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  return text.includes("\ufffd") ? `base64:${buffer.toString("base64")}` : text;
}
