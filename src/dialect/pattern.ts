import { type JsonText, scalarText, toJsonText } from "../message/json.ts";
import type { Conversion } from "./conversion.ts";
import { type Blame, oneOf, type Place } from "./mistake.ts";
import type { ValueType } from "./vocabulary.ts";
import { describeYaml, type YamlEntry, type YamlMap, type YamlNode } from "./yaml-tree.ts";

/** A JSON value with gaps: it is matched against a payload to fill its variables, and filled in to print one. */
export type Pattern =
  | VariablePattern
  | { readonly kind: "something"; readonly at: Place }
  | { readonly kind: "literal"; readonly at: Place; readonly text: JsonText }
  | ObjectPattern
  | EntriesPattern
  | ListPattern
  | ChoicePattern;

/** `$name`. */
export interface VariablePattern {
  readonly kind: "variable";
  readonly at: Place;
  readonly name: string;
  readonly type: ValueType;
  readonly conversion: Conversion;
}

/** `{ key: p, key?: p, ...: ignore }`. */
export interface ObjectPattern {
  readonly kind: "object";
  readonly at: Place;
  readonly members: readonly MemberPattern[];
  /** What happens to members that are not named: a mistake, left out, or bound together to a variable. */
  readonly rest: "closed" | "ignore" | RestPattern;
}

export interface MemberPattern {
  readonly key: string;
  readonly isOptional: boolean;
  readonly value: Pattern;
}

/** `...: $name`; with `...?` the variable stays unbound when there are no other members. */
export interface RestPattern {
  readonly variable: VariablePattern;
  readonly isOptional: boolean;
}

/** `{ $name: p }`: one match per member. */
export interface EntriesPattern {
  readonly kind: "entries";
  readonly at: Place;
  readonly key: VariablePattern;
  readonly value: Pattern;
}

/** `[p]`: one match per element. */
export interface ListPattern {
  readonly kind: "list";
  readonly at: Place;
  readonly item: Pattern;
}

/** `anyOf: [p, …]`: the first that fits. */
export interface ChoicePattern {
  readonly kind: "choice";
  readonly at: Place;
  readonly choices: readonly Pattern[];
}

/** What patterns of one rule may use. */
export interface PatternWords {
  /** For messages: the kind of message. */
  readonly kind: string;
  readonly variables: Readonly<Record<string, ValueType>>;
  /** `undefined`: bytes that have no conversion, which is blamed where they stand in JSON. */
  conversionOf(variable: string): Conversion | undefined;
}

