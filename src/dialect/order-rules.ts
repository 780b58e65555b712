import type { Blame } from "./mistake.ts";
import { type Relation, relate } from "./overlap.ts";
import type { RuleText } from "./rule.ts";
import { relateTopics } from "./topic-template.ts";
import { vocabulary } from "./vocabulary.ts";

/** A rule and the rules of the same topic that are tried before it. */
export interface OrderedRule {
  readonly rule: RuleText;
  readonly before: readonly RuleText[];
}

/**
 * Puts the rules of a dialect in the order in which they are tried: a literal goes before a variable, in topics and in payloads.
 * Two rules of one direction that could read the same packet without such a difference are blamed.
 */
export function orderRules(rules: readonly RuleText[], blame: Blame): readonly OrderedRule[] {
  const before = new Map<RuleText, RuleText[]>(rules.map((rule) => [rule, []]));
  const sameTopic = new Map<RuleText, RuleText[]>(rules.map((rule) => [rule, []]));
  for (const [index, later] of rules.entries()) {
    for (const earlier of rules.slice(0, index)) {
      if (vocabulary[earlier.kind].direction !== vocabulary[later.kind].direction) continue;
      const topics = relateTopics(earlier.topic, later.topic);
      if (topics === "apart") continue;
      if (topics === "same" && earlier.reader !== later.reader) {
        blame(
          later.at,
          `The rules "${later.name}" and "${earlier.name}" (line ${earlier.at.line}) share a topic but read it as ${later.reader} and ${earlier.reader}, wanted one reader`,
        );
        continue;
      }
      const relation: Relation =
        topics === "same" ? payloads(earlier, later) : topics === "crossing" ? "ambiguous" : topics;
      if (relation === "ambiguous") {
        blame(
          later.at,
          `The rule "${later.name}" could read the same packets as "${earlier.name}" (line ${earlier.at.line}), wanted another topic or a literal that tells them apart`,
        );
      }
      if (relation === "first") before.get(later)?.push(earlier);
      if (relation === "second") before.get(earlier)?.push(later);
      if (topics === "same" && relation === "first") sameTopic.get(later)?.push(earlier);
      if (topics === "same" && relation === "second") sameTopic.get(earlier)?.push(later);
    }
  }
  const ordered: OrderedRule[] = [];
  const done = new Set<RuleText>();
  const add = (rule: RuleText) => {
    if (done.has(rule)) return;
    done.add(rule);
    for (const other of before.get(rule) ?? []) add(other);
    ordered.push({ rule, before: sameTopic.get(rule) ?? [] });
  };
  for (const rule of rules) add(rule);
  return ordered;
}

function payloads(a: RuleText, b: RuleText): Relation {
  return a.payload === undefined || b.payload === undefined ? "ambiguous" : relate(a.payload, b.payload);
}
