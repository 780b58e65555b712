import type { RuleRef } from "../message/decoded.ts";
import { arrayText, type JsonText, objectText, scalarText, toJsonText } from "../message/json.ts";
import type { Direction, Message } from "../message/message.ts";
import { fieldsOfMap, text } from "./fields.ts";
import { type Blame, oneOf, type Place } from "./mistake.ts";
import { fieldsOf, type Rule } from "./rule.ts";
import { fillTemplate } from "./topic-template.ts";
import { pointsField, vocabulary } from "./vocabulary.ts";
import { describeYaml, type YamlEntry, type YamlNode } from "./yaml-tree.ts";

/** A packet and what it means, from a mapping file. Parameters stand as their names, or as their defaults. */
export interface DialectExample {
  readonly rule: RuleRef;
  readonly direction: Direction;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly messages: readonly Message[];
  /** How each message is printed, where that is not the payload itself. */
  readonly prints?: readonly Uint8Array[];
  readonly at: Place;
}

export interface ExampleContext {
  readonly rules: readonly Rule[];
  /** Rules that could not be compiled; what is said about them is not looked at. */
  readonly broken: ReadonlySet<string>;
  /** What parameters stand as, and what `{gateway}` does. */
  readonly values: Readonly<Record<string, string>>;
  readonly prefix: string | undefined;
  /** The file being compiled; examples inherited for rules that it does not have are left out. */
  readonly file: string;
}

/** Reads `examples: { rule: [{ topic, payload, means, prints }] }`. A rule without an example is blamed. */
export function readExamples(
  node: YamlNode | undefined,
  context: ExampleContext,
  blame: Blame,
): readonly DialectExample[] {
  const { rules, broken, file } = context;
  const entries = node?.kind === "map" ? node.entries : [];
  if (node !== undefined && node.kind !== "map") {
    blame(node.at, `"examples" holds ${describeYaml(node)}, wanted a map from rules to lists`);
  }
  const examples: DialectExample[] = [];
  const shown = new Set<string>();
  for (const { key, at, value } of entries) {
    const rule = rules.find(({ name }) => name === key);
    if (rule === undefined) {
      if (at.file === file && !broken.has(key))
        blame(at, `An example for the unknown rule "${key}", wanted ${oneOf(rules.map(({ name }) => name))}`);
      continue;
    }
    const items = value.kind === "list" ? value.items : [value];
    if (items.length > 0) shown.add(key);
    for (const item of items) {
      const example = readExample(rule, item, context, blame);
      if (example !== undefined) examples.push(example);
    }
  }
  for (const { name, at } of rules) {
    if (!shown.has(name)) blame(at, `The rule "${name}" has no example, wanted one under "examples: ${name}:"`);
  }
  return examples;
}

function readExample(rule: Rule, node: YamlNode, context: ExampleContext, blame: Blame): DialectExample | undefined {
  const fields = fieldsOfMap(
    node,
    `an example for "${rule.name}"`,
    ["topic", "payload", "payload64", "means", "prints"],
    blame,
  );
  if (fields === undefined) return undefined;
  const topic = text(fields.get("topic"), blame);
  if (!fields.has("topic"))
    blame(node.at, `An example for "${rule.name}" without "topic", wanted the topic of a packet`);
  const payload = bytesOf(fields.get("payload"), fields.get("payload64"), blame);
  const means = fields.get("means");
  if (means === undefined)
    blame(node.at, `An example for "${rule.name}" without "means", wanted the message or the messages`);
  if (topic === undefined || payload === undefined || means === undefined) return undefined;
  const listed = means.value.kind === "list" ? means.value.items : [means.value];
  const messages = listed.map((item) => readMessage(rule, item, blame)).filter((message) => message !== undefined);
  if (messages.length !== listed.length) return undefined;
  const [first] = messages;
  const device = first !== undefined && "device" in first ? first.device : undefined;
  const values = {
    ...context.values,
    ...(device === undefined ? { device: context.values["gateway"] ?? "" } : { device }),
  };
  const prints = printsOf(fields.get("prints"), blame);
  return {
    rule: rule.ref,
    direction: rule.direction,
    topic: fillTemplate(
      topic.replaceAll("{prefix}", () => context.prefix ?? ""),
      values,
    ),
    payload,
    messages,
    ...(prints === undefined ? {} : { prints }),
    at: node.at,
  };
}

