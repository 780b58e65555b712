import {
  expand,
  type JsonNode,
  type JsonText,
  kindOf,
  membersOf,
  objectText,
  parseJson,
  scalarText,
  textOf,
} from "../message/json.ts";
import type { Point, Telemetry } from "../message/message.ts";
import { jsonOfBody, valuesOfBody } from "./document-shape.ts";

/** What telemetry looks like in a body that its cloud does not look into. */
export type TelemetryShape = "points" | "point" | "flat" | BodyPattern;

/** A shape that a deployment wrote itself. `undefined`: it has no form for these points, or does not fit the body. */
export interface BodyPattern {
  print(points: readonly Point[]): JsonText | undefined;
  /** A point without a time has that of its arrival. */
  read(body: JsonText): readonly Point[] | undefined;
}

/** What a deployment chose for telemetry bodies, before the options. */
export interface TelemetryForm {
  readonly shape?: BodyPattern;
  /** A message as one per folder. */
  readonly folders?: (message: Telemetry) => readonly Telemetry[];
}

/** The bodies that carry some points, in order, and why some points are not among them. */
export interface ShapedTelemetry {
  readonly bodies: readonly Uint8Array[];
  readonly lost: "oversize" | "unrepresentable" | undefined;
}

/**
 * Points as bodies. A point without a time gets `arrivedMs`, a fraction of a millisecond is cut, the text of the values
 * stays as it came. `maxBytes` splits between points; a point that is too large by itself is left out.
 */
export function bodiesOfPoints(
  points: readonly Point[],
  arrivedMs: number,
  form: { readonly shape: TelemetryShape; readonly maxBytes: number },
): ShapedTelemetry {
  const { shape, maxBytes } = form;
  if (shape !== "points") return elementBodies(points, arrivedMs, form);
  const body = bodyOfPoints(points, arrivedMs);
  if (body.length <= maxBytes) return { bodies: [body], lost: undefined };
  return splitBodies(points, arrivedMs, maxBytes);
}

/** The same as one body of the shape `points`, however large. */
export function bodyOfPoints(points: readonly Point[], arrivedMs: number): Uint8Array {
  let text = "";
  for (let index = 0; index < points.length; index++) {
    const point = points[index] as Point;
    // As few joints as can be: each is an object.
    text += `${index === 0 ? '[{"ts":' : '},{"ts":'}${timeOf(point, arrivedMs)},"values":${point.values}`;
  }
  return Buffer.from(text === "" ? "[]" : `${text}}]`);
}

/** How IoT Core telemetry becomes points: see {@link pointsOfBody}. */
export interface PointsForm {
  readonly shape: TelemetryShape;
  readonly folder: string | undefined;
  /** Key that holds the folder; `false` leaves it out. */
  readonly folderKey: string | false;
}

/**
 * A body as points: what the deployment's own pattern reads; a list of, or a single, `{ts, values}`; with shape `flat` an
 * object with a numeric `ts`; any other object is the values, other JSON the value `value`, anything else `raw` in base64,
 * all at `arrivedMs`. No points for an empty body.
 */
export function pointsOfBody(body: Uint8Array, arrivedMs: number, form: PointsForm): readonly Point[] {
  if (body.length === 0) return [];
  const found = timedPoints(body, form.shape) ?? [{ values: valuesOfBody(body) }];
  const points = found.map((point) => (point.ts === undefined ? { ...point, ts: arrivedMs } : point));
  const { folder, folderKey } = form;
  if (folder === undefined || folderKey === false) return points;
  return points.map(({ ts, values }) => {
    const members = membersOf(values).set(folderKey, scalarText(folder));
    return { ...(ts === undefined ? {} : { ts }), values: objectText(members) };
  });
}

function pointText(point: Point, arrivedMs: number): string {
  return `{"ts":${timeOf(point, arrivedMs)},"values":${point.values}}`;
}

function timeOf(point: Point, arrivedMs: number): number {
  return point.ts === undefined ? arrivedMs : Math.trunc(point.ts);
}

