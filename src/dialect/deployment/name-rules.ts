import type { RuleRef } from "../../message/decoded.ts";
import { fieldsOfMap, text } from "../fields.ts";
import type { Blame, Place } from "../mistake.ts";
import { describeYaml, type YamlNode } from "../yaml-tree.ts";
import { commonText, convert, literalOf, parseTemplates, sampleOf, type Template } from "./text-pattern.ts";

/** One line of `names`: an alias if nothing in it is a variable, else a pattern. */
export interface NameRule {
  readonly at: Place;
  readonly ref: RuleRef;
  readonly local: Template;
  readonly upstream: Template;
  /** Both names of an alias. */
  readonly alias: { readonly local: string; readonly upstream: string } | undefined;
}

/** Device names of the local side in the words of the upstream side, before what an id must look like. */
export interface Naming {
  /** A name that no rule fits stands for itself. */
  outward(name: string): string;
  inward(name: string): string;
  /** The rule that a name of the local side is changed by. */
  ruleFor(name: string): RuleRef | undefined;
}

/** Reads `names: [{ local, upstream }]`. */
export function readNames(node: YamlNode | undefined, blame: Blame): readonly NameRule[] {
  if (node === undefined) return [];
  if (node.kind !== "list") {
    blame(node.at, `"names" holds ${describeYaml(node)}, wanted a list of { local, upstream }`);
    return [];
  }
  const rules = node.items.map((item) => readName(item, blame)).filter((rule) => rule !== undefined);
  checkApart(rules, blame);
  return rules;
}

function readName(node: YamlNode, blame: Blame): NameRule | undefined {
  const fields = fieldsOfMap(node, "a name", ["local", "upstream"], blame);
  if (fields === undefined) return undefined;
  for (const key of ["local", "upstream"]) {
    if (!fields.has(key)) blame(node.at, `A name without "${key}", wanted { local, upstream }`);
  }
  const [local, upstream] = [fields.get("local"), fields.get("upstream")];
  const source = { local: text(local, blame), upstream: text(upstream, blame) };
  if (source.local === undefined || source.upstream === undefined) return undefined;
  const templates = parseTemplates(
    { source: source.local, at: local?.value.at ?? node.at },
    { source: source.upstream, at: upstream?.value.at ?? node.at },
    blame,
  );
  if (templates === undefined) return undefined;
  const names = { local: literalOf(templates.local), upstream: literalOf(templates.upstream) };
  const alias =
    names.local === undefined || names.upstream === undefined
      ? undefined
      : { local: names.local, upstream: names.upstream };
  return { at: node.at, ref: { name: source.local, file: node.at.file, line: node.at.line }, ...templates, alias };
}

/** Two devices must not have one name. An alias may stand out from a pattern: it goes first, both ways. */
function checkApart(rules: readonly NameRule[], blame: Blame): void {
  for (const [index, later] of rules.entries()) {
    for (const earlier of rules.slice(0, index)) {
      if ((later.alias === undefined) !== (earlier.alias === undefined)) continue;
      const shared = commonText(earlier.upstream, later.upstream);
      if (shared !== undefined) {
        blame(
          later.at,
          `"${later.local.source}" and "${earlier.local.source}" (line ${earlier.at.line}) can both be called "${shared}" upstream, wanted names that tell them apart`,
        );
      } else if (later.alias !== undefined && later.alias.local === earlier.alias?.local) {
        blame(
          later.at,
          `A second name for "${later.local.source}" (the first is in line ${earlier.at.line}), wanted one`,
        );
      }
    }
  }
}

/** Compiles the rules for names: aliases first, then patterns in their order. */
export function compileNaming(rules: readonly NameRule[]): Naming {
  const aliases = rules.flatMap(({ alias, ref }) => (alias === undefined ? [] : [{ ...alias, ref }]));
  const byLocal = new Map(aliases.map((alias) => [alias.local, alias]));
  const byUpstream = new Map(aliases.map((alias) => [alias.upstream, alias]));
  const patterns = rules.filter(({ alias }) => alias === undefined);

  return {
    outward: (name) => outward(name)?.name ?? name,
    inward(name) {
      const alias = byUpstream.get(name);
      if (alias !== undefined) return alias.local;
      for (const pattern of patterns) {
        const found = convert(pattern.upstream, pattern.local, name);
        if (found !== undefined && outward(found)?.name === name) return found;
      }
      return name;
    },
    ruleFor: (name) => outward(name)?.ref,
  };

  function outward(name: string): { readonly name: string; readonly ref: RuleRef } | undefined {
    const alias = byLocal.get(name);
    if (alias !== undefined) return { name: alias.upstream, ref: alias.ref };
    for (const { local, upstream, ref } of patterns) {
      const found = convert(local, upstream, name);
      if (found !== undefined) return { name: found, ref };
    }
    return undefined;
  }
}

/** Blames a rule whose own sample does not come back. */
export function verifyNames(rules: readonly NameRule[], naming: Naming, blame: Blame): void {
  for (const { at, local } of rules) {
    const name = sampleOf(local);
    const upstream = naming.outward(name);
    const back = naming.inward(upstream);
    if (back !== name) {
      blame(
        at,
        `"${name}" is "${upstream}" upstream, which reads back as "${back}", wanted names that tell them apart`,
      );
    }
  }
}
