import fc from "fast-check";
import { expect, test } from "vitest";
import { attributeOfBody, bodyOfValues, differenceOf, valuesOfBody } from "../../src/gateway/document-shape.ts";
import type { JsonText } from "../../src/message/json.ts";

const bodyText = (values: string) => Buffer.from(bodyOfValues(values as JsonText)).toString();

test.each([
  ["", "{}"],
  [' {"a": 1.0} ', '{"a": 1.0}'],
  ["5", '{"value":5}'],
  ["[1,{}]", '{"value":[1,{}]}'],
  ['"on"', '{"value":"on"}'],
  ["on", '{"raw":"b24="}'],
])("valuesOfBody() of %j is %s", (body, values) => {
  expect(valuesOfBody(Buffer.from(body))).toBe(values);
});

test.each([
  ['{"a":1}', '{"a":1}'],
  ['{"value":5}', "5"],
  ['{"value":{"a":1}}', '{"value":{"a":1}}'],
  ['{"value":5,"b":1}', '{"value":5,"b":1}'],
  ['{"raw":"b24="}', "on"],
  ['{"raw":"NQ=="}', '{"raw":"NQ=="}'],
  ['{"raw":"not base64"}', '{"raw":"not base64"}'],
  ['{"raw":""}', '{"raw":""}'],
  ["{}", "{}"],
])("bodyOfValues() of %s is %j", (values, body) => {
  expect(bodyText(values)).toBe(body);
});

test("bodyOfValues() inverts valuesOfBody() for any bytes, white space around JSON aside", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ minLength: 1 }),
        fc.json().map((text) => new Uint8Array(Buffer.from(text))),
      ),
      (body) => {
        const values = valuesOfBody(body);
        const back = bodyOfValues(values);
        expect(valuesOfBody(back)).toBe(values);
        if (values.startsWith('{"raw"')) expect([...back]).toEqual([...body]);
      },
    ),
  );
});

test("attributeOfBody() keeps a document untouched in one attribute", () => {
  expect(attributeOfBody("cfg", Buffer.from('{"a": 1}\n'))).toBe('{"cfg":"{\\"a\\": 1}\\n"}');
  expect(attributeOfBody("cfg", Uint8Array.of(0xff))).toBe('{"cfg":"/w=="}');
  expect(attributeOfBody("cfg", new Uint8Array())).toBe("{}");
});

test("differenceOf() names what is new, different and gone, and what may be either", () => {
  const before = '{"same":1,"other":1,"gone":1}' as JsonText;
  const after = '{"other":1.0,"same":1,"__proto__":{}}' as JsonText;
  expect(differenceOf(before, after, new Set())).toEqual({
    changed: [
      ["other", "1.0"],
      ["__proto__", "{}"],
    ],
    deleted: ["gone"],
  });
  expect(differenceOf(before, before, new Set(["same", "never"]))).toEqual({
    changed: [["same", "1"]],
    deleted: ["never"],
  });
});
