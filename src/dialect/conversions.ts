import { type JsonKind, type JsonText, scalarText, stringOf, textOf } from "../message/json.ts";
import { absent, type Conversion, defineConversion } from "./conversion.ts";
import { cutInteger, exactInteger, integerText, only, readNames, scalarOf } from "./loose-json.ts";
import type { ValueType } from "./vocabulary.ts";

const everyKind: readonly JsonKind[] = ["object", "array", "string", "number", "boolean", "null"];

const text = defineConversion<string>({
  name: "text",
  types: ["text", "device", "folder"],
  wanted: "a string",
  kinds: ["string"],
  read: (node) => (node.kind === "string" ? stringOf(node) : undefined),
  print: scalarText,
  law: { same: ["", "Device A", 'a "b" \\ \u0000 \ud83d\ude00', "__proto__"], also: [['"\\u0041"', "A"]] },
});

/** ThingsBoard reads strings with Gson's `getAsString`, which takes numbers, booleans and arrays of one too. */
const looseText = defineConversion<string>({
  name: "looseText",
  types: ["text", "device"],
  wanted: "a string, number or boolean",
  kinds: ["string", "number", "boolean", "array"],
  read: (node) => scalarOf(only(node)),
  print: scalarText,
  law: {
    same: ["", "123", "true", "plant/1 +#*.é"],
    also: [
      ["123", "123"],
      ["1.50", "1.50"],
      ["true", "true"],
      ['["x"]', "x"],
    ],
  },
});

/** Something is said only if it is not empty. */
const filled = defineConversion<string>({
  name: "filled",
  types: ["text"],
  wanted: "a string",
  kinds: ["string", "null"],
  read: (node) => (node.kind === "string" ? stringOf(node) || absent : node.kind === "null" ? absent : undefined),
  print: (value) => (value === "" ? undefined : scalarText(value)),
  law: { same: ["eyJhbGciOi.x_y-z.0"], also: [['""', absent]] },
});

/** A device's name, where the gateway's own id stands for the gateway. */
const deviceOrGateway = defineConversion<string | undefined>({
  name: "deviceOrGateway",
  types: ["device"],
  wanted: "a device id",
  kinds: ["string", "null"],
  read: (node, gateway) => {
    if (node.kind === "null") return absent;
    if (node.kind !== "string") return undefined;
    const name = stringOf(node);
    return name === "" || name === gateway ? absent : name;
  },
  print: (value, gateway) => (value === gateway || value === "" ? undefined : scalarText(value ?? gateway)),
  law: { same: ["sensor-7", "2583764912"], also: [['""', absent]] },
});

const integer = defineConversion<number>({
  name: "integer",
  types: ["integer"],
  wanted: "an integer",
  kinds: ["number"],
  read: (node) => (node.kind === "number" ? exactInteger(textOf(node)) : undefined),
  print: integerText,
  law: { same: [0, 1, -7, 4711, Number.MAX_SAFE_INTEGER], also: [["5.0", 5]] },
});

/** Gson's `getAsInt`: numbers in strings, decimals cut, arrays of one. */
const looseInteger = defineConversion<number>({
  name: "looseInteger",
  types: ["integer", "time"],
  wanted: "an integer",
  kinds: ["number", "string", "array"],
  read: (node) => cutInteger(only(node)),
  print: integerText,
  law: {
    same: [0, 1, -7, 1483228800000, Number.MAX_SAFE_INTEGER],
    also: [
      ['"5"', 5],
      ["5.7", 5],
      ["1e3", 1000],
      ["[5]", 5],
    ],
  },
});

const time = defineConversion<number>({
  name: "time",
  types: ["time"],
  wanted: "Unix milliseconds",
  kinds: ["number"],
  read: (node) => (node.kind === "number" ? cutInteger(node) : undefined),
  print: integerText,
  law: { same: [0, 1, 1483228800000], also: [["1483228800000.9", 1483228800000]] },
});

/** Gson's `getAsLong` where a time is meant. */
const looseTime = defineConversion<number>({
  name: "looseTime",
  types: ["time"],
  wanted: "Unix milliseconds, as a number or a string of digits",
  kinds: ["number", "string"],
  read: cutInteger,
  print: integerText,
  law: {
    same: [0, 1, 1483228800000],
    also: [
      ['"1483228800000"', 1483228800000],
      ["1.5e3", 1500],
    ],
  },
});

