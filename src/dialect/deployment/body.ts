import { isUtf8 } from "node:buffer";
import { arrayText, expand, type JsonNode, type JsonText, objectText, parseJson, textOf } from "../../message/json.ts";
import type { Point } from "../../message/message.ts";
import type { MappingRule } from "./rule.ts";
import type { TelemetryShape } from "./shape.ts";
import type { MappedValues } from "./values.ts";

/** A body on the other side, or why there is none. */
export type MappedBody =
  | { readonly kind: "body"; readonly body: Uint8Array; readonly emptiedBy?: MappingRule }
  | { readonly kind: "unrepresentable"; readonly reason: string };

type MapValues = (values: JsonText) => MappedValues;

/** A state or a configuration that is a JSON object, with its values changed. Any other body stays as it is. */
export function mapDocument(body: Uint8Array, map: MapValues): MappedBody {
  const node = nodeOf(body, 0);
  if (node?.kind !== "object") return { kind: "body", body };
  const text = textOf(node);
  return bodyOf(map(text), body, text);
}

/**
 * Telemetry as an opaque body, with its values changed and its form kept: points in the shape of the mapping, one or a list
 * of `{ts, values}`, or an object that is the values. Any other body stays as it is.
 */
export function mapTelemetryBody(body: Uint8Array, map: MapValues, shape: TelemetryShape | undefined): MappedBody {
  const node = nodeOf(body, 2);
  if (node === undefined || (node.kind !== "object" && node.kind !== "array")) return { kind: "body", body };
  const shaped = shape?.read(textOf(node));
  if (shape !== undefined && shaped !== undefined) return mapShaped(shaped, map, { shape, body });
  if (node.kind === "object") {
    const text = textOf(node);
    return isTimedPoint(node) ? bodyOf(mapMember(node, "values", map), body, text) : bodyOf(map(text), body, text);
  }
  const items = (node.items ?? []).map(expand);
  return items.every(isTimedPoint) ? mapList(items, map, body) : { kind: "body", body };
}

function mapShaped(
  points: readonly Point[],
  map: MapValues,
  { shape, body }: { readonly shape: TelemetryShape; readonly body: Uint8Array },
): MappedBody {
  const mapped: Point[] = [];
  let emptiedBy: MappingRule | undefined;
  for (const point of points) {
    const one = map(point.values);
    if (one.kind === "unrepresentable") return one;
    if (one.emptiedBy === undefined) mapped.push({ ...point, values: one.values });
    else emptiedBy ??= one.emptiedBy;
  }
  if (mapped.length === 0 && emptiedBy !== undefined) return { kind: "body", body, emptiedBy };
  const isSame = mapped.every(({ values }, index) => values === points[index]?.values);
  if (isSame && mapped.length === points.length) return { kind: "body", body };
  const printed = shape.print(mapped);
  if (printed === undefined) return { kind: "unrepresentable", reason: "the shape has no form for the changed values" };
  return { kind: "body", body: Buffer.from(printed) };
}

function mapList(items: readonly JsonNode[], map: MapValues, body: Uint8Array): MappedBody {
  const texts: JsonText[] = [];
  let emptiedBy: MappingRule | undefined;
  let isSame = true;
  for (const item of items) {
    const one = mapMember(item, "values", map);
    if (one.kind === "unrepresentable") return one;
    if (one.values !== textOf(item)) isSame = false;
    if (one.emptiedBy === undefined) texts.push(one.values);
    else emptiedBy ??= one.emptiedBy;
  }
  if (texts.length === 0 && emptiedBy !== undefined) return { kind: "body", body, emptiedBy };
  return { kind: "body", body: isSame ? body : Buffer.from(arrayText(texts)) };
}

/** An object with the values under one of its keys changed. */
function mapMember(node: JsonNode, name: string, map: MapValues): MappedValues {
  const { keys = [], items = [] } = node;
  const inner = items[keys.lastIndexOf(name)];
  if (inner === undefined) return { kind: "values", values: textOf(node) };
  const mapped = map(textOf(inner));
  if (mapped.kind === "unrepresentable") return mapped;
  if (mapped.values === textOf(inner)) return { ...mapped, values: textOf(node) };
  const members = new Map(keys.map((key, index) => [key, textOf(items[index] as JsonNode)]));
  return { ...mapped, values: objectText(members.set(name, mapped.values)) };
}

/** One `{ts, values}`, perhaps with `metadata`, as telemetry of a cloud that takes any body is read. */
function isTimedPoint({ keys, items }: JsonNode): boolean {
  if (keys === undefined || items === undefined || !keys.includes("ts") || !keys.includes("values")) return false;
  return keys.every((key, index) => {
    const kind = items[index]?.kind;
    return key === "ts" ? kind === "number" : key === "values" ? kind === "object" : key === "metadata";
  });
}

function bodyOf(mapped: MappedValues, body: Uint8Array, text: JsonText): MappedBody {
  if (mapped.kind === "unrepresentable") return mapped;
  const { values, emptiedBy } = mapped;
  const kept = { kind: "body" as const, body: values === text ? body : Buffer.from(values) };
  return emptiedBy === undefined ? kept : { ...kept, emptiedBy };
}

function nodeOf(body: Uint8Array, depth: number): JsonNode | undefined {
  if (!isUtf8(body)) return undefined;
  const node = parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"), depth);
  return node.kind === "fault" ? undefined : node;
}
