import { type Blame, oneOf } from "./mistake.ts";
import { describeYaml, type YamlEntry, type YamlNode } from "./yaml-tree.ts";

/** The entries of a map whose keys are known words. */
export type Fields = ReadonlyMap<string, YamlEntry>;

/** The entries of a map; other keys than the known ones, and other values than maps, are blamed. */
export function fieldsOfMap(node: YamlNode, what: string, known: readonly string[], blame: Blame): Fields | undefined {
  if (node.kind !== "map") {
    blame(node.at, `Found ${describeYaml(node)} for ${what}, wanted a map`);
    return undefined;
  }
  for (const { key, at } of node.entries) {
    if (!known.includes(key)) blame(at, `Unknown key "${key}" in ${what}, wanted ${oneOf(known)}`);
  }
  return new Map(node.entries.map((entry) => [entry.key, entry]));
}

/** The text under a key, if there is one. */
export function text(entry: YamlEntry | undefined, blame: Blame): string | undefined {
  if (entry === undefined) return undefined;
  const { key, value } = entry;
  if (value.kind === "scalar" && typeof value.value === "string" && value.value !== "") return value.value;
  blame(value.at, `"${key}" is ${describeYaml(value)}, wanted text`);
  return undefined;
}

/** The number under a key, if there is one. */
export function number(
  entry: YamlEntry | undefined,
  { least, most }: { readonly least: number; readonly most: number },
  blame: Blame,
): number | undefined {
  if (entry === undefined) return undefined;
  const { key, value } = entry;
  const said = value.kind === "scalar" ? value.value : undefined;
  if (typeof said === "number" && said >= least && said <= most) return said;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  blame(value.at, `"${key}" is ${describeYaml(value)}, wanted a number ${range}`);
  return undefined;
}

/** The one of several values that stands under a key, if the key is there. */
export function choice<Value extends string | number | boolean>(
  entry: YamlEntry | undefined,
  values: readonly Value[],
  blame: Blame,
): Value | undefined {
  if (entry === undefined) return undefined;
  const { key, value } = entry;
  const found = value.kind === "scalar" ? values.find((one) => one === value.value) : undefined;
  if (found === undefined) blame(value.at, `"${key}" is ${describeYaml(value)}, wanted ${oneOf(values.map(String))}`);
  return found;
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds from `1100ms`, `60s`, `15m`, `1h`. */
export function duration(entry: YamlEntry | undefined, blame: Blame): number | undefined {
  return measure(
    entry,
    /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/,
    durationUnits,
    'a duration such as "1100ms", "60s" or "15m"',
    blame,
  );
}

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  MB: 1_000_000,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Bytes from `64KiB`, `256KB`, `512B`. */
export function size(entry: YamlEntry | undefined, blame: Blame): number | undefined {
  return measure(
    entry,
    /^(\d+(?:\.\d+)?)(B|KB|MB|KiB|MiB|GiB)$/,
    sizeUnits,
    'a size such as "64KiB" or "256KB"',
    blame,
  );
}

function measure(
  entry: YamlEntry | undefined,
  form: RegExp,
  units: Readonly<Record<string, number>>,
  wanted: string,
  blame: Blame,
): number | undefined {
  if (entry === undefined) return undefined;
  const { key, value } = entry;
  const found = value.kind === "scalar" ? form.exec(value.source) : null;
  const factor = units[found?.[2] ?? ""];
  if (found !== null && factor !== undefined) return Math.round(Number(found[1]) * factor);
  blame(value.at, `"${key}" is ${describeYaml(value)}, wanted ${wanted}`);
  return undefined;
}