const isoTime = defineConversion<number>({
  name: "isoTime",
  types: ["time"],
  wanted: "a time as in 2017-01-01T00:00:00.000Z",
  kinds: ["string"],
  read: (node) => {
    if (node.kind !== "string") return undefined;
    const said = stringOf(node);
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(said)) return undefined;
    const ms = Date.parse(said);
    return Number.isNaN(ms) ? undefined : ms;
  },
  print: (ms) => {
    // ISO 8601 has four digits for a year unless both ends agree on more.
    const isCommon = Number.isInteger(ms) && ms >= -62167219200000 && ms <= 253402300799999;
    return isCommon ? scalarText(new Date(ms).toISOString()) : undefined;
  },
  law: { same: [0, 1483228800000, 1483228800001], also: [['"2017-01-01T01:00:00+01:00"', 1483228800000]] },
});

const scope = defineConversion<string>({
  name: "scope",
  types: ["scope"],
  wanted: '"client" or "shared"',
  kinds: ["string"],
  read: (node) => {
    const said = node.kind === "string" ? stringOf(node) : undefined;
    return said === "client" || said === "shared" ? said : undefined;
  },
  print: scalarText,
  law: { same: ["client", "shared"], also: [] },
});

const names = defineConversion<readonly string[]>({
  name: "names",
  types: ["keys"],
  wanted: "a list of strings",
  kinds: ["array"],
  read: (node) => readNames(node, (item) => (item.kind === "string" ? stringOf(item) : undefined)),
  print: (keys) => JSON.stringify(keys) as JsonText,
  law: { same: [[], ["a"], ["a,b", "", "ü"]], also: [] },
});

/** A list of names whose elements Gson's `getAsString` would take. */
const looseNames = defineConversion<readonly string[]>({
  name: "looseNames",
  types: ["keys"],
  wanted: "a list of strings",
  kinds: ["array"],
  read: (node) => readNames(node, scalarOf),
  print: (keys) => JSON.stringify(keys) as JsonText,
  law: { same: [[], ["a"], ["a,b", "", "ü"]], also: [["[1]", ["1"]]] },
});

/** One string with commas, as in ThingsBoard's device API. */
const commaList = defineConversion<readonly string[]>({
  name: "commaList",
  types: ["keys"],
  wanted: "names separated by commas, in one string",
  kinds: ["string", "null"],
  read: (node) => {
    if (node.kind === "null") return absent;
    if (node.kind !== "string") return undefined;
    const said = stringOf(node);
    return said === "" ? [] : said.split(",");
  },
  print: (keys) => {
    const isUnclear = keys.some((key) => key.includes(",")) || (keys.length === 1 && keys[0] === "");
    return isUnclear ? undefined : scalarText(keys.join(","));
  },
  law: { same: [[], ["a"], ["a", "b b", "ü"]], also: [] },
});

const json = defineConversion<JsonText>({
  name: "json",
  types: ["json"],
  wanted: "any JSON",
  kinds: everyKind,
  read: textOf,
  print: (value) => value,
  law: { same: ["null", '{"a":12345678901234567890}', '"x"', "[1,2]", "1.10", "false"], also: [] },
});

const object = defineConversion<JsonText>({
  name: "object",
  types: ["object"],
  wanted: "an object",
  kinds: ["object"],
  read: (node) => (node.kind === "object" ? textOf(node) : undefined),
  print: (value) => (value.charCodeAt(0) === 0x7b ? value : undefined),
  law: { same: ["{}", '{"b":1,"2":0.12345678901234567890,"1":{"__proto__":[]}}'], also: [] },
});

/** Bytes as a base64 string; the URL-safe alphabet and missing padding are read too. */
const base64 = defineConversion<Uint8Array>({
  name: "base64",
  types: ["bytes"],
  wanted: "base64 in a string",
  kinds: ["string"],
  read: (node) => {
    if (node.kind !== "string") return undefined;
    const said = stringOf(node);
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(said)) return undefined;
    return new Uint8Array(Buffer.from(said, "base64"));
  },
  print: (bytes) => scalarText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")),
  law: { same: [new Uint8Array(), new Uint8Array([0, 255, 62, 63])], also: [['"-_8"', new Uint8Array([251, 255])]] },
});

/** All conversions that have a name. The first of a type is its default. */
export const conversions: readonly Conversion[] = [
  text,
  looseText,
  filled,
  deviceOrGateway,
  integer,
  looseInteger,
  time,
  looseTime,
  isoTime,
  scope,
  names,
  looseNames,
  commaList,
  json,
  object,
  base64,
];

/** The conversion used for a type when a mapping names none; bytes have none. */
export function defaultConversion(type: ValueType): Conversion | undefined {
  return type === "bytes" ? undefined : conversions.find(({ types }) => types.includes(type));
}
