import fc from "fast-check";
import JSON5 from "json5";
import { expect, test } from "vitest";
import { toStrictJson } from "../../src/dialect/lenient-json.ts";

test("toStrictJson() says the same as the JSON5 it was given", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("'", '"'), fc.constantFrom(0, 2), (value, quote, space) => {
      const strict = toStrictJson(JSON5.stringify(value, { quote, space }));
      expect(JSON.parse(strict ?? "")).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

/** Pieces of which some sequences are JSON5 and most are not. */
const pieces = [
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  "a",
  "'b'",
  '"c"',
  "1",
  "+.5",
  "0x1F",
  "-5.",
  "NaN",
  "null",
  "// x\n",
  "/* y */",
  " ",
  "\u00a0",
];

test("toStrictJson() gives JSON for every text that is JSON5, and nothing for the others", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (chosen) => {
      const source = chosen.join("");
      const strict = toStrictJson(source);
      let wanted: unknown;
      try {
        wanted = JSON5.parse(source, (_, value) => (Number.isNaN(value) ? "NaN" : value));
      } catch {
        expect(strict).toBeUndefined();
        return;
      }
      expect(JSON.parse(strict ?? "")).toEqual(JSON.parse(JSON.stringify(wanted)));
    }),
    { numRuns: 3000 },
  );
});

test.each([
  ["[0xFFFFFFFFFFFFFFFFFF,-0xa]", "[4722366482869645213695,-10]"],
  ["[.10,5.,5.e3,+1,-.5E-3]", "[0.10,5,5e3,1,-0.5E-3]"],
  ["[-NaN,+Infinity,-Infinity]", '["NaN","Infinity","-Infinity"]'],
  ["{a:1,a:2,__proto__:3,'2':4,1e3:5}", undefined],
  ["{a:1,a:2,__proto__:3,'2':4}", '{"a":1,"a":2,"__proto__":3,"2":4}'],
  ["['\\x41\\\r\nB\\v\\0',]", '["AB\\u000b\\u0000"]'],
  ["{\\u0061$_:1}", '{"a$_":1}'],
  ["['\u2028']", undefined],
  ["[1]//", "[1]"],
  ["\ufeff[1]\u2003", "[1]"],
])("toStrictJson(%j)", (source, strict) => {
  expect(toStrictJson(source)).toBe(strict);
});
