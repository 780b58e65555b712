import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expand, membersOf, objectText, parseJson, stringOf, textOf, toJsonText } from "../../src/message/json.ts";

describe("parseJson()", () => {
  test("accepts exactly what JSON.parse accepts", () => {
    const alphabet = fc.constantFrom(...'{}[],:"\\u0af1-+.eE tnrlsbfd\n\u0001é'.split(""));
    const nearJson = fc.oneof(
      fc.json(),
      fc.string({ unit: alphabet }),
      fc.json().chain((text) => mutate(text)),
    );
    fc.assert(
      fc.property(nearJson, (text) => {
        expect(parseJson(text).kind !== "fault").toBe(isJson(text));
      }),
      { numRuns: 3000 },
    );
  });

  test("keeps every value as its own text, however deep it is read", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(4), (text, depth) => {
        const node = parseJson(text, depth);
        if (node.kind === "fault") throw new Error(node.reason);
        expect(JSON.parse(textOf(node))).toEqual(JSON.parse(text));
      }),
    );
  });

  test("keeps digits, order and names that look like machinery", () => {
    const source = '{"10":12345678901234567890,"2":0.1234567890123456789,"__proto__":{"a":1e400},"a":1,"\\u0061":2}';
    const node = parseJson(source, 1);
    if (node.kind !== "object") throw new Error("not an object");
    expect(node.keys).toEqual(["10", "2", "__proto__", "a", "a"]);
    expect(node.items?.map(textOf)).toEqual(["12345678901234567890", "0.1234567890123456789", '{"a":1e400}', "1", "2"]);
    expect([...membersOf(textOf(node))].at(-1)).toEqual(["a", "2"]);
  });

  test.each([
    ["", 0, "text ends where a value was wanted"],
    ['{"a" 1}', 5, 'wanted ":"'],
    ["[1,]", 3, "wanted a JSON value"],
    ["01", 0, "a number with a leading zero"],
    ['"a\nb"', 2, "control character in a string"],
    ['"\\x"', 2, "unknown escape in a string"],
    ["{} x", 3, "text after the end of the value"],
    ["[".repeat(100_000), 512, "nested deeper than 512 levels"],
  ])("says where and why %j is not JSON", (source, offset, reason) => {
    expect(parseJson(source)).toEqual({ kind: "fault", offset, reason });
    expect(parseJson(source, 1)).toMatchObject({ kind: "fault", offset, reason });
  });
});

test("expand() reads one level more", () => {
  const node = parseJson('{"a":{"b":[1]}}', 1);
  if (node.kind !== "object") throw new Error("not an object");
  const [inner] = node.items ?? [];
  if (inner === undefined) throw new Error("no member");
  expect(inner.items).toBeUndefined();
  expect(expand(inner).keys).toEqual(["b"]);
});

test("objectText() prints what membersOf() reads", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.json()), (object) => {
      const members = Object.entries(object).map(
        ([key, text]) => [key, toJsonText(text) ?? ("null" as never)] as const,
      );
      expect([...membersOf(objectText(members))]).toEqual(members);
    }),
  );
});

test("stringOf() undoes escapes", () => {
  const node = parseJson('"\\u00e9\\n\\ud83d\\ude00"');
  if (node.kind !== "string") throw new Error("not a string");
  expect(stringOf(node)).toBe("é\n😀");
});

function mutate(text: string): fc.Arbitrary<string> {
  return fc.nat(Math.max(0, text.length - 1)).map((at) => text.slice(0, at) + text.slice(at + 1));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
