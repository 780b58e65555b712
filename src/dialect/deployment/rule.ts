import type { RuleRef } from "../../message/decoded.ts";
import type { DropReason } from "../../message/fate.ts";
import { type Fields, fieldsOfMap, text } from "../fields.ts";
import { type Blame, oneOf, type Place } from "../mistake.ts";
import { describeYaml, type YamlEntry, type YamlNode } from "../yaml-tree.ts";
import { type Decimal, parseDecimal } from "./decimal.ts";
import { literalOf, parseGlob, parseTemplates, type Template, type TextPattern } from "./text-pattern.ts";

/** Kinds of messages whose keys a rule can change. */
export const keyedKinds = ["telemetry", "state", "config"] as const;
export type KeyedKind = (typeof keyedKinds)[number];

/** Upstream value = local value times `factor` plus `offset`. */
export interface Scale {
  readonly factor: Decimal;
  readonly offset: Decimal;
}

/** What becomes of one key, or of all keys that a template matches. */
export interface KeyEntry {
  readonly at: Place;
  readonly local: Template;
  readonly upstream: Template;
  /** Whether the template is one key. */
  readonly isLiteral: boolean;
  readonly scale: Scale | undefined;
  readonly folder: string | undefined;
}

/** One of the file's rules. What it leaves out it leaves as it is. */
export interface MappingRule {
  readonly at: Place;
  readonly ref: RuleRef;
  readonly devices: readonly TextPattern[] | undefined;
  readonly profiles: readonly TextPattern[] | undefined;
  readonly kinds: readonly KeyedKind[];
  readonly keys: readonly KeyEntry[];
  readonly drops: readonly TextPattern[];
  /** Nothing of these devices goes on: all they say, or all of the kinds that are named. */
  readonly dropsAll: "everything" | "kinds" | undefined;
  readonly folder: { readonly at: Place; readonly name: string } | undefined;
  readonly lossy: { readonly at: Place; readonly reason: string } | undefined;
}

