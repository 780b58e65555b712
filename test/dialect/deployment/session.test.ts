import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DeploymentSession } from "../../../src/dialect/deployment/deployment.ts";
import { type JsonText, objectText, parseJson, scalarText } from "../../../src/message/json.ts";
import type { DeviceId, Telemetry } from "../../../src/message/message.ts";
import { deploymentOf, deviceA, inward, outward, sessionOf } from "./compile.ts";

const device = deviceA;
const json = (text: string) => text as JsonText;
const body = (text: string) => Buffer.from(text);

/** Everything that claims to be invertible, and for each kind the same. */
const invertible = `
rules:
  sensors:
    keys:
      temp: { to: temperature, factor: 0.1 }
      f: { to: c, factor: -12.5e-3, offset: 7.25 }
      shift: { offset: 1000000000000000000000 }
      hum: humidity
      "{sensor}_raw": "raw.{sensor}"
      "{n:digits}": "n{n}"
`;
const keys = ["temp", "f", "shift", "hum", "ph_raw", "a_b_raw", "7", "0815", "other", "ts", "__proto__", "values", ""];
const number = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9]\d{0,30})(\.\d{0,19}[1-9])?$/).filter((text) => !/^-0$/.test(text)),
  fc.constantFrom("9007199254740993", "-9223372036854775808", "18446744073709551615", "0.1"),
);
const scalar = fc.oneof(number, fc.constantFrom("null", "true", "[1,2]", '{"temp":1}'), fc.string().map(scalarText));
const values = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...keys), scalar), { selector: ([key]) => key })
  .map((members) => objectText(members.map(([key, text]) => [key, json(text)] as const)));

describe("what goes out comes back", () => {
  const session = sessionOf(invertible);

  test("the keys and values of a state, as a configuration", () => {
    fc.assert(
      fc.property(values, (said) => {
        const out = outward(session, { kind: "state", device, values: said });
        if (out?.kind !== "state") throw new Error(JSON.stringify(out));
        expect(inward(session, { kind: "config", device, values: out.values as JsonText })).toEqual({
          kind: "config",
          device,
          values: said,
        });
      }),
    );
  });

  test("the same in a body, and a body of another form stays as it is", () => {
    const bodies = fc.oneof(
      values,
      values.map((said) => `[{"ts":1,"values":${said}},{"ts":2,"values":{},"metadata":{"temp":1}}]`),
      values.map((said) => ` {"values": ${said}, "ts" :1.5} `),
      fc.string(),
    );
    fc.assert(
      fc.property(bodies, (said) => {
        const out = outward(session, { kind: "telemetry", device, body: body(said) });
        if (out?.kind !== "telemetry" || out.body === undefined) throw new Error(JSON.stringify(out));
        const node = parseJson(said, 0);
        const isObject = node.kind === "object" || node.kind === "array";
        if (!isObject) expect(Buffer.from(out.body).toString("hex")).toBe(body(said).toString("hex"));
      }),
    );
  });

  test("names of vanished keys", () => {
    const deleted = ["temperature", "raw.ph", "n7", "other"];
    const heard = inward(session, { kind: "config", device, deleted });
    expect(heard).toEqual({ kind: "config", device, deleted: ["temp", "ph_raw", "7", "other"] });
  });

  test("nothing is touched that no rule names, down to the white space", () => {
    const said = json('{ "other" : 1.500, "x":[1 , 2] }');
    expect(outward(session, { kind: "state", device, values: said })).toEqual({ kind: "state", device, values: said });
  });

  test("the gateway itself is left as it is", () => {
    const message = { kind: "state", values: json('{"temp":1}') } as const;
    expect(outward(session, message)).toEqual(message);
    expect(inward(session, { ...message, kind: "config" })).toEqual({ ...message, kind: "config" });
  });

  test("names of devices", () => {
    const naming = sessionOf(`
names:
  - { local: Device A, upstream: boiler }
  - { local: "plant/{line}/{unit:digits}", upstream: "{line}-{unit}" }
  - { local: "{x:word}@lab", upstream: "lab:{x}" }
`).naming;
    const part = fc.stringMatching(/^[a-c0-9/@:-]{0,5}$/);
    const name = fc.oneof(
      fc.constantFrom("Device A", "boiler", ""),
      fc.tuple(part, part).map(([line, unit]) => `plant/${line}/${unit}`),
      part.map((x) => `${x}@lab`),
      part,
    );
    fc.assert(
      fc.property(name, (said) => {
        const other = naming.outward(said);
        // A name that means another device upstream is found by whoever asks for both.
        if (other !== said) expect(naming.inward(other)).toBe(said);
      }),
    );
    expect(["Device A", "plant/l1/7", "x@lab", "plant/l-1/7"].map(naming.outward)).toEqual([
      "boiler",
      "l1-7",
      "lab:x",
      "plant/l-1/7",
    ]);
  });
});

