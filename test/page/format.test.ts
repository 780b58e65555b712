import fc from "fast-check";
import { expect, test } from "vitest";
import { bytes, duration, laidOut, shortPath } from "../../src/page/format.ts";

test("duration() says the two largest units", () => {
  const said = [400, 59_000, 61_000, 7_500_000, 7_200_000, 90_000_000, -5].map(duration);
  expect(said).toEqual(["0 s", "59 s", "1 min", "2 h 5 min", "2 h", "1 d 1 h", "0 s"]);
});

test("bytes() says a size as people do", () => {
  expect([0, 1023, 1536, 212_595_000, 2 ** 30].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "203 MiB", "1.0 GiB"]);
});

test("shortPath() keeps the file and its folder", () => {
  expect(["/opt/dragoman/mappings/google.yaml", "C:\\plant\\own.yaml", "own.yaml"].map(shortPath)).toEqual([
    ...["mappings/google.yaml", "plant/own.yaml", "own.yaml"],
  ]);
});

test("laidOut() writes one member per line, with digits as they came", () => {
  const text = '{"interval":12345678901234567890,"limits":{"high":90.50,"low":[]},"list":[1,{"a":"},{"}]}';
  expect(laidOut(text)).toBe(`{
  "interval": 12345678901234567890,
  "limits": {
    "high": 90.50,
    "low": []
  },
  "list": [
    1,
    {
      "a": "},{"
    }
  ]
}`);
});

test("laidOut() changes nothing but white space, and nothing at all that is no JSON", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(JSON.parse(laidOut(json))).toEqual(JSON.parse(json));
    }),
  );
  const text = `${"no JSON ".repeat(20)}{`;
  expect(laidOut(text)).toBe(text);
});
