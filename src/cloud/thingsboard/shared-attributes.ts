import { type JsonText, objectText, parseJson, scalarText } from "../../message/json.ts";
import { type GsonValue, parseGson, printGson } from "./gson.ts";
import { javaDouble, type StoredValue } from "./stored-value.ts";
import { attributeFilters } from "./subscriptions.ts";
import type { Route } from "./tenant.ts";

/**
 * Reads attributes as the REST API takes them: strict JSON, strings stay strings, a number with a point or an exponent is a
 * double, null is left out.
 *
 * @throws {RangeError}
 */
export function readSharedValues(device: string, text: string): ReadonlyMap<string, StoredValue> {
  const failed = (state: string) => new RangeError(`Cannot set attributes of "${device}": ${state}`);
  const strict = parseJson(text);
  if (strict.kind !== "object") throw failed("body is no JSON object");
  const json = parseGson(text);
  const values = new Map<string, StoredValue>();
  for (const [key, value] of json?.kind === "object" ? json.members : []) {
    if (value.kind === "null") continue;
    const stored = store(value);
    if (stored === undefined) throw failed(`"${key}" is a number that is too big`);
    values.set(key, stored);
  }
  return values;
}

/** Tells a device what has changed: over its gateway where it is attached, itself where it has subscribed. */
export function sendShared(route: Route | undefined, data: JsonText): void {
  if (route === undefined) return;
  const { session, attachment } = route;
  if (attachment !== undefined) {
    if (!attachment.isArmed) return;
    const payload = objectText([
      ["device", scalarText(attachment.name)],
      ["data", data],
    ]);
    session.send("v1/gateway/attributes", payload, "v1/gateway/attributes");
    return;
  }
  const filter = [...attributeFilters].find((each) => session.subscriptions.has(each));
  if (filter !== undefined) session.send(filter, data, filter);
}

function store(value: Exclude<GsonValue, { kind: "null" }>): StoredValue | undefined {
  switch (value.kind) {
    case "object":
    case "array":
      return { type: "json", text: printGson(value) };
    case "boolean":
    case "string":
      return { type: value.kind, text: printGson(value) };
    case "number": {
      if (/[.eE]/.test(value.digits)) {
        const number = Number(value.digits);
        return Number.isFinite(number) ? { type: "double", text: javaDouble(number) } : undefined;
      }
      const integer = BigInt(value.digits);
      return BigInt.asIntN(64, integer) === integer ? { type: "long", text: String(integer) as JsonText } : undefined;
    }
  }
}
