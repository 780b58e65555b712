import { scalarText } from "../message/json.ts";
import type { MessageKind } from "../message/message.ts";
import { checkPattern } from "./check-pattern.ts";
import type { Conversion } from "./conversion.ts";
import { conversions, defaultConversion } from "./conversions.ts";
import { choice, type Fields, fieldsOfMap, text } from "./fields.ts";
import { type Blame, oneOf, type Place } from "./mistake.ts";
import { type PatternWords, parsePattern } from "./pattern.ts";
import { type ReaderName, readerNames } from "./readers.ts";
import { boundBy, type RuleText } from "./rule.ts";
import { tableConversion } from "./table-conversion.ts";
import { parseTopic, type TopicTemplate } from "./topic-template.ts";
import { messageKinds, type ValueType, vocabulary } from "./vocabulary.ts";
import { describeYaml, entryOf, type YamlEntry, type YamlNode } from "./yaml-tree.ts";

/** What rules of a file have in common. */
export interface RuleContext {
  readonly parameters: readonly string[];
  readonly prefix: string | undefined;
  /** `convert` of the file: how variables are written unless a rule says otherwise. */
  readonly convert: YamlNode | undefined;
}

const ruleKeys = "name up down payload read convert qos deliver subscribe grant copy source".split(" ");

/** The rules of a file, and the names of those that are too wrong to be compiled. */
export interface FoundRules {
  readonly rules: readonly RuleText[];
  readonly broken: ReadonlySet<string>;
}

/** Reads the `messages` section: for each kind one rule, a list of rules, or nothing where the cloud has no such thing. */
export function readRules(node: YamlNode, context: RuleContext, blame: Blame): FoundRules {
  const rules: RuleText[] = [];
  const broken = new Set<string>();
  if (node.kind !== "map") {
    blame(node.at, `"messages" holds ${describeYaml(node)}, wanted a map from kinds of messages to rules`);
    return { rules, broken };
  }
  const names = new Map<string, Place>();
  for (const { key, at, value } of node.entries) {
    const kind = messageKinds.find((known) => known === key);
    if (kind === undefined) {
      blame(at, `Unknown kind of message "${key}", wanted ${oneOf(messageKinds)}`);
      continue;
    }
    if (value.kind === "scalar" && value.value === null) continue;
    for (const one of value.kind === "list" ? value.items : [value]) {
      const rule = readRule(kind, one, context, blame);
      if (rule === undefined) {
        const said = entryOf(one, "name")?.value;
        broken.add(said?.kind === "scalar" ? said.source : kind);
        continue;
      }
      const first = names.get(rule.name);
      if (first === undefined) names.set(rule.name, rule.at);
      else
        blame(
          rule.at,
          `A second rule named "${rule.name}" (the first is in line ${first.line}), wanted a "name" of its own`,
        );
      rules.push(rule);
    }
  }
  return { rules, broken };
}

function readRule(kind: MessageKind, node: YamlNode, context: RuleContext, blame: Blame): RuleText | undefined {
  const fields = fieldsOfMap(node, `a rule for ${kind}`, ruleKeys, blame);
  if (fields === undefined) return undefined;
  const { direction, variables } = vocabulary[kind];
  const wrongWay = fields.get(direction === "up" ? "down" : "up");
  if (wrongWay !== undefined) {
    blame(
      wrongWay.at,
      `A message of kind ${kind} goes ${direction}, wanted "${direction}" instead of "${wrongWay.key}"`,
    );
  }
  const topicEntry = fields.get(direction);
  if (topicEntry === undefined) {
    if (wrongWay === undefined) blame(node.at, `A rule for ${kind} without a topic, wanted "${direction}: …"`);
    return undefined;
  }
  const own = readConversions(fields.get("convert")?.value, variables, blame, true);
  const shared = readConversions(context.convert, variables, () => undefined, false);
  const conversionOf = (name: string) => own.get(name) ?? shared.get(name) ?? defaultOf(variables, name);
  const words = { kind, variables, conversionOf, parameters: context.parameters, prefix: context.prefix };
  const topic = readTopic(topicEntry.value);
  const copied = readTopics(fields.get("copy"));
  for (const { source, at, levels, tail } of copied) {
    const other = tail ?? levels.find((level) => level.kind === "variable" && level.name !== "device");
    if (other !== undefined)
      blame(at, `Unusable topic "${source}" for copies, wanted no other variable than "{device}"`);
  }
  const granted = [...readTopics(fields.get("grant")), ...copied];
  const payload = readPayload(fields, words, blame);
  if (topic === undefined || payload === undefined) return undefined;
  const rule: RuleText = {
    name: text(fields.get("name"), blame) ?? kind,
    kind,
    at: topicEntry.at,
    topic,
    granted,
    copied,
    ...payload,
    qos: choice(fields.get("qos"), [0, 1], blame) ?? 1,
    isAlwaysDelivered: choice(fields.get("deliver"), ["always", "subscribed"], blame) === "always",
    isSubscribable: choice(fields.get("subscribe"), [true, false], blame) ?? true,
    source: text(fields.get("source"), blame),
  };
  checkBindings(rule, blame);
  return rule;

  function readTopic(value: YamlNode): TopicTemplate | undefined {
    if (value.kind === "scalar" && typeof value.value === "string")
      return parseTopic(value.value, value.at, words, blame);
    blame(value.at, `The topic is ${describeYaml(value)}, wanted text such as "v1/gateway/connect"`);
    return undefined;
  }

  function readTopics(entry: YamlEntry | undefined): readonly TopicTemplate[] {
    if (entry === undefined) return [];
    const items = entry.value.kind === "list" ? entry.value.items : [entry.value];
    return items.map(readTopic).filter((topic) => topic !== undefined);
  }
}

