import type { JsonText } from "../../message/json.ts";

/** `digits` times ten to the `exponent`: every number that JSON can write, exactly. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** More digits, or a larger exponent, than any measurement has; it bounds what arithmetic costs. */
const maxSize = 400;
/** Where a quotient has no end it is cut to so many digits, as many as a double is sure of. */
const significantDigits = 15;
/** Numbers are written out up to so many zeros. */
const plainZeros = 20;

/** Reads a JSON number; `undefined` if it is no number, or larger or longer than anything is calculated with. */
export function parseDecimal(text: string): Decimal | undefined {
  const [, sign = "", whole, fraction = "", exponent = "0"] =
    /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (whole === undefined || whole.length + fraction.length > maxSize || Math.abs(Number(exponent)) > maxSize) {
    return undefined;
  }
  const digits = BigInt(whole + fraction);
  return normal({ digits: sign === "" ? digits : -digits, exponent: Number(exponent) - fraction.length });
}

/** Writes a number as JSON, without zeros that say nothing. */
export function printDecimal(value: Decimal): JsonText {
  const { digits, exponent } = normal(value);
  const sign = digits < 0n ? "-" : "";
  const text = String(digits < 0n ? -digits : digits);
  return `${sign}${place(text, exponent)}` as JsonText;
}

export function add(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  const aligned = ({ digits, exponent: own }: Decimal) => digits * 10n ** BigInt(own - exponent);
  return normal({ digits: aligned(a) + aligned(b), exponent });
}

export function negate({ digits, exponent }: Decimal): Decimal {
  return { digits: -digits, exponent };
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return normal({ digits: a.digits * b.digits, exponent: a.exponent + b.exponent });
}

/** Exact where the quotient has an end, else rounded. `b` is not 0. */
export function divide(a: Decimal, b: Decimal): Decimal {
  const divisor = b.digits < 0n ? -b.digits : b.digits;
  const dividend = b.digits < 0n ? -a.digits : a.digits;
  const exponent = a.exponent - b.exponent;
  const { left, tens } = withoutTens(divisor / greatestCommon(dividend, divisor));
  if (left === 1n) return normal({ digits: (dividend * 10n ** BigInt(tens)) / divisor, exponent: exponent - tens });
  const shift = significantDigits + String(divisor).length;
  const digits = (dividend * 10n ** BigInt(shift)) / divisor;
  const excess = Math.max(0, String(digits < 0n ? -digits : digits).length - significantDigits);
  return normal({ digits: rounded(digits, 10n ** BigInt(excess)), exponent: exponent - shift + excess });
}

/** Whether every number divided by this one has an end: no primes but 2 and 5. */
export function dividesAll({ digits }: Decimal): boolean {
  return withoutTens(digits < 0n ? -digits : digits).left === 1n;
}

function normal({ digits, exponent }: Decimal): Decimal {
  if (digits === 0n) return { digits, exponent: 0 };
  let left = digits;
  let place = exponent;
  while (left % 10n === 0n) {
    left /= 10n;
    place += 1;
  }
  return { digits: left, exponent: place };
}

function place(text: string, exponent: number): string {
  if (exponent >= 0) {
    return exponent <= plainZeros ? text + "0".repeat(exponent) : `${mantissa(text)}e${exponent + text.length - 1}`;
  }
  const point = text.length + exponent;
  if (point > 0) return `${text.slice(0, point)}.${text.slice(point)}`;
  return -point <= plainZeros ? `0.${"0".repeat(-point)}${text}` : `${mantissa(text)}e${point - 1}`;
}

function mantissa(text: string): string {
  return text.length === 1 ? text : `${text[0]}.${text.slice(1)}`;
}

/** What is left of a number without its twos and fives, and the power of ten that they go into. */
function withoutTens(value: bigint): { readonly left: bigint; readonly tens: number } {
  let left = value;
  const countOf = (prime: bigint) => {
    let count = 0;
    for (; left % prime === 0n && left !== 0n; left /= prime) count += 1;
    return count;
  };
  const twos = countOf(2n);
  return { tens: Math.max(twos, countOf(5n)), left };
}

function greatestCommon(a: bigint, b: bigint): bigint {
  let [large, small] = [a < 0n ? -a : a, b];
  while (small !== 0n) [large, small] = [small, large % small];
  return large;
}

/** To the nearest multiple; what is cut off here never ends, so it is never just a half. */
function rounded(digits: bigint, unit: bigint): bigint {
  const sign = digits < 0n ? -1n : 1n;
  const size = digits * sign;
  return sign * (size / unit + ((size % unit) * 2n >= unit ? 1n : 0n));
}
