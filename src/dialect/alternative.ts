import { expand, type JsonKind, type JsonNode, type JsonText, kindOf, parseJson, textOf } from "../message/json.ts";
import type { Pattern } from "./pattern.ts";
import { requiredKeys } from "./pattern-facts.ts";

/** Whether an alternative is the one that is meant: its kind, the keys that must be there, and literals under them. */
export type Suits = (node: JsonNode) => boolean;

/** Compiles the choice that is made before a pattern is matched. */
export function compileSuits(pattern: Pattern): Suits {
  switch (pattern.kind) {
    case "variable": {
      const kinds = new Set<JsonKind>(pattern.conversion.kinds);
      return kinds.size === 6 ? () => true : (node) => kinds.has(node.kind);
    }
    case "something":
      return (node) => node.kind !== "null";
    case "literal": {
      const isSame = compileSame(pattern.text);
      return isSame;
    }
    case "entries":
      return (node) => node.kind === "object";
    case "list":
      return (node) => node.kind === "array";
    case "choice": {
      const alternatives = pattern.choices.map(compileSuits);
      return (node) => alternatives.some((suits) => suits(node));
    }
    case "object": {
      const required = requiredKeys(pattern);
      const literals = pattern.members.flatMap(({ key, value, isOptional }) =>
        value.kind === "literal" && !isOptional ? [{ key, isSame: compileSame(value.text) }] : [],
      );
      return (node) => {
        if (node.kind !== "object") return false;
        if (required.length === 0) return true;
        const { keys, items } = expand(node);
        if (keys === undefined || items === undefined) return false;
        for (const key of required) if (!keys.includes(key)) return false;
        for (const { key, isSame } of literals) if (!isSame(items[keys.lastIndexOf(key)] as JsonNode)) return false;
        return true;
      };
    }
  }
}

/** Scalars are the same if they say the same; a number is the same in any of its spellings. */
export function compileSame(text: JsonText): (node: JsonNode) => boolean {
  const kind = kindOf(text);
  const value: unknown = JSON.parse(text);
  return (node) => node.kind === kind && JSON.parse(textOf(node)) === value;
}

/** A pattern in a few words, for misfits: what decides whether it is chosen. */
export function describePattern(pattern: Pattern): string {
  switch (pattern.kind) {
    case "variable":
      return pattern.conversion.wanted;
    case "something":
      return "anything but null";
    case "literal":
      return pattern.text;
    case "object": {
      const keys = requiredKeys(pattern);
      return keys.length === 0 ? "an object" : `an object with ${keys.map((key) => `"${key}"`).join(", ")}`;
    }
    case "entries":
      return "an object";
    case "list":
      return "a list";
    case "choice":
      return pattern.choices.map(describePattern).join(", or ");
  }
}

/** Whether a text that was printed would be taken by one of these alternatives. */
export function compileGuard(rivals: readonly Pattern[]): ((text: string) => boolean) | undefined {
  if (rivals.length === 0) return undefined;
  const alternatives = rivals.map((rival) => ({ suits: compileSuits(rival), terms: termsOf(rival) }));
  return (text) => {
    const hasEscapes = text.includes("\\");
    return alternatives.some(({ suits, terms }) => {
      if (!hasEscapes && !terms.every((term) => text.includes(term))) return false;
      const node = parseJson(text, 1);
      return node.kind !== "fault" && suits(node);
    });
  };
}

/** Texts without which nothing fits a pattern, so that most texts need not be parsed. */
function termsOf(pattern: Pattern): readonly string[] {
  if (pattern.kind === "literal") return [pattern.text];
  if (pattern.kind !== "object") return [];
  return pattern.members
    .filter(({ isOptional }) => !isOptional)
    .flatMap(({ key, value }) => [
      JSON.stringify(key),
      ...(value.kind === "literal" && value.text.startsWith('"') ? [value.text] : []),
    ]);
}