function elementBodies(
  points: readonly Point[],
  arrivedMs: number,
  { shape, maxBytes }: { readonly shape: TelemetryShape; readonly maxBytes: number },
): ShapedTelemetry {
  const bodies: Uint8Array[] = [];
  let lost: ShapedTelemetry["lost"];
  for (const point of points) {
    const text = elementText(point, arrivedMs, shape);
    const body = text === undefined ? undefined : Buffer.from(text);
    if (body === undefined) lost ??= "unrepresentable";
    else if (body.length > maxBytes) lost ??= "oversize";
    else bodies.push(body);
  }
  return { bodies, lost };
}

function elementText(point: Point, arrivedMs: number, shape: TelemetryShape): string | undefined {
  if (typeof shape === "object") return shape.print([{ ts: timeOf(point, arrivedMs), values: point.values }]);
  return shape === "flat" ? flatText(point, arrivedMs) : pointText(point, arrivedMs);
}

function flatText(point: Point, arrivedMs: number): string | undefined {
  if (!readsFlat(membersOf(point.values))) return undefined;
  const inner = point.values.slice(1, -1).trim();
  return `{"ts":${timeOf(point, arrivedMs)}${inner === "" ? "" : ","}${inner}}`;
}

/** Whether the members beside `ts` read back as what they were: not as a time, and not as a point of the other form. */
function readsFlat(members: ReadonlyMap<string, JsonText>): boolean {
  if (members.has("ts")) return false;
  const values = members.get("values");
  if (values === undefined || kindOf(values) !== "object") return true;
  return [...members.keys()].some((key) => key !== "values" && key !== "metadata");
}

function splitBodies(points: readonly Point[], arrivedMs: number, maxBytes: number): ShapedTelemetry {
  const bodies: Uint8Array[] = [];
  let lost: ShapedTelemetry["lost"];
  let texts: string[] = [];
  let bytes = 2;
  const close = () => {
    if (texts.length > 0) bodies.push(Buffer.from(`[${texts.join(",")}]`));
    texts = [];
    bytes = 2;
  };
  for (const point of points) {
    const text = pointText(point, arrivedMs);
    const size = Buffer.byteLength(text);
    if (size + 2 > maxBytes) {
      lost = "oversize";
      continue;
    }
    if (bytes + size + (texts.length > 0 ? 1 : 0) > maxBytes) close();
    bytes += size + (texts.length > 0 ? 1 : 0);
    texts.push(text);
  }
  close();
  return { bodies, lost };
}

function timedPoints(body: Uint8Array, shape: TelemetryShape): readonly Point[] | undefined {
  const json = jsonOfBody(body);
  if (json === undefined) return undefined;
  const kind = kindOf(json);
  if (kind !== "array" && kind !== "object") return undefined;
  const shaped = typeof shape === "object" ? shape.read(json) : undefined;
  if (shaped !== undefined) return shaped;
  const root = parseJson(json, 2);
  if (root.kind === "fault") return undefined;
  if (root.kind === "object") {
    const point = timedPoint(root) ?? (shape === "flat" ? flatPoint(json) : undefined);
    return point === undefined ? undefined : [point];
  }
  const points: Point[] = [];
  for (const item of root.items ?? []) {
    const point = timedPoint(expand(item));
    if (point === undefined) return undefined;
    points.push(point);
  }
  return points.length === 0 ? undefined : points;
}

function timedPoint(node: JsonNode): Point | undefined {
  if (node.kind !== "object" || node.keys === undefined || node.items === undefined) return undefined;
  let ts: number | undefined;
  let values: JsonText | undefined;
  for (const [index, key] of node.keys.entries()) {
    const item = node.items[index] as JsonNode;
    if (key === "ts" && item.kind === "number") ts = Math.trunc(Number(textOf(item)));
    else if (key === "values" && item.kind === "object") values = textOf(item);
    else if (key !== "metadata") return undefined;
  }
  return ts === undefined || values === undefined ? undefined : { ts, values };
}

function flatPoint(json: JsonText): Point | undefined {
  const members = membersOf(json);
  const ts = members.get("ts");
  if (ts === undefined || kindOf(ts) !== "number") return undefined;
  members.delete("ts");
  return { ts: Math.trunc(Number(ts)), values: objectText(members) };
}
