import { asLong, asString } from "./coercion.ts";
import type { GsonValue } from "./gson.ts";
import { type StoredValue, storeValues, type ValueRules } from "./stored-value.ts";

/** One element of a telemetry upload. */
export interface Point {
  /** Unix ms as sent; absent for the server's time. */
  readonly tsMs?: number;
  readonly values: ReadonlyMap<string, StoredValue>;
  readonly metadata?: LatencyMetadata;
}

/** What a gateway says about the way of a value through it (ThingsBoard, GatewayMetricsService). */
export interface LatencyMetadata {
  readonly connector: string;
  readonly receivedTs: number;
  readonly publishedTs: number;
}

type Read<T> = T | { readonly bad: string };

/**
 * Reads the elements of an upload: `{"ts","values"}` with both members, or keys and values (ThingsBoard, JsonConverter).
 *
 * @param rules `readsMetadata` on the gateway's topic, where a member `metadata` is set apart.
 */
export function readPoints(
  elements: readonly GsonValue[],
  rules: ValueRules & { readonly readsMetadata: boolean },
): Read<readonly Point[]> {
  const points: Point[] = [];
  for (const element of elements) {
    if (element.kind !== "object") return { bad: `an element is ${element.kind}, not an object` };
    const point = readPoint(element.members, rules);
    if ("bad" in point) return point;
    points.push(point);
  }
  return points;
}

/** How many data points the rate limits count: one per key. */
export function dataPointsOf(points: readonly Point[]): number {
  return points.reduce((sum, { values }) => sum + values.size, 0);
}

function readPoint(
  members: ReadonlyMap<string, GsonValue>,
  rules: ValueRules & { readonly readsMetadata: boolean },
): Read<Point> {
  const metadata: Read<Pick<Point, "metadata">> =
    rules.readsMetadata && members.has("metadata") ? readMetadata(members.get("metadata")) : {};
  if ("bad" in metadata) return metadata;
  if (members.has("ts") && members.has("values")) {
    const tsMs = asLong(members.get("ts"));
    const inner = members.get("values");
    if (tsMs === undefined) return { bad: '"ts" is no number' };
    if (inner?.kind !== "object") return { bad: '"values" is no object' };
    const values = storeValues(inner.members, rules);
    return "bad" in values ? values : { tsMs, values, ...metadata };
  }
  const flat = new Map(members);
  if (rules.readsMetadata) flat.delete("metadata");
  const values = storeValues(flat, rules);
  return "bad" in values ? values : { values, ...metadata };
}

function readMetadata(value: GsonValue | undefined): Read<Pick<Point, "metadata">> {
  const members = value?.kind === "object" ? value.members : new Map<string, GsonValue>();
  const connector = asString(members.get("connector"));
  const receivedTs = asLong(members.get("receivedTs"));
  const publishedTs = asLong(members.get("publishedTs"));
  return connector === undefined || receivedTs === undefined || publishedTs === undefined
    ? { bad: '"metadata" needs connector, receivedTs and publishedTs' }
    : { metadata: { connector, receivedTs, publishedTs } };
}