function bytesOf(plain: YamlEntry | undefined, base64: YamlEntry | undefined, blame: Blame): Uint8Array | undefined {
  if (base64 !== undefined) return plainBytes(Buffer.from(text(base64, blame) ?? "", "base64"));
  if (plain === undefined) return new Uint8Array();
  if (plain.value.kind === "scalar" && typeof plain.value.value === "string")
    return plainBytes(Buffer.from(plain.value.value));
  blame(plain.value.at, `"payload" is ${describeYaml(plain.value)}, wanted the text of a payload in quotes`);
  return undefined;
}

function printsOf(entry: YamlEntry | undefined, blame: Blame): readonly Uint8Array[] | undefined {
  if (entry === undefined) return undefined;
  const items = entry.value.kind === "list" ? entry.value.items : [entry.value];
  return items.flatMap((item) => {
    if (item.kind === "scalar") return [plainBytes(Buffer.from(item.source))];
    blame(item.at, `"prints" is ${describeYaml(item)}, wanted the text of a payload in quotes`);
    return [];
  });
}

/** Reads a message written in YAML: JSON fields as YAML, `body` as text, `body64` as base64. */
function readMessage(rule: Rule, node: YamlNode, blame: Blame): Message | undefined {
  const { variables } = vocabulary[rule.kind];
  const names = fieldsOf(rule.kind);
  const known = names.includes("body") ? [...names, "body64"] : names;
  const fields = fieldsOfMap(node, `a message of kind ${rule.kind}`, known, blame);
  if (fields === undefined) return undefined;
  const message: Record<string, unknown> = { kind: rule.kind };
  for (const [key, { value }] of fields) {
    if (!known.includes(key)) continue;
    if (key === "body64") message["body"] = plainBytes(Buffer.from(sourceOf(value), "base64"));
    else if (key === pointsField) message[key] = readPoints(value);
    else message[key] = readValue(variables[key as keyof typeof variables], value);
  }
  return message as unknown as Message;
}

function readPoints(node: YamlNode): readonly unknown[] {
  const items = node.kind === "list" ? node.items : [node];
  return items.map((item) => {
    const entries = item.kind === "map" ? item.entries : [];
    return Object.fromEntries(
      entries.map(({ key, value }) => [key, key === "ts" ? Number(sourceOf(value)) : jsonTextOf(value)]),
    );
  });
}

function readValue(type: string | undefined, node: YamlNode): unknown {
  switch (type) {
    case "integer":
    case "time":
      return Number(sourceOf(node));
    case "keys":
      return node.kind === "list" ? node.items.map(sourceOf) : [sourceOf(node)];
    case "json":
    case "object":
      return jsonTextOf(node);
    case "bytes":
      return plainBytes(Buffer.from(sourceOf(node)));
    default:
      return sourceOf(node);
  }
}

function sourceOf(node: YamlNode): string {
  return node.kind === "scalar" ? node.source : "";
}

/** JSON of a YAML value, numbers with all their digits. */
export function jsonTextOf(node: YamlNode): JsonText {
  switch (node.kind) {
    case "map":
      return objectText(node.entries.map(({ key, value }) => [key, jsonTextOf(value)] as const));
    case "list":
      return arrayText(node.items.map(jsonTextOf));
    case "scalar":
      return (typeof node.value === "number" ? toJsonText(node.source) : undefined) ?? scalarText(node.value);
  }
}

/** The bytes alone, which print and compare as such. */
function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer);
}
