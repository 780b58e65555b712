import { expand, type JsonNode, type JsonText, objectText, parseJson, textOf } from "../../message/json.ts";
import { add, divide, multiply, negate, parseDecimal, printDecimal } from "./decimal.ts";
import type { KeyFate, KeyTable } from "./key-table.ts";
import type { MappingRule, Scale } from "./rule.ts";

/** Named values on the other side, or why they cannot be said there. */
export type MappedValues =
  | {
      readonly kind: "values";
      readonly values: JsonText;
      /** The rule that left nothing of them; absent if something is left, or nothing was there. */
      readonly emptiedBy?: MappingRule;
    }
  | { readonly kind: "unrepresentable"; readonly reason: string };

/** Which way values go. */
export type Way = "outward" | "inward";

/** Changes the keys of an object and the numbers under them. What no rule names keeps its text and its place. */
export function mapValues(values: JsonText, table: KeyTable, way: Way): MappedValues {
  if (table.isEmpty) return { kind: "values", values };
  const node = parseJson(values, 1);
  return node.kind === "fault" ? { kind: "values", values } : mapObject(node, table, way);
}

/** The same for an object that has been read. */
export function mapObject(node: JsonNode, table: KeyTable, way: Way): MappedValues {
  const { keys = [], items = [] } = expand(node);
  if (keys.every((key) => table[way](key).kind === "same")) return { kind: "values", values: textOf(node) };
  const members = new Map<string, JsonText>();
  let droppedBy: MappingRule | undefined;
  for (const [index, key] of keys.entries()) {
    const fate = table[way](key);
    if (fate.kind === "unrepresentable") return fate;
    if (fate.kind === "dropped") {
      droppedBy ??= fate.rule;
      continue;
    }
    const value = mapValue(items[index] as JsonNode, fate, way);
    if (value === undefined) return tooLarge(key);
    members.set(fate.kind === "becomes" ? fate.key : key, value);
  }
  const mapped = { kind: "values" as const, values: objectText(members) };
  return members.size === 0 && droppedBy !== undefined ? { ...mapped, emptiedBy: droppedBy } : mapped;
}

/** One value by itself; `undefined` if it is larger or longer than anything is calculated with. */
export function mapValue(node: JsonNode, fate: KeyFate, way: Way): JsonText | undefined {
  const text = textOf(node);
  const scale = fate.kind === "becomes" ? fate.entry.scale : undefined;
  return scale === undefined || node.kind !== "number" ? text : scaleNumber(text, scale, way);
}

/** A number scaled with all its digits. */
export function scaleNumber(text: JsonText, { factor, offset }: Scale, way: Way): JsonText | undefined {
  const number = parseDecimal(text);
  if (number === undefined) return undefined;
  const scaled =
    way === "outward" ? add(multiply(number, factor), offset) : divide(add(number, negate(offset)), factor);
  return printDecimal(scaled);
}

/** Names in the words of the other side; the ones that have no meaning there are left out. */
export function mapNames(names: readonly string[], table: KeyTable, way: Way): readonly string[] {
  return names.flatMap((name) => {
    const fate = table[way](name);
    if (fate.kind === "becomes") return [fate.key];
    return fate.kind === "same" ? [name] : [];
  });
}

function tooLarge(key: string): MappedValues {
  return { kind: "unrepresentable", reason: `the number under "${key}" is too long to be scaled` };
}
