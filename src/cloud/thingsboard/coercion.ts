import type { GsonValue } from "./gson.ts";

// How Gson's `getAsString`, `getAsInt`, … read a member. `undefined` where Gson throws, and for a
// member that is not there.

/** A string; numbers, booleans and arrays of one element will do. */
export function asString(value: GsonValue | undefined): string | undefined {
  const one = soleOf(value);
  switch (one?.kind) {
    case "string":
      return one.value;
    case "number":
      return one.digits;
    case "boolean":
      return String(one.value);
    default:
      return undefined;
  }
}

/** A 32-bit integer; decimals are cut off, what is too big wraps round. */
export function asInt(value: GsonValue | undefined): number | undefined {
  const integer = asInteger(value, 32);
  return integer === undefined ? undefined : Number(integer);
}

/** A 64-bit integer by the same rules, to the precision of a double. */
export function asLong(value: GsonValue | undefined): number | undefined {
  const integer = asInteger(value, 64);
  return integer === undefined ? undefined : Number(integer);
}

/** True for `true` and the word in any case; any other string and every number is false. */
export function asBoolean(value: GsonValue | undefined): boolean | undefined {
  const word = asString(value);
  return word === undefined ? undefined : word.toLowerCase() === "true";
}

/** Larger exponents would make numbers of more digits than any packet has bytes. */
const maxExponent = 1000;

function asInteger(value: GsonValue | undefined, bits: 32 | 64): bigint | undefined {
  const one = soleOf(value);
  if (one?.kind === "string") {
    // Integer.parseInt and Long.parseLong: no decimals, and no wrapping either.
    if (!/^[+-]?\d{1,20}$/.test(one.value)) return undefined;
    const integer = BigInt(one.value.replace(/^\+/, ""));
    return BigInt.asIntN(bits, integer) === integer ? integer : undefined;
  }
  if (one?.kind !== "number") return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(one.digits) ?? [];
  const shift = Number(exponent);
  if (Math.abs(shift) > maxExponent) return 0n;
  const digits = whole + fraction.padEnd(shift, "0");
  const length = whole.length + shift;
  const magnitude = length <= 0 ? 0n : BigInt(digits.slice(0, length));
  return BigInt.asIntN(bits, sign === "-" ? -magnitude : magnitude);
}

/** An array of one element stands for that element. */
function soleOf(value: GsonValue | undefined): GsonValue | undefined {
  let one = value;
  while (one?.kind === "array" && one.items.length === 1) one = one.items[0];
  return one;
}
