import { type JsonText, objectText } from "../../message/json.ts";
import { type GsonValue, printGson } from "./gson.ts";

/** A telemetry or attribute value as the platform keeps it; `text` is how it gives it back. */
export interface StoredValue {
  readonly type: "boolean" | "long" | "double" | "string" | "json";
  readonly text: JsonText;
}

/** How values are converted on arrival (`JSON_TYPE_CAST_ENABLED`, `JSON_MAX_STRING_VALUE_LENGTH`). */
export interface ValueRules {
  /** Strings that look like numbers become numbers, numbers that fit none become strings. */
  readonly castsTypes: boolean;
  /** Longer strings are an error; 0 for no limit. */
  readonly maxStringLength: number;
}

/** BigDecimal would go further; the digits would fill the memory. */
const maxExponent = 10_000;

/**
 * Converts the members of an uploaded object (ThingsBoard, JsonConverter). Nulls are dropped.
 *
 * @returns Why not, where a value is an error.
 */
export function storeValues(
  members: ReadonlyMap<string, GsonValue>,
  rules: ValueRules,
): ReadonlyMap<string, StoredValue> | { readonly bad: string } {
  const values = new Map<string, StoredValue>();
  for (const [key, member] of members) {
    if (member.kind === "null") continue;
    const stored = store(member, rules);
    if (stored === undefined) return { bad: `value of "${key}" is too long or too big` };
    values.set(key, stored);
  }
  return values;
}

/** The values as one JSON object. */
export function valuesText(values: ReadonlyMap<string, StoredValue>): JsonText {
  return objectText([...values].map(([key, { text }]) => [key, text]));
}

/** A double as Java prints it: `42.0`, `1.0E10`. */
export function javaDouble(value: number): JsonText {
  const magnitude = Math.abs(value);
  if (magnitude === 0 || (magnitude >= 1e-3 && magnitude < 1e7)) {
    return (Number.isInteger(value) ? `${Math.trunc(value)}.0` : String(value)) as JsonText;
  }
  const [mantissa = "", exponent = ""] = value.toExponential().split("e");
  return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}E${Number(exponent)}` as JsonText;
}

function store(value: Exclude<GsonValue, { kind: "null" }>, rules: ValueRules): StoredValue | undefined {
  switch (value.kind) {
    case "object":
    case "array":
      return { type: "json", text: printGson(value) };
    case "boolean":
      return { type: "boolean", text: printGson(value) };
    case "number":
      return storeNumber(value.digits, rules);
    case "string": {
      if (rules.maxStringLength > 0 && value.value.length > rules.maxStringLength) return undefined;
      // NumberUtils.isParsable: digits with at most one point, which is not the last character.
      const looksNumeric = /^-?\d*\.?\d+$/.test(value.value);
      return looksNumeric && rules.castsTypes ? storeNumber(value.value, rules) : stringOf(value.value);
    }
  }
}

function storeNumber(source: string, { castsTypes }: ValueRules): StoredValue | undefined {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+(?=\d)/, "");
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > maxExponent) return undefined;
  const isZero = /^0*$/.test(digits);
  const isWhole = isZero || scale <= 0 || (scale <= digits.length && /^0*$/.test(digits.slice(digits.length - scale)));
  const isSimpleDouble = source.includes(".") && !/[eE]/.test(source);
  const asText = () => (castsTypes ? stringOf(plain({ sign: isZero ? "" : sign, digits, scale })) : undefined);
  if (isWhole && !isSimpleDouble) {
    const integer = isZero ? 0n : BigInt(sign + plain({ sign: "", digits, scale }).replace(/\..*$/, ""));
    return BigInt.asIntN(64, integer) === integer ? { type: "long", text: String(integer) as JsonText } : asText();
  }
  if (scale > 16) return asText();
  const number = Number(source) || 0;
  return Number.isFinite(number) ? { type: "double", text: javaDouble(number) } : undefined;
}

/** `BigDecimal.toPlainString`. */
function plain({ sign, digits, scale }: { sign: string; digits: string; scale: number }): string {
  if (scale <= 0) return `${sign}${digits}${"0".repeat(-scale)}`;
  const padded = digits.padStart(scale + 1, "0");
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

function stringOf(value: string): StoredValue {
  return { type: "string", text: JSON.stringify(value) as JsonText };
}
