import fc from "fast-check";
import { expect, test } from "vitest";
import { bodiesOfPoints, pointsOfBody, type TelemetryShape } from "../../src/gateway/telemetry-shape.ts";
import type { JsonText } from "../../src/message/json.ts";
import type { Point } from "../../src/message/message.ts";

const point = (values: string, ts?: number): Point => ({
  values: values as JsonText,
  ...(ts === undefined ? {} : { ts }),
});
const shaped = (points: readonly Point[], shape: TelemetryShape = "points", maxBytes = 1000) => {
  const { bodies, lost } = bodiesOfPoints(points, 77, { shape, maxBytes });
  return { bodies: bodies.map((body) => Buffer.from(body).toString()), lost };
};

test("bodiesOfPoints() keeps the text of the values, adds a missing time and cuts a fraction of a millisecond", () => {
  const exact = '{ "a" : 12345678901234567890, "b":1.10, "__proto__":null, "a":1e400 }';
  expect(shaped([point(exact, 5.9), point("{}")])).toEqual({
    bodies: [`[{"ts":5,"values":${exact}},{"ts":77,"values":{}}]`],
    lost: undefined,
  });
});

test("bodiesOfPoints() makes one body per element in the other shapes", () => {
  const points = [point('{"t":1}', 5), point("{}", 6)];
  expect(shaped(points, "point").bodies).toEqual(['{"ts":5,"values":{"t":1}}', '{"ts":6,"values":{}}']);
  expect(shaped(points, "flat").bodies).toEqual(['{"ts":5,"t":1}', '{"ts":6}']);
});

test.each(['{"ts":1}', '{"\\u0074s":1}', '{"values":{}}', '{"values":{},"metadata":1}'])(
  "bodiesOfPoints() finds that %s cannot be told apart when it is flat",
  (values) => {
    expect(shaped([point(values, 5)], "flat")).toEqual({ bodies: [], lost: "unrepresentable" });
  },
);

test("bodiesOfPoints() splits between points, in order, and leaves out a point that is too large by itself", () => {
  const points = [1, 2, 3, 4].map((n) => point(`{"t":${n}}`, n));
  const pairs = [
    '[{"ts":1,"values":{"t":1}},{"ts":2,"values":{"t":2}}]',
    '[{"ts":3,"values":{"t":3}},{"ts":4,"values":{"t":4}}]',
  ];
  expect(shaped(points, "points", 53)).toEqual({ bodies: pairs, lost: undefined });
  expect(shaped(points, "points", 52).bodies).toHaveLength(4);
  expect(shaped([point('{"t":"ééé"}', 1), point('{"t":1}', 2)], "points", 30)).toEqual({
    bodies: ['[{"ts":2,"values":{"t":1}}]'],
    lost: "oversize",
  });
});

test("bodiesOfPoints() keeps every body within the limit and loses no point that fits", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 30 })),
      fc.integer({ min: 60, max: 200 }),
      (texts, maxBytes) => {
        const points = texts.map((text, index) => point(JSON.stringify({ text }), index));
        const { bodies } = shaped(points, "points", maxBytes);
        for (const body of bodies) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(maxBytes);
        const fitting = points.filter(
          ({ ts, values }) => Buffer.byteLength(`[{"ts":${ts},"values":${values}}]`) <= maxBytes,
        );
        const kept = bodies.flatMap((body) => JSON.parse(body) as { ts: number }[]).map(({ ts }) => ts);
        // Without any points there is still the one empty list.
        expect(kept).toEqual(fitting.map(({ ts }) => ts));
      },
    ),
  );
});

const pointsOf = (
  body: string | Uint8Array,
  shape: TelemetryShape = "points",
  folder?: string,
  folderKey: string | false = "subFolder",
) => pointsOfBody(typeof body === "string" ? Buffer.from(body) : body, 77, { shape, folder, folderKey });

test.each([
  ['[{"ts":1,"values":{"a":1}},{"values":{"b":2},"metadata":{},"ts":2.5}]', [point('{"a":1}', 1), point('{"b":2}', 2)]],
  ['{"ts":1,"values":{"a":1}}', [point('{"a":1}', 1)]],
  ['{"ts":1,"values":{"a":1},"more":1}', [point('{"ts":1,"values":{"a":1},"more":1}', 77)]],
  ['{"ts":"1","values":{"a":1}}', [point('{"ts":"1","values":{"a":1}}', 77)]],
  ['[{"ts":1,"values":{"a":1}},5]', [point('{"value":[{"ts":1,"values":{"a":1}},5]}', 77)]],
  [' {"a":1} ', [point('{"a":1}', 77)]],
  ['{"ts":1,"a":1}', [point('{"ts":1,"a":1}', 77)]],
  ["[]", [point('{"value":[]}', 77)]],
  ["5", [point('{"value":5}', 77)]],
  ['"x"', [point('{"value":"x"}', 77)]],
  ["hello", [point('{"raw":"aGVsbG8="}', 77)]],
  ["", []],
])("pointsOfBody() of %s", (body, points) => {
  expect(pointsOf(body)).toEqual(points);
});

test("pointsOfBody() reads a flat object where flat is the shape, and bytes that are no text as raw", () => {
  expect(pointsOf('{"ts":1.5,"a":1}', "flat")).toEqual([point('{"a":1}', 1)]);
  expect(pointsOf(Uint8Array.of(0xff, 0))).toEqual([point('{"raw":"/wA="}', 77)]);
});

test("pointsOfBody() adds the folder to every point under its key, unless that is turned off", () => {
  expect(pointsOf('{"ts":1,"values":{"a":1}}', "points", "x/y")).toEqual([point('{"a":1,"subFolder":"x/y"}', 1)]);
  expect(pointsOf('{"a":1}', "points", "x/y", false)).toEqual([point('{"a":1}', 77)]);
});

test("pointsOfBody() inverts every shape of bodiesOfPoints()", () => {
  const values = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(fc.constantFrom<TelemetryShape>("points", "point", "flat"), fc.nat(), values, (shape, ts, text) => {
      const { bodies } = bodiesOfPoints([point(text, ts)], 77, { shape, maxBytes: 1e9 });
      for (const body of bodies) {
        const [read] = pointsOfBody(body, 88, { shape, folder: undefined, folderKey: false });
        expect({ ts: read?.ts, values: JSON.parse(read?.values ?? "0") }).toEqual({ ts, values: JSON.parse(text) });
      }
    }),
  );
});
