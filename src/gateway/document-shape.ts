import { type JsonText, kindOf, membersOf, objectText, scalarText, toJsonText } from "../message/json.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const empty = "{}" as JsonText;

/** The text of a body if it is UTF-8 throughout. */
export function textOfBody(body: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(body);
  } catch {
    return undefined;
  }
}

/** The body as a JSON value if it is one. */
export function jsonOfBody(body: Uint8Array): JsonText | undefined {
  const text = textOfBody(body);
  return text === undefined ? undefined : toJsonText(text);
}

/**
 * An opaque state or configuration as named values: an object is them, other JSON is `value`, anything else `raw` in base64.
 * Nothing at all is an empty document.
 */
export function valuesOfBody(body: Uint8Array): JsonText {
  if (body.length === 0) return empty;
  const json = jsonOfBody(body);
  if (json === undefined) return objectText([["raw", base64Text(body)]]);
  return kindOf(json) === "object" ? json : objectText([["value", json]]);
}

/** The way back: inverts {@link valuesOfBody} exactly, so that `{"value":5}` is the body `5` again. */
export function bodyOfValues(values: JsonText): Uint8Array {
  return loneValueOf(values) ?? Buffer.from(values);
}

/** An opaque configuration kept untouched in the one attribute `key`: as text if it is UTF-8, else in base64. */
export function attributeOfBody(key: string, body: Uint8Array): JsonText {
  if (body.length === 0) return empty;
  const text = textOfBody(body);
  return objectText([[key, text === undefined ? base64Text(body) : scalarText(text)]]);
}

/**
 * What changed between two documents: new or different members of `after`, and names that it no longer has. A name in
 * `doubtful` may or may not have its old value, so it is always one or the other.
 */
export function differenceOf(
  before: JsonText,
  after: JsonText,
  doubtful: ReadonlySet<string>,
): { readonly changed: readonly (readonly [string, JsonText])[]; readonly deleted: readonly string[] } {
  const old = membersOf(before);
  const gone = new Set([...old.keys(), ...doubtful]);
  const changed: (readonly [string, JsonText])[] = [];
  for (const [key, value] of membersOf(after)) {
    if (old.get(key) !== value || doubtful.has(key)) changed.push([key, value]);
    gone.delete(key);
  }
  return { changed, deleted: [...gone] };
}

function loneValueOf(values: JsonText): Uint8Array | undefined {
  const members = membersOf(values);
  if (members.size !== 1) return undefined;
  const value = members.get("value");
  if (value !== undefined) return kindOf(value) === "object" ? undefined : Buffer.from(value);
  const raw = members.get("raw");
  if (raw === undefined || kindOf(raw) !== "string") return undefined;
  const body = Buffer.from(JSON.parse(raw) as string, "base64");
  return body.length > 0 && base64Text(body) === raw && jsonOfBody(body) === undefined ? body : undefined;
}

function base64Text(body: Uint8Array): JsonText {
  return scalarText(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("base64"));
}
