import fc from "fast-check";
import { expect, test } from "vitest";
import { asBoolean, asInt, asLong, asString } from "../../../src/cloud/thingsboard/coercion.ts";
import { type GsonValue, parseGson, printGson } from "../../../src/cloud/thingsboard/gson.ts";
import { javaDouble, storeValues } from "../../../src/cloud/thingsboard/stored-value.ts";

test.each([
  ["{a:1,'b':'x',\"c\":word}", '{"a":1,"b":"x","c":"word"}'],
  ["{a=1;b=>2}", '{"a":1,"b":2}'],
  ['// line\n{/* block */"a"# line\n:1}', '{"a":1}'],
  ["\ufeff[TRUE,False,nuLL,0123,-0,NaN]", '[true,false,null,"0123",-0,"NaN"]'],
  ["[1,]", "[1,null]"],
  ["[,]", "[null,null]"],
  ["[]", "[]"],
  ['{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
  ['{"__proto__":12345678901234567890.10}', '{"__proto__":12345678901234567890.10}'],
  ['"\\u0041\\n\\\'\\\n"', '"A\\n\'\\n"'],
  ["hello", '"hello"'],
  ["", "null"],
  [" // nothing", "null"],
  // Only behind a value that is not null is more text an error.
  ["null x", "null"],
  [")]}'\n[1]", "[1]"],
])("parseGson() takes %j", (source, text) => {
  const value = parseGson(source);
  expect(value === undefined ? undefined : printGson(value)).toBe(text);
});

test.each([
  '{"a":1,}',
  '{"a":1',
  '{"a":1}x',
  '{"a"}',
  "{1 2}",
  '{"a":,}',
  '"\\q"',
  "/* open",
  "[1}",
  "a\\b",
  '"open',
  "]",
])("parseGson() refuses %j", (source) => {
  expect(parseGson(source)).toBeUndefined();
});

test("parseGson() nests 255 deep and no deeper", () => {
  expect(parseGson("[".repeat(255) + "]".repeat(255))).toBeDefined();
  expect(parseGson("[".repeat(256) + "]".repeat(256))).toBeUndefined();
});

test("parseGson() reads all JSON, and never throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const read = parseGson(JSON.stringify(value));
      expect(read === undefined ? undefined : JSON.parse(printGson(read))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void parseGson(text)));
});

const one = (source: string) => parseGson(source);

test("control fields are coerced as Gson does", () => {
  expect(["5", '"5"', '"+5"', "5.7", "-5.7", "1e3", "[5]", "3000000000", "12345e-3"].map((s) => asInt(one(s)))).toEqual(
    [5, 5, 5, 5, -5, 1000, 5, -1294967296, 12],
  );
  expect(['"x"', '"5.7"', '"3000000000"', "true", "null", "[]", "[1,2]", "{}"].map((s) => asInt(one(s)))).toEqual(
    Array.from({ length: 8 }, () => undefined),
  );
  expect(['"1700000000000"', "1.5e3", "0e-5000"].map((s) => asLong(one(s)))).toEqual([1_700_000_000_000, 1500, 0]);
  expect(["true", '"TRUE"', '"yes"', "1", "[true]", '["true"]'].map((s) => asBoolean(one(s)))).toEqual([
    ...[true, true, false, false, true, true],
  ]);
  expect(["null", "{}", "[true,true]"].map((s) => asBoolean(one(s)))).toEqual([undefined, undefined, undefined]);
  expect(['"a"', "1.50", "true", '["a"]', "null", "{}", "[]"].map((s) => asString(one(s)))).toEqual([
    ...["a", "1.50", "true", "a"],
    ...[undefined, undefined, undefined],
  ]);
});

const rules = { castsTypes: true, maxStringLength: 0 };
function stored(source: string, more: Partial<typeof rules> = {}): readonly [string, string] | undefined {
  const values = storeValues(new Map([["k", parseGson(source) as GsonValue]]), { ...rules, ...more });
  if ("bad" in values) return undefined;
  const value = values.get("k");
  return value === undefined ? ["", ""] : [value.type, value.text];
}

test.each<[string, string, string]>([
  ["true", "boolean", "true"],
  ["1", "long", "1"],
  ["-0", "long", "0"],
  ["1e3", "long", "1000"],
  ["1.0e3", "long", "1000"],
  ["1.5e1", "long", "15"],
  ["1200e-2", "long", "12"],
  ["9223372036854775807", "long", "9223372036854775807"],
  ["-9223372036854775808", "long", "-9223372036854775808"],
  ["9223372036854775808", "string", '"9223372036854775808"'],
  ["1e19", "string", `"1${"0".repeat(19)}"`],
  ["1.5e400", "string", `"15${"0".repeat(399)}"`],
  ["1.0", "double", "1.0"],
  ["-0.0", "double", "0.0"],
  ["1.50", "double", "1.5"],
  ["0.1", "double", "0.1"],
  ["1e-3", "double", "0.001"],
  ["12345678.5", "double", "1.23456785E7"],
  ["0.1234567890123456", "double", "0.1234567890123456"],
  ["0.12345678901234567", "string", '"0.12345678901234567"'],
  ["-1e-20", "string", '"-0.00000000000000000001"'],
  ['"1"', "long", "1"],
  ['"007"', "long", "7"],
  ['"-5"', "long", "-5"],
  ['"380501234567"', "long", "380501234567"],
  ['"1.0"', "double", "1.0"],
  ['".5"', "double", "0.5"],
  ...["+5", "1e3", " 1", "1.", "0x1F", "1,5", "NaN", "", "-", "true", "1.2.3"].map(
    (text) => [JSON.stringify(text), "string", JSON.stringify(text)] as [string, string, string],
  ),
  ['{"x":[1,null,"2"]}', "json", '{"x":[1,null,"2"]}'],
  ["NaN", "string", '"NaN"'],
  ["null", "", ""],
])("a value %s is kept as %s %s", (source, type, text) => {
  expect(stored(source)).toEqual([type, text]);
});

test("without casts strings stay strings and big numbers are errors, as are long strings", () => {
  expect(stored('"007"', { castsTypes: false })).toEqual(["string", '"007"']);
  expect(stored("1e19", { castsTypes: false })).toBeUndefined();
  expect(stored('"abcd"', { maxStringLength: 3 })).toBeUndefined();
});

test("javaDouble() prints as Java does", () => {
  expect([42, 0.001, 1e7, 1e10, 123456789.125, 1e-5, -1.5e300].map(javaDouble)).toEqual([
    ...["42.0", "0.001", "1.0E7", "1.0E10", "1.23456789125E8", "1.0E-5", "-1.5E300"],
  ]);
});