describe("keys that would become one", () => {
  const session = sessionOf("rules: { r: { keys: { a: b } } }");

  test("are not sent", () => {
    const reason = 'unrepresentable: the key "b" would read back as "a"';
    expect(outward(session, { kind: "state", device, values: json('{"b":1}') })).toEqual({
      kind: "quarantined",
      device,
      reason,
    });
    expect(outward(session, { kind: "telemetry", device, points: [{ values: json('{"a":1,"b":1}') }] })).toMatchObject({
      reason,
    });
    expect(outward(session, { kind: "state", device, body: body('{"b":1}') })).toMatchObject({ reason });
  });

  test("are not taken", () => {
    const reason = 'the key "a" would be taken for the one that is called "b" upstream';
    expect(inward(session, { kind: "config", device, values: json('{"a":1}') })).toEqual({
      kind: "unrepresentable",
      reason,
    });
    expect(inward(session, { kind: "config", device, body: body('{"a":1}') })).toEqual({
      kind: "unrepresentable",
      reason,
    });
  });

  test("nor are numbers that are too long to be scaled", () => {
    const scaled = sessionOf("rules: { r: { keys: { a: { factor: 2 } } } }");
    expect(outward(scaled, { kind: "state", device, values: json('{"a":1e999}') })).toEqual({
      kind: "quarantined",
      device,
      reason: 'unrepresentable: the number under "a" is too long to be scaled',
    });
  });
});

describe("scaling", () => {
  test.each([
    ["{ factor: 0.1 }", "215", "21.5"],
    ["{ factor: 0.1 }", "9007199254740993", "900719925474099.3"],
    ["{ factor: 1e3, offset: -0.5 }", "0.0000000000000000000001", "-0.4999999999999999999"],
    ["{ offset: 273.15 }", "-273.15", "0"],
    ["{ factor: 2 }", '"12"', '"12"'],
    ["{ factor: 2 }", "null", "null"],
  ])("by %s makes of %s %s", (scale, said, wanted) => {
    const session = sessionOf(`rules: { r: { keys: { a: ${scale} } } }`);
    const out = outward(session, { kind: "state", device, values: json(`{"a":${said}}`) });
    expect(out).toEqual({ kind: "state", device, values: `{"a":${wanted}}` });
  });

  test("by a factor without an inverse still brings back what went out, and rounds what did not", () => {
    const session = sessionOf("rules: { r: { keys: { c: { to: f, factor: 1.8, offset: 32 } }, lossy: degrees } }");
    const config = (text: string) => inward(session, { kind: "config", device, values: json(text) });
    expect(config('{"f":70.7}')).toMatchObject({ values: '{"c":21.5}' });
    expect(config('{"f":70}')).toMatchObject({ values: '{"c":21.1111111111111}' });
    fc.assert(
      fc.property(number, (text) => {
        const out = outward(session, { kind: "state", device, values: json(`{"c":${text}}`) });
        if (out?.kind !== "state") throw new Error(JSON.stringify(out));
        expect(config(out.values as string)).toMatchObject({ values: `{"c":${text}}` });
      }),
    );
  });
});

describe("which rule holds", () => {
  const text = `
rules:
  hot: { when: { device: [hot-*, boiler] }, keys: { t: heat } }
  pumps: { when: { profile: "pump*" }, keys: { t: flow } }
  both: { when: { device: "hot-*", profile: pump-2 }, of: state, keys: { s: speed } }
  all: { of: [telemetry, state], keys: { t: value, s: size } }
`;
  const named = (name: string, values: string, session: DeploymentSession) => {
    const out = outward(session, { kind: "state", device: name as DeviceId, values: json(values) });
    return out?.kind === "state" ? out.values : out;
  };

  test.each([
    ["hot-1", undefined, '{"heat":1,"size":2}'],
    ["boiler", undefined, '{"heat":1,"size":2}'],
    ["cold", undefined, '{"value":1,"size":2}'],
    ["cold", "pump-1", '{"flow":1,"size":2}'],
    ["hot-1", "pump-2", '{"heat":1,"speed":2}'],
  ])("for %s of profile %s", (name, profile, wanted) => {
    const session = sessionOf(text);
    if (profile !== undefined) outward(session, { kind: "attach", device: name as DeviceId, profile });
    expect(named(name, '{"t":1,"s":2}', session)).toBe(wanted);
  });

  test("a profile is remembered over a restart, until the device says another", () => {
    const facts = new Map<string, string>();
    const open = () =>
      deploymentOf(text).open({ facts, remember: (key, value) => facts.set(key, value), replies: null });
    const first = open();
    outward(first, { kind: "attach", device, profile: "pump-1" });
    outward(first, { kind: "attach", device });
    expect([...facts]).toEqual([["profile/Device A", "pump-1"]]);
    const second = open();
    expect(named(device, '{"t":1}', second)).toBe('{"flow":1}');
    outward(second, { kind: "attach", device, profile: "fan" });
    expect(named(device, '{"t":1}', open())).toBe('{"value":1}');
  });
});