const ruleKeys = ["when", "of", "keys", "drop", "folder", "lossy"];
/** A rule's name is a reason in the ledger, and must not be taken for one of ours. */
const takenNames: readonly DropReason[] = [
  "unknownTopic",
  "empty",
  "unmatched",
  "unsupported",
  "withheld",
  "gone",
  "full",
  "discarded",
];
const folderForm = /^[^/+#\0]+(?:\/[^/+#\0]+)*$/;

/** Reads `rules: { name: { when, of, keys, drop, folder, lossy } }`. */
export function readMappingRules(node: YamlNode | undefined, blame: Blame): readonly MappingRule[] {
  if (node === undefined) return [];
  if (node.kind !== "map") {
    blame(node.at, `"rules" holds ${describeYaml(node)}, wanted a map from names to rules`);
    return [];
  }
  return node.entries.map((entry) => readRule(entry, blame)).filter((rule) => rule !== undefined);
}

function readRule({ key: name, at, value }: YamlEntry, blame: Blame): MappingRule | undefined {
  if (!/^[A-Za-z][\w-]*$/.test(name)) {
    blame(at, `The rule "${name}" cannot be a name in the ledger, wanted letters, digits, "_" and "-"`);
  } else if (takenNames.includes(name)) {
    blame(at, `"${name}" is a reason of its own in the ledger, wanted another name for the rule`);
  }
  const fields = fieldsOfMap(value, `the rule "${name}"`, ruleKeys, blame);
  if (fields === undefined) return undefined;
  const when = readWhen(fields.get("when"), blame);
  const { drops, dropsAll } = readDrop(fields.get("drop"), fields.has("of"), blame);
  const lossy = fields.get("lossy");
  const reason = text(lossy, blame);
  const rule: MappingRule = {
    at,
    ref: { name, file: at.file, line: at.line },
    devices: when?.devices,
    profiles: when?.profiles,
    kinds: readKinds(fields.get("of"), blame),
    keys: readKeys(fields.get("keys"), blame),
    drops,
    dropsAll,
    folder: readFolder(fields.get("folder"), blame),
    lossy: lossy === undefined || reason === undefined ? undefined : { at: lossy.at, reason },
  };
  checkSense(rule, fields, blame);
  return rule;
}

function readWhen(entry: YamlEntry | undefined, blame: Blame): Pick<MappingRule, "devices" | "profiles"> | undefined {
  if (entry === undefined) return undefined;
  const fields = fieldsOfMap(entry.value, '"when"', ["device", "profile"], blame);
  if (fields?.size === 0) blame(entry.value.at, '"when" is empty, wanted "device", "profile" or both');
  return { devices: readGlobs(fields?.get("device"), blame), profiles: readGlobs(fields?.get("profile"), blame) };
}

function readGlobs(entry: YamlEntry | undefined, blame: Blame): readonly TextPattern[] | undefined {
  return (
    entry &&
    textsIn(entry, 'a name, in which "*" stands for anything, or a list of names', blame).map(({ source }) =>
      parseGlob(source),
    )
  );
}

function readKinds(entry: YamlEntry | undefined, blame: Blame): readonly KeyedKind[] {
  if (entry === undefined) return keyedKinds;
  return textsIn(entry, oneOf(keyedKinds), blame).flatMap(({ source, at }) => {
    const kind = keyedKinds.find((known) => known === source);
    if (kind === undefined) blame(at, `"of" is "${source}", wanted ${oneOf(keyedKinds)}`);
    return kind ?? [];
  });
}

function readDrop(
  entry: YamlEntry | undefined,
  namesKinds: boolean,
  blame: Blame,
): Pick<MappingRule, "drops" | "dropsAll"> {
  if (entry === undefined) return { drops: [], dropsAll: undefined };
  const wanted = '"all" for whole messages, or a list of keys, in which "*" stands for anything';
  if (entry.value.kind === "scalar") {
    const isAll = entry.value.value === "all";
    if (!isAll) blame(entry.value.at, `"drop" is ${describeYaml(entry.value)}, wanted ${wanted}`);
    return { drops: [], dropsAll: isAll ? (namesKinds ? "kinds" : "everything") : undefined };
  }
  return { drops: textsIn(entry, wanted, blame).map(({ source }) => parseGlob(source)), dropsAll: undefined };
}

function readKeys(entry: YamlEntry | undefined, blame: Blame): readonly KeyEntry[] {
  if (entry === undefined) return [];
  if (entry.value.kind !== "map") {
    blame(entry.value.at, `"keys" holds ${describeYaml(entry.value)}, wanted a map from keys to what they become`);
    return [];
  }
  return entry.value.entries.map((key) => readKey(key, blame)).filter((key) => key !== undefined);
}

/** `key: other`, or `key: { to, factor, offset, folder }`. */
function readKey(entry: YamlEntry, blame: Blame): KeyEntry | undefined {
  const { key, at, value } = entry;
  const isName = value.kind === "scalar" && typeof value.value === "string";
  if (!isName && value.kind !== "map") {
    blame(value.at, `"${key}" becomes ${describeYaml(value)}, wanted another key or { to, factor, offset, folder }`);
    return undefined;
  }
  const fields: Fields | undefined = isName
    ? new Map([["to", entry]])
    : fieldsOfMap(value, `the key "${key}"`, ["to", "factor", "offset", "folder"], blame);
  if (fields === undefined) return undefined;
  if (fields.size === 0)
    blame(value.at, `Nothing becomes of the key "${key}", wanted "to", "factor", "offset" or "folder"`);
  const to = fields.get("to");
  const target = to === undefined ? key : text(to, blame);
  if (target === undefined) return undefined;
  const templates = parseTemplates({ source: key, at }, { source: target, at: to?.value.at ?? at }, blame);
  if (templates === undefined) return undefined;
  return {
    at,
    ...templates,
    isLiteral: literalOf(templates.local) !== undefined,
    scale: readScale(fields, blame),
    folder: readFolder(fields.get("folder"), blame)?.name,
  };
}

function readScale(fields: Fields, blame: Blame): Scale | undefined {
  if (!fields.has("factor") && !fields.has("offset")) return undefined;
  const factor = readNumber(fields.get("factor"), "1", blame);
  const offset = readNumber(fields.get("offset"), "0", blame);
  if (factor?.digits === 0n) {
    blame(
      fields.get("factor")?.value.at as Place,
      '"factor" is 0 and makes all values the same, wanted another number',
    );
    return undefined;
  }
  return factor && offset && { factor, offset };
}

function readNumber(entry: YamlEntry | undefined, otherwise: string, blame: Blame): Decimal | undefined {
  if (entry === undefined) return parseDecimal(otherwise);
  const { key, value } = entry;
  const found = value.kind === "scalar" && typeof value.value === "number" ? parseDecimal(value.source) : undefined;
  if (found === undefined) blame(value.at, `"${key}" is ${describeYaml(value)}, wanted a number such as 0.1`);
  return found;
}

function readFolder(entry: YamlEntry | undefined, blame: Blame): MappingRule["folder"] {
  const name = text(entry, blame);
  if (entry === undefined || name === undefined) return undefined;
  if (folderForm.test(name)) return { at: entry.value.at, name };
  blame(entry.value.at, `"folder" is "${name}", wanted levels joined by "/", none empty, without "+" and "#"`);
  return undefined;
}

function textsIn(
  entry: YamlEntry,
  wanted: string,
  blame: Blame,
): readonly { readonly source: string; readonly at: Place }[] {
  const items = entry.value.kind === "list" ? entry.value.items : [entry.value];
  if (items.length === 0) blame(entry.value.at, `"${entry.key}" is an empty list, wanted ${wanted}`);
  return items.flatMap((item) => {
    if (item.kind === "scalar" && item.value !== null && item.source !== "")
      return [{ source: item.source, at: item.at }];
    blame(item.at, `"${entry.key}" is ${describeYaml(item)}, wanted ${wanted}`);
    return [];
  });
}

function checkSense(rule: MappingRule, fields: Fields, blame: Blame): void {
  const { name } = rule.ref;
  const says = ["keys", "drop", "folder"].filter((key) => fields.has(key));
  if (says.length === 0) blame(rule.at, `The rule "${name}" does nothing, wanted "keys", "drop" or "folder"`);
  if (rule.dropsAll !== undefined && says.length > 1) {
    blame(
      rule.at,
      `The rule "${name}" drops whole messages, so its other lines never apply, wanted them in a rule of their own`,
    );
  }
  const isForTelemetry = rule.kinds.includes("telemetry");
  if (rule.folder !== undefined && !isForTelemetry) {
    blame(rule.folder.at, `Only telemetry has folders, wanted "telemetry" in "of"`);
  }
  for (const { at, folder } of rule.keys) {
    if (folder !== undefined && !isForTelemetry) blame(at, `Only telemetry has folders, wanted "telemetry" in "of"`);
  }
  if (rule.dropsAll === "kinds" && rule.kinds.includes("config")) {
    blame(
      fields.get("of")?.value.at ?? rule.at,
      `Whole configurations cannot be dropped, wanted "telemetry", "state" or both`,
    );
  }
}
