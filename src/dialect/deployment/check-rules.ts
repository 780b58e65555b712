import type { JsonText } from "../../message/json.ts";
import type { Blame } from "../mistake.ts";
import { dividesAll } from "./decimal.ts";
import { createKeyTable } from "./key-table.ts";
import type { KeyEntry, MappingRule } from "./rule.ts";
import { commonText, sampleOf, type TextPattern } from "./text-pattern.ts";
import { scaleNumber } from "./values.ts";

/** Blames keys that become one and the same for some device, and losses that are not admitted or are none. */
export function checkRules(rules: readonly MappingRule[], blame: Blame): void {
  for (const [index, later] of rules.entries()) {
    for (const earlier of rules.slice(0, index + 1)) checkTargets(earlier, later, blame);
    checkLosses(later, blame);
  }
}

/** Blames keys and scales whose samples do not come back. */
export function verifyRules(rules: readonly MappingRule[], blame: Blame): void {
  for (const rule of rules) {
    for (const entry of rule.keys) {
      const problem = problemOf(entry, rule);
      if (problem !== undefined) blame(entry.at, problem);
    }
  }
}

/** What does not come back from the upstream side, in words. */
export function lossesOf({ drops, dropsAll, keys, kinds }: MappingRule): readonly string[] {
  const rounded = kinds.includes("config")
    ? keys.filter(({ scale }) => scale !== undefined && !dividesAll(scale.factor)).map(({ local }) => local.source)
    : [];
  return [
    ...(dropsAll === undefined ? [] : ["whole messages"]),
    ...(drops.length === 0 ? [] : [`the keys ${quoted(drops.map(({ source }) => source))}`]),
    ...(rounded.length === 0
      ? []
      : [`digits of ${quoted(rounded)} in configurations (the factor has no exact inverse)`]),
  ];
}

function checkLosses(rule: MappingRule, blame: Blame): void {
  const { name } = rule.ref;
  const losses = lossesOf(rule);
  if (losses.length > 0 && rule.lossy === undefined) {
    blame(rule.at, `The rule "${name}" loses ${losses.join(", and ")}, wanted "lossy: REASON" that says why`);
  }
  if (losses.length === 0 && rule.lossy !== undefined) {
    blame(rule.lossy.at, `The rule "${name}" loses nothing, wanted "lossy" left out`);
  }
}

/** Two keys of one device must not get one name. A key may stand out from a template: it goes first. */
function checkTargets(earlier: MappingRule, later: MappingRule, blame: Blame): void {
  if (!later.kinds.some((kind) => earlier.kinds.includes(kind)) || !meet(earlier, later)) return;
  for (const [index, entry] of later.keys.entries()) {
    for (const other of earlier === later ? later.keys.slice(0, index) : earlier.keys) {
      if (entry.isLiteral !== other.isLiteral || entry.local.source === other.local.source) continue;
      const shared = commonText(other.upstream, entry.upstream);
      if (shared === undefined) continue;
      blame(
        entry.at,
        `"${entry.local.source}" and "${other.local.source}" (line ${other.at.line}) can both become "${shared}" upstream, wanted keys that tell them apart`,
      );
    }
  }
}

/** Whether both rules hold for some device. */
function meet(one: MappingRule, other: MappingRule): boolean {
  return shareText(one.devices, other.devices) && shareText(one.profiles, other.profiles);
}

function shareText(some: readonly TextPattern[] | undefined, others: readonly TextPattern[] | undefined): boolean {
  if (some === undefined || others === undefined) return true;
  return some.some((one) => others.some((other) => commonText(one, other) !== undefined));
}

const sampleNumbers = ["0", "42", "-7.25", "0.1", "9007199254740993", "123456789.123456789012345678", "0.0000001"];

/** What is wrong with an entry: a sample of the key and hard numbers are sent there and back. */
function problemOf(entry: KeyEntry, rule: MappingRule): string | undefined {
  const key = sampleOf(entry.local);
  for (const kind of rule.kinds) {
    const table = createKeyTable([rule], kind);
    const out = table.outward(key);
    if (out.kind === "unrepresentable") return `${capital(out.reason)}, wanted keys that tell them apart`;
    // Another line of the rule may have the sample for itself.
    if (out.kind !== "becomes" || out.entry !== entry) continue;
    const back = table.inward(out.key);
    if (back.kind === "becomes" && back.key === key) continue;
    const found = back.kind === "becomes" ? back.key : out.key;
    return `"${key}" becomes "${out.key}", which reads back as "${found}", wanted keys that tell them apart`;
  }
  const { scale } = entry;
  if (scale === undefined) return undefined;
  for (const number of sampleNumbers) {
    const out = scaleNumber(number as JsonText, scale, "outward");
    const back = out && scaleNumber(out, scale, "inward");
    if (back !== number) return `${number} becomes ${out}, which reads back as ${back}`;
  }
  return undefined;
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(", ");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