describe("what is dropped", () => {
  const session = sessionOf(`
rules:
  noise: { drop: ["debug_*", heap], lossy: noise }
  lab: { when: { device: lab-* }, drop: all, lossy: lab }
  quiet: { when: { device: quiet }, of: telemetry, drop: all, lossy: quiet }
`);
  const lab = "lab-1" as DeviceId;
  const quiet = "quiet" as DeviceId;
  const dropped = (reason: string) => ({ kind: "dropped", reason });

  test("keys, both ways", () => {
    expect(outward(session, { kind: "state", device, values: json('{"heap":1,"a":2}') })).toMatchObject({
      values: '{"a":2}',
    });
    expect(inward(session, { kind: "config", device, values: json('{"debug_x":1,"a":2}') })).toMatchObject({
      values: '{"a":2}',
    });
    expect(inward(session, { kind: "config", device, body: body('{"debug_x":1}') })).toMatchObject({
      body: body("{}"),
    });
  });

  test("a message of which nothing is left, under the rule's name", () => {
    const values = json('{"heap":1}');
    expect(outward(session, { kind: "state", device, values })).toEqual(dropped("noise"));
    expect(outward(session, { kind: "telemetry", device, points: [{ values }] })).toEqual(dropped("noise"));
    expect(outward(session, { kind: "telemetry", device, body: body(`[{"ts":1,"values":${values}}]`) })).toEqual(
      dropped("noise"),
    );
    expect(inward(session, { kind: "config", device, values })).toEqual({ kind: "nothing" });
    expect(inward(session, { kind: "config", device, deleted: ["heap"] })).toEqual({ kind: "nothing" });
  });

  test("a point of which nothing is left; one that was empty before stays", () => {
    const points = [
      { ts: 1, values: json('{"heap":1}') },
      { ts: 2, values: json("{}") },
    ];
    expect(outward(session, { kind: "telemetry", device, points })).toMatchObject({ points: points.slice(1) });
  });

  test("all that a device says, or all of a kind", () => {
    expect(outward(session, { kind: "attach", device: lab })).toEqual(dropped("lab"));
    expect(outward(session, { kind: "detach", device: lab })).toEqual(dropped("lab"));
    expect(outward(session, { kind: "attributesRequest", device: lab, id: 1, keys: [] })).toEqual(dropped("lab"));
    expect(outward(session, { kind: "telemetry", device: quiet, points: [] })).toEqual(dropped("quiet"));
    expect(outward(session, { kind: "attach", device: quiet })).toEqual({ kind: "attach", device: quiet });
  });
});

describe("questions for attributes", () => {
  const session = sessionOf(`
rules:
  r:
    keys: { t: { to: temperature, factor: 0.1 } }
    drop: [secret]
    lossy: secret
  s: { of: state, keys: { u: up } }
`);

  test("ask for the names that upstream has, and are answered under the names asked for", () => {
    const asked = outward(session, {
      kind: "attributesRequest",
      device,
      id: 3,
      scope: "shared",
      keys: ["t", "u", "x"],
    });
    expect(asked).toMatchObject({ keys: ["temperature", "u", "x"] });
    const values = json('{"temperature":21.5,"x":1}');
    expect(inward(session, { kind: "attributesResponse", device, id: 3, values })).toEqual({
      kind: "attributesResponse",
      device,
      id: 3,
      values: '{"t":215,"x":1}',
    });
  });

  test("with one name are answered with its value", () => {
    expect(outward(session, { kind: "attributesRequest", device, id: 4, scope: "client", key: "t" })).toMatchObject({
      key: "temperature",
    });
    expect(inward(session, { kind: "attributesResponse", device, id: 4, value: json("21.5") })).toMatchObject({
      value: "215",
    });
    outward(session, { kind: "attributesRequest", device, id: 4, scope: "shared", keys: ["x"] });
    expect(inward(session, { kind: "attributesResponse", device, id: 4, value: json("1") })).toMatchObject({
      value: "1",
    });
  });

  test("are not told what is dropped, nor a value of which nobody knows the name", () => {
    const none = { kind: "attributesResponse", device, id: 5 };
    outward(session, { kind: "attributesRequest", device, id: 5, scope: "shared", key: "secret" });
    expect(inward(session, { kind: "attributesResponse", device, id: 5, value: json("1") })).toEqual(none);
    outward(session, { kind: "attributesRequest", device, id: 5, keys: [] });
    expect(inward(session, { kind: "attributesResponse", device, id: 5, value: json("1") })).toEqual(none);
  });

  test("of each scope have the names of their kind", () => {
    outward(session, { kind: "attributesRequest", device, id: 6, scope: "client", keys: ["u", "t"] });
    const values = json('{"up":1}');
    expect(inward(session, { kind: "attributesResponse", device, id: 6, values })).toMatchObject({ values: '{"u":1}' });
  });
});

