import { type JsonText, parseJson, toJsonText } from "../../message/json.ts";
import type { Point } from "../../message/message.ts";
import { checkPattern } from "../check-pattern.ts";
import { compilePrint, type Sheet } from "../compile-print.ts";
import { compileRead } from "../compile-read.ts";
import { defaultConversion } from "../conversions.ts";
import { type Fields, fieldsOfMap, text } from "../fields.ts";
import { newFrame, type Slots, takePoint } from "../frame.ts";
import type { Blame, Place } from "../mistake.ts";
import { type Pattern, parsePattern } from "../pattern.ts";
import { boundInEveryForm, depthOf } from "../pattern-facts.ts";
import { readConversions } from "../read-rules.ts";
import type { ValueType } from "../vocabulary.ts";
import type { YamlEntry } from "../yaml-tree.ts";

/** How a body carries points, where the mapping has a pattern for that. */
export interface TelemetryShape {
  readonly at: Place;
  /** The body of these points: of one point, unless the pattern is a list. `undefined`: they would read back as others. */
  print(points: readonly Point[]): JsonText | undefined;
  /** The points in a body; `undefined` if it does not fit the pattern. */
  read(body: JsonText): readonly Point[] | undefined;
  readonly lossy: string | undefined;
}

const variables: Readonly<Record<string, ValueType>> = { ts: "time", values: "object" };
const slots: Slots = { size: 3, of: (variable) => (variable === "ts" ? 0 : 1), points: 2 };

/** Reads `telemetry: { shape, convert, lossy }`. */
export function readTelemetry(entry: YamlEntry | undefined, blame: Blame): TelemetryShape | undefined {
  if (entry === undefined) return undefined;
  const fields = fieldsOfMap(entry.value, '"telemetry"', ["shape", "convert", "lossy"], blame);
  const shape = fields?.get("shape");
  if (fields === undefined) return undefined;
  if (shape === undefined) {
    blame(entry.at, '"telemetry" without "shape", wanted the pattern of a body');
    return undefined;
  }
  const conversions = readConversions(fields.get("convert")?.value, variables, blame, true);
  const conversionOf = (name: string) => conversions.get(name) ?? defaultConversion(variables[name] as ValueType);
  const pattern = parsePattern(shape.value, { kind: "a shape", variables, conversionOf }, blame);
  if (pattern === undefined) return undefined;
  checkPattern(pattern, blame);
  checkBound(pattern, shape, fields, blame);
  const lossy = text(fields.get("lossy"), () => undefined);
  return compileShape(pattern, shape.at, lossy);
}

function checkBound(pattern: Pattern, shape: YamlEntry, fields: Fields, blame: Blame): void {
  const forms = boundInEveryForm(pattern);
  const lossy = fields.get("lossy");
  text(lossy, blame);
  if (!forms.every((form) => form.has("values"))) {
    blame(shape.at, 'The shape may leave $values unbound, wanted "$values" where it must be present');
  }
  const keepsTime = forms.every((form) => form.has("ts"));
  if (!keepsTime && lossy === undefined) {
    blame(
      shape.at,
      'The shape loses the time of points, wanted "$ts" in it, or "lossy: REASON" beside it that says why',
    );
  }
  if (keepsTime && lossy !== undefined) blame(lossy.at, 'The shape loses nothing, wanted "lossy" left out');
}

function compileShape(pattern: Pattern, at: Place, lossy: string | undefined): TelemetryShape {
  const printPattern = compilePrint(pattern, true);
  const readPattern = compileRead(pattern, slots);
  const depth = depthOf(pattern);
  return {
    at,
    lossy,
    print(points) {
      const [only] = points.length === 1 ? points : [];
      const sheet: Sheet = { gateway: "", message: { points }, point: only, reason: undefined };
      const printed = printPattern(sheet);
      return sheet.reason === undefined ? (printed as JsonText) : undefined;
    },
    read(body) {
      const node = parseJson(body, depth);
      if (node.kind === "fault") return undefined;
      const frame = newFrame("", slots);
      if (!readPattern(node, frame)) return undefined;
      const listed = frame.slots[slots.points as number] as readonly Point[] | undefined;
      if (listed !== undefined) return listed.length === 0 ? undefined : listed;
      return frame.slots[1] === undefined ? undefined : [takePoint(frame, 0, 1)];
    },
  };
}

const sampleTime = 1483228800000;
const sampleValues = [
  "{}",
  '{"temperature":42}',
  '{"a":"b","9":-0.5e-7,"__proto__":null}',
  '{"ts":1}',
  '{"values":{}}',
];

/** Points that are printed must read back as the same points, but for the time where that is lost. */
export function verifyShape(shape: TelemetryShape, blame: Blame): void {
  let isUsed = false;
  for (const sample of sampleValues) {
    const values = toJsonText(sample) as JsonText;
    const printed = shape.print([{ ts: sampleTime, values }]);
    if (printed === undefined) continue;
    isUsed = true;
    const [point, ...others] = shape.read(printed) ?? [];
    const isSame = point?.values === values && (shape.lossy !== undefined || point.ts === sampleTime);
    if (isSame && others.length === 0) continue;
    blame(shape.at, `The shape prints ${values} as ${printed}, which reads back as something else`);
    return;
  }
  if (!isUsed) blame(shape.at, "Nothing can be printed in this shape, wanted a pattern that takes any values");
}
