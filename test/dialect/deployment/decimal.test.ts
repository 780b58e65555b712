import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  add,
  type Decimal,
  divide,
  dividesAll,
  multiply,
  negate,
  parseDecimal,
  printDecimal,
} from "../../../src/dialect/deployment/decimal.ts";

/** Numbers as JSON writes them, of many digits and in every form. */
const digits = fc.stringMatching(/^(0|[1-9]\d{0,25})$/);
const fraction = fc.stringMatching(/^\d{1,25}$/);
const numberText = fc
  .tuple(fc.boolean(), digits, fc.option(fraction), fc.option(fc.integer({ min: -30, max: 30 })))
  .map(
    ([isNegative, whole, part, exponent]) =>
      `${isNegative ? "-" : ""}${whole}${part === null ? "" : `.${part}`}${exponent === null ? "" : `e${exponent}`}`,
  );
const decimal = numberText.map((text) => parseDecimal(text) as Decimal);
const nonzero = decimal.filter((value) => value.digits !== 0n);

describe("decimals", () => {
  test("printDecimal() writes what parseDecimal() reads as the same number", () => {
    fc.assert(
      fc.property(decimal, (value) => {
        expect(parseDecimal(printDecimal(value))).toEqual(value);
      }),
    );
  });

  test("printDecimal() writes JSON that means the same number", () => {
    fc.assert(
      fc.property(numberText, (text) => {
        const printed = printDecimal(parseDecimal(text) as Decimal);
        expect(JSON.parse(printed) + 0).toBe(JSON.parse(text) + 0);
      }),
    );
  });

  test("a product divided by its factor is the other factor, with all its digits", () => {
    fc.assert(
      fc.property(decimal, nonzero, (a, b) => {
        expect(divide(multiply(a, b), b)).toEqual(a);
      }),
    );
  });

  test("a sum less one part is the other", () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        expect(add(add(a, b), negate(b))).toEqual(a);
      }),
    );
  });

  test("a divisor of twos and fives divides everything exactly", () => {
    fc.assert(
      fc.property(decimal, nonzero.filter(dividesAll), (a, b) => {
        expect(multiply(divide(a, b), b)).toEqual(a);
      }),
    );
  });

  test.each([
    ["1", "3", "0.333333333333333"],
    ["2", "-3", "-0.666666666666667"],
    ["-200", "3", "-66.6666666666667"],
    ["1e20", "7", "14285714285714300000"],
    ["10", "4", "2.5"],
    ["0", "3", "0"],
  ])("%s divided by %s is %s", (a, b, wanted) => {
    expect(printDecimal(divide(parseDecimal(a) as Decimal, parseDecimal(b) as Decimal))).toBe(wanted);
  });

  test.each(["1e401", "1e-401", "9".repeat(401), "", "-", "1.", "01", "+1", "0x1", "NaN", "1e", " 1"])(
    "parseDecimal() has no number for %s",
    (text) => {
      expect(parseDecimal(text)).toBeUndefined();
    },
  );

  test.each([
    ["-0", "0"],
    ["1.50", "1.5"],
    ["1e3", "1000"],
    ["1e20", "100000000000000000000"],
    ["12e30", "1.2e31"],
    ["1e-20", "0.00000000000000000001"],
    ["12e-30", "1.2e-29"],
    ["9007199254740993", "9007199254740993"],
  ])("%s is written %s", (text, wanted) => {
    expect(printDecimal(parseDecimal(text) as Decimal)).toBe(wanted);
  });
});
