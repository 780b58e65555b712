import { expand, type JsonNode, type JsonText, stringOf, textOf } from "../message/json.ts";

/** The element of an array of one, as Gson unwraps it; anything else as it is. */
export function only(node: JsonNode): JsonNode {
  if (node.kind !== "array") return node;
  const { items } = expand(node);
  return items?.length === 1 ? (items[0] as JsonNode) : node;
}

/** What a string says, or how a number or a boolean is written. */
export function scalarOf(node: JsonNode): string | undefined {
  switch (node.kind) {
    case "string":
      return stringOf(node);
    case "number":
    case "boolean":
      return textOf(node);
    default:
      return undefined;
  }
}

/** The names in a list, if each of its elements is one. */
export function readNames(node: JsonNode, read: (item: JsonNode) => string | undefined): readonly string[] | undefined {
  if (node.kind !== "array") return undefined;
  const keys: string[] = [];
  for (const item of expand(node).items ?? []) {
    const key = read(item);
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys;
}

/** A whole number, in whatever spelling. */
export function exactInteger(said: string): number | undefined {
  const value = Number(said);
  return Number.isSafeInteger(value) ? withoutMinusZero(value) : undefined;
}

/** A number, or a string that looks like one, without its decimals. */
export function cutInteger(node: JsonNode): number | undefined {
  if (node.kind !== "number" && node.kind !== "string") return undefined;
  const plain = node.kind === "number" ? plainDigits(node) : undefined;
  if (plain !== undefined) return plain;
  const said = node.kind === "number" ? textOf(node) : stringOf(node);
  if (node.kind === "string" && !/^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(said)) return undefined;
  const value = Math.trunc(Number(said));
  return Number.isSafeInteger(value) ? withoutMinusZero(value) : undefined;
}

/** Digits that no double would lose count of. */
const maxPlain = 15;

/** What a number of digits alone says, as times are written: `Number` takes ten times as long for it. */
function plainDigits({ source, start, end }: JsonNode): number | undefined {
  if (end - start > maxPlain) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = source.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

function withoutMinusZero(value: number): number {
  return value === 0 ? 0 : value;
}

/** How an integer is written, if it has all its digits. */
export function integerText(value: number): JsonText | undefined {
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? (String(value) as JsonText) : undefined;
}