describe("folders", () => {
  test("by key and by device", () => {
    const { telemetry } = sessionOf(`
rules:
  alarms: { keys: { alarm: { to: a, folder: alarms } } }
  boiler: { when: { device: Device A }, of: telemetry, folder: boiler }
`);
    const message = (name: string, ...points: readonly string[]): Telemetry => ({
      kind: "telemetry",
      device: name as DeviceId,
      points: points.map((values, ts) => ({ ts, values: json(values) })),
    });
    const parts = (said: Telemetry) =>
      telemetry.folders?.(said).map(({ folder, points }) => [folder, points?.map((point) => [point.ts, point.values])]);
    expect(parts(message("x", '{"t":1,"a":2,"u":3}', '{"t":4}', "{}"))).toEqual([
      [
        undefined,
        [
          [0, '{"t":1,"u":3}'],
          [1, '{"t":4}'],
          [2, "{}"],
        ],
      ],
      ["alarms", [[0, '{"a":2}']]],
    ]);
    expect(parts(message("Device A", '{"a":2}', '{"t":4}'))).toEqual([
      ["alarms", [[0, '{"a":2}']]],
      ["boiler", [[1, '{"t":4}']]],
    ]);
  });

  test("are not looked for where no rule names one", () => {
    expect(sessionOf("rules: { r: { keys: { a: b } } }").telemetry).toEqual({});
  });
});

describe("replies to commands", () => {
  test("are left as they are", () => {
    const session = deploymentOf("rules: { r: { keys: { a: b } } }").open({
      facts: [],
      remember: () => undefined,
      replies: "replies",
    });
    const said = (folder: string) => outward(session, { kind: "telemetry", device, folder, body: body('{"a":1}') });
    expect(said("replies/7")).toMatchObject({ body: body('{"a":1}') });
    expect(said("events")).toMatchObject({ body: body('{"b":1}') });
  });
});

describe("a shape", () => {
  const session = sessionOf(`
rules: { r: { keys: { a: b } } }
telemetry: { shape: { time: $ts, ...: $values }, convert: { ts: isoTime } }
`);
  const { shape } = session.telemetry;

  test("prints points and reads them back, or has no form for them", () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 4102444800000 }), (said, ts) => {
        const printed = shape?.print([{ ts, values: said }]);
        if (printed === undefined) throw new Error(said);
        expect(shape?.read(printed)).toEqual([{ ts, values: said }]);
      }),
    );
    expect(shape?.print([{ ts: 0, values: json('{"time":1}') }])).toBeUndefined();
    expect(shape?.read(json('{"a":1}'))).toBeUndefined();
  });

  test("is how keys are found in a body", () => {
    const said = '{"time":"2017-01-01T00:00:00.000Z","a":1}';
    expect(outward(session, { kind: "telemetry", device, body: body(said) })).toMatchObject({
      body: body('{"time":"2017-01-01T00:00:00.000Z","b":1}'),
    });
  });

  test("may be a list of points", () => {
    const list = sessionOf(
      "telemetry: { shape: [[$ts, $values]] }".replace("[[$ts, $values]]", "[{ t: $ts, v: $values }]"),
    );
    const points = [
      { ts: 1, values: json("{}") },
      { ts: 2, values: json('{"a":1}') },
    ];
    const printed = list.telemetry.shape?.print(points);
    expect(printed).toBe('[{"t":1,"v":{}},{"t":2,"v":{"a":1}}]');
    expect(list.telemetry.shape?.read(printed as JsonText)).toEqual(points);
  });
});