/** Reads a pattern from YAML. Mistakes are blamed; what is wrong is then missing from the pattern. */
export function parsePattern(node: YamlNode, words: PatternWords, blame: Blame): Pattern | undefined {
  return parse(node);

  function parse(node: YamlNode): Pattern | undefined {
    switch (node.kind) {
      case "scalar":
        return scalar(node);
      case "list": {
        if (node.items.length !== 1) {
          blame(node.at, `A list of ${node.items.length} patterns, wanted one, which every element has to match`);
          return undefined;
        }
        const item = parse(node.items[0] as YamlNode);
        return item && { kind: "list", at: node.at, item };
      }
      case "map":
        return map(node);
    }
  }

  function scalar(node: Extract<YamlNode, { kind: "scalar" }>): Pattern | undefined {
    const { at, value, source } = node;
    if (typeof value === "number") {
      const text = toJsonText(source);
      if (text === undefined) blame(at, `The number "${source}" is not written as in JSON`);
      return text && { kind: "literal", at, text };
    }
    if (typeof value !== "string") return { kind: "literal", at, text: scalarText(value) };
    if (value === "$_") return { kind: "something", at };
    if (value.startsWith("$$")) return { kind: "literal", at, text: scalarText(value.slice(1)) };
    if (value.startsWith("$")) return variable(value.slice(1), at);
    return { kind: "literal", at, text: scalarText(value) };
  }

  function variable(name: string, at: Place): VariablePattern | undefined {
    const type = Object.hasOwn(words.variables, name) ? words.variables[name] : undefined;
    if (type === undefined) {
      const known = Object.keys(words.variables).map((known) => `$${known}`);
      blame(at, `Unknown variable "$${name}" in ${words.kind}, wanted ${oneOf(known)}`);
      return undefined;
    }
    const conversion = words.conversionOf(name);
    if (conversion === undefined) {
      blame(at, `"$${name}" is bytes and cannot stand in JSON, wanted "convert: { ${name}: base64 }"`);
      return undefined;
    }
    return { kind: "variable", at, name, type, conversion };
  }

  function map(node: YamlMap): Pattern | undefined {
    const [first] = node.entries;
    if (first?.key === "anyOf" && node.entries.length === 1) return choice(first, node.at);
    const entryKeys = node.entries.filter(({ key }) => isVariableKey(key));
    if (entryKeys.length === 0) return object(node);
    if (node.entries.length > 1) {
      blame(
        (entryKeys[0] as YamlEntry).at,
        `"${entryKeys[0]?.key}" stands for every member, wanted it alone in its map`,
      );
      return undefined;
    }
    return entries(first as YamlEntry, node.at);
  }

  function choice({ value }: YamlEntry, at: Place): Pattern | undefined {
    if (value.kind !== "list" || value.items.length < 2) {
      blame(value.at, `"anyOf" holds ${describeYaml(value)}, wanted a list of two or more patterns`);
      return undefined;
    }
    const choices = value.items.map(parse);
    if (!choices.every((one) => one !== undefined)) return undefined;
    return { kind: "choice", at, choices: choices.flatMap((one) => (one.kind === "choice" ? one.choices : [one])) };
  }

  function entries({ key, at: keyAt, value }: YamlEntry, at: Place): Pattern | undefined {
    const name = variable(key.slice(1), keyAt);
    const pattern = parse(value);
    if (name !== undefined && name.type !== "device" && name.type !== "text") {
      blame(keyAt, `"${key}" is no text and cannot be a member's name, wanted a variable of type text`);
      return undefined;
    }
    return name && pattern && { kind: "entries", at, key: name, value: pattern };
  }

  function object(node: YamlMap): Pattern | undefined {
    const members: MemberPattern[] = [];
    let rest: ObjectPattern["rest"] = "closed";
    let isWhole = true;
    for (const entry of node.entries) {
      if (entry.key === "..." || entry.key === "...?") {
        const others = restOf(entry);
        if (others === undefined) isWhole = false;
        else rest = others;
        continue;
      }
      const value = parse(entry.value);
      const { key, isOptional } = memberKey(entry.key);
      if (value === undefined) isWhole = false;
      else members.push({ key, isOptional, value });
    }
    return isWhole ? { kind: "object", at: node.at, members, rest } : undefined;
  }

  function restOf({ key, value }: YamlEntry): ObjectPattern["rest"] | undefined {
    if (value.kind === "scalar" && value.value === "ignore" && key === "...") return "ignore";
    const others = value.kind === "scalar" && typeof value.value === "string" && isVariableKey(value.value);
    if (!others) {
      blame(value.at, `"${key}" holds ${describeYaml(value)}, wanted "ignore" or a variable for the other members`);
      return undefined;
    }
    const bound = variable(value.source.slice(1), value.at);
    if (bound === undefined) return undefined;
    if (bound.type !== "object") {
      blame(
        value.at,
        `"$${bound.name}" is no object and cannot hold the other members, wanted a variable of type object`,
      );
      return undefined;
    }
    return { variable: bound, isOptional: key === "...?" };
  }
}

function isVariableKey(key: string): boolean {
  return key.startsWith("$") && !key.startsWith("$$");
}

/** `key?` is optional; `key??` is a key that ends in a question mark; `$$key` one that begins with a dollar. */
function memberKey(written: string): { key: string; isOptional: boolean } {
  const key = written.startsWith("$$") ? written.slice(1) : written;
  if (key.endsWith("??")) return { key: key.slice(0, -1), isOptional: false };
  return key.endsWith("?") ? { key: key.slice(0, -1), isOptional: true } : { key, isOptional: false };
}
