import type { OptionSchema } from "../message/option-schema.ts";
import { maskedUrl } from "./address.ts";
import type { Origin } from "./expand.ts";
import { formats } from "./formats.ts";

/** What a schema wants, as text that follows "wanted". */
export function wantedBy(schema: OptionSchema): string {
  if ("anyOf" in schema) return schema.anyOf.map(wantedBy).join(" or ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if ("enum" in schema && schema.enum !== undefined) return oneOf(schema.enum);
  if (schema.type === "string" && schema.format !== undefined) return formats[schema.format].wanted;
  return typeWords[schema.type];
}

const typeWords = {
  object: "a mapping",
  array: "a list",
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  null: "null",
} as const;

/** `one of "a", "b"`, or just `"a"`. */
export function oneOf(values: readonly unknown[]): string {
  const list = values.map((value) => JSON.stringify(value)).join(", ");
  return values.length === 1 ? list : `one of ${list}`;
}

/** What was found, as text that follows "found". Nothing of a secret, nor of what came from outside the file, is shown. */
export function foundText(value: unknown, origin: Origin, isSecret: boolean): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  if (isSecret) return typeof value === "string" ? "text" : `a ${typeof value}`;
  if (origin === "environment") return "what the environment variable holds";
  if (origin === "file") return "what the file holds";
  if (typeof value === "string" && value.includes("-----BEGIN ")) return "text in PEM";
  const text = JSON.stringify(typeof value === "string" ? maskedUrl(value) : value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}
