import type { JsonText } from "../message/json.ts";
import type { MemberPattern, ObjectPattern, Pattern } from "./pattern.ts";
import { kindsOf, requiredKeys } from "./pattern-facts.ts";

/**
 * Whether what the later pattern prints fits the earlier one, which would then read it. "Fits" is the choice that `anyOf`
 * makes: the kind of JSON, the keys that must be there, and literals directly under them.
 */
export function captures(earlier: Pattern, later: Pattern): "never" | "perhaps" | "always" {
  if (later.kind === "choice") return agree(later.choices.map((choice) => captures(earlier, choice)));
  if (earlier.kind === "choice") {
    const each = earlier.choices.map((choice) => captures(choice, later));
    return each.includes("always") ? "always" : agree(each);
  }
  const earlierKinds = kindsOf(earlier);
  const laterKinds = [...kindsOf(later)];
  if (!laterKinds.some((kind) => earlierKinds.has(kind))) return "never";
  const isKindCertain = laterKinds.every((kind) => earlierKinds.has(kind));
  switch (earlier.kind) {
    case "variable":
    case "something":
    case "entries":
    case "list":
      return isKindCertain ? "always" : "perhaps";
    case "literal":
      return later.kind === "literal" ? (later.text === earlier.text ? "always" : "never") : "perhaps";
    case "object":
      if (later.kind === "object") return capturesObject(earlier, later);
      return isKindCertain && requiredKeys(earlier).length === 0 ? "always" : "perhaps";
  }
}

function capturesObject(earlier: ObjectPattern, later: ObjectPattern): "never" | "perhaps" | "always" {
  let isCertain = true;
  for (const member of earlier.members) {
    if (member.isOptional) continue;
    const there = memberOf(later, member.key);
    if (there === undefined) {
      if (typeof later.rest !== "object") return "never";
      isCertain = false;
      continue;
    }
    const wanted = literalOf(member.value);
    const printed = literalOf(there.value);
    if (wanted !== undefined && printed !== undefined && wanted !== printed) return "never";
    if (there.isOptional || (wanted !== undefined && printed === undefined)) isCertain = false;
  }
  return isCertain ? "always" : "perhaps";
}

function agree(each: readonly ("never" | "perhaps" | "always")[]): "never" | "perhaps" | "always" {
  const [first] = each;
  return first !== undefined && each.every((one) => one === first) ? first : "perhaps";
}

/** How two patterns for the same topic share the packets: `first` and `second` say which has a literal for the other's variable. */
export type Relation = "apart" | "first" | "second" | "ambiguous";

/** Whether some packet could be read by both patterns, and which of them a literal puts before the other. */
export function relate(a: Pattern, b: Pattern): Relation {
  if (a.kind === "literal" && b.kind === "literal") return a.text === b.text ? "ambiguous" : "apart";
  const bKinds = kindsOf(b);
  if (![...kindsOf(a)].some((kind) => bKinds.has(kind))) return "apart";
  if (a.kind === "literal") return "first";
  if (b.kind === "literal") return "second";
  if (a.kind !== "object" || b.kind !== "object") return "ambiguous";
  return relateObjects(a, b);
}

function relateObjects(a: ObjectPattern, b: ObjectPattern): Relation {
  const relations = new Set<Relation>();
  for (const key of new Set([...requiredKeys(a), ...requiredKeys(b)])) {
    const inA = memberOf(a, key);
    const inB = memberOf(b, key);
    if (inA === undefined && a.rest === "closed") return "apart";
    if (inB === undefined && b.rest === "closed") return "apart";
    if (inA !== undefined && inB !== undefined) relations.add(relate(inA.value, inB.value));
    else if (inA !== undefined && literalOf(inA.value) !== undefined) relations.add("first");
    else if (inB !== undefined && literalOf(inB.value) !== undefined) relations.add("second");
  }
  if (relations.has("apart")) return "apart";
  if (relations.has("first") === relations.has("second")) return "ambiguous";
  return relations.has("first") ? "first" : "second";
}

function memberOf(pattern: ObjectPattern, key: string): MemberPattern | undefined {
  return pattern.members.find((member) => member.key === key);
}

function literalOf(pattern: Pattern): JsonText | undefined {
  return pattern.kind === "literal" ? pattern.text : undefined;
}