function readPayload(
  fields: Fields,
  words: PatternWords,
  blame: Blame,
): Pick<RuleText, "reader" | "payload" | "bytes"> | undefined {
  const readEntry = fields.get("read");
  const named = choice(readEntry, readerNames, blame);
  const entry = fields.get("payload");
  const bytes = entry === undefined ? undefined : bytesVariable(entry.value, words);
  const reader: ReaderName = named ?? (entry === undefined ? "none" : bytes === undefined ? "json" : "bytes");
  const at = readEntry?.at ?? entry?.at;
  if (at !== undefined && (reader === "none") !== (entry === undefined)) {
    blame(
      at,
      `"read: ${reader}" ${entry === undefined ? "without" : "with"} a payload, wanted ${entry === undefined ? 'a "payload"' : "none"}`,
    );
    return undefined;
  }
  if (entry === undefined) return { reader, payload: undefined, bytes: undefined };
  if (at !== undefined && (reader === "bytes") !== (bytes !== undefined)) {
    const wanted = bytes === undefined ? 'a variable of type bytes, such as "$body"' : '"read: bytes"';
    blame(at, `"read: ${reader}" does not fit the payload, wanted ${wanted}`);
    return undefined;
  }
  if (bytes !== undefined) return { reader, payload: undefined, bytes };
  const payload = parsePattern(entry.value, words, blame);
  return payload && { reader, payload, bytes: undefined };
}

/** The variable of a payload that is nothing but `$body`. */
function bytesVariable(value: YamlNode, words: PatternWords): string | undefined {
  if (value.kind !== "scalar" || typeof value.value !== "string" || !value.value.startsWith("$")) return undefined;
  const name = value.value.slice(1);
  const isBytes = Object.hasOwn(words.variables, name) && words.variables[name] === "bytes";
  return isBytes && words.conversionOf(name) === undefined ? name : undefined;
}

function checkBindings(rule: RuleText, blame: Blame): void {
  const forms = boundBy(rule);
  for (const oneOfThem of vocabulary[rule.kind].needs) {
    if (forms.every((form) => oneOfThem.some((name) => form.has(name)))) continue;
    const wanted = oneOfThem.map((name) => `$${name}`);
    blame(
      rule.at,
      `The rule "${rule.name}" may leave ${wanted.join(" or ")} unbound, wanted ${oneOf(wanted)} where it must be present`,
    );
  }
  if (rule.payload !== undefined) checkPattern(rule.payload, blame);
}

function defaultOf(variables: Readonly<Record<string, ValueType>>, name: string): Conversion | undefined {
  const type = variables[name];
  return type === undefined ? undefined : defaultConversion(type);
}

/** Reads `convert: { variable: conversion }`, where a conversion is a name or a table of words and what is written for them. */
export function readConversions(
  node: YamlNode | undefined,
  variables: Readonly<Record<string, ValueType>>,
  blame: Blame,
  isOwn: boolean,
): ReadonlyMap<string, Conversion> {
  const found = new Map<string, Conversion>();
  if (node === undefined) return found;
  if (node.kind !== "map") {
    blame(node.at, `"convert" holds ${describeYaml(node)}, wanted a map from variables to conversions`);
    return found;
  }
  for (const { key, at, value } of node.entries) {
    const type = Object.hasOwn(variables, key) ? variables[key] : undefined;
    if (type === undefined) {
      if (isOwn) blame(at, `Unknown variable "${key}", wanted ${oneOf(Object.keys(variables))}`);
      continue;
    }
    const conversion = value.kind === "map" ? readTable(type, value, blame) : namedConversion(type, value, blame);
    if (conversion !== undefined) found.set(key, conversion);
  }
  return found;
}

function namedConversion(type: ValueType, value: YamlNode, blame: Blame): Conversion | undefined {
  const fitting = conversions.filter(({ types }) => types.includes(type)).map(({ name }) => name);
  const said = value.kind === "scalar" ? value.source : undefined;
  if (said !== undefined && fitting.includes(said)) return conversions.find(({ name }) => name === said);
  const isKnown = conversions.some(({ name }) => name === said);
  blame(
    value.at,
    `${isKnown ? `The conversion "${said}" does not fit a variable of type ${type}` : `Unknown conversion ${describeYaml(value)}`}, wanted ${oneOf(fitting)}`,
  );
  return undefined;
}

function readTable(type: ValueType, node: Extract<YamlNode, { kind: "map" }>, blame: Blame): Conversion | undefined {
  if (type !== "scope" && type !== "text") {
    blame(node.at, `A table of words does not fit a variable of type ${type}, wanted a variable of type text or scope`);
    return undefined;
  }
  const rows: [string, ReturnType<typeof scalarText>][] = [];
  const written = new Map<string, string>();
  let otherwise: string | undefined;
  for (const { key, at, value } of node.entries) {
    if (value.kind !== "scalar" || value.value === null) {
      blame(value.at, `"${key}" is written as ${describeYaml(value)}, wanted text, a number, true or false`);
      return undefined;
    }
    if (key === "...") {
      otherwise = value.source;
      continue;
    }
    const text = scalarText(value.value);
    const first = written.get(text.toLowerCase());
    if (first !== undefined) {
      blame(
        at,
        `"${first}" and "${key}" are both written as ${text} and cannot be told apart, wanted one text for each`,
      );
      return undefined;
    }
    written.set(text.toLowerCase(), key);
    rows.push([key, text]);
  }
  if (otherwise !== undefined && !rows.some(([word]) => word === otherwise)) {
    blame(
      node.at,
      `"..." reads as "${otherwise}", which the table does not have, wanted ${oneOf(rows.map(([word]) => word))}`,
    );
  }
  return tableConversion(type, rows, otherwise);
}
