import { bindDialect } from "./bind.ts";
import { readDiagnosis } from "./diagnosis.ts";
import type { Dialect, DialectParameter } from "./dialect.ts";
import { readExamples } from "./examples.ts";
import { fieldsOfMap, text } from "./fields.ts";
import { readListener } from "./listener.ts";
import { type MappingSource, readMapping } from "./mapping-source.ts";
import { type Blame, collectMistakes, type Mistake, oneOf } from "./mistake.ts";
import { orderRules } from "./order-rules.ts";
import { readConversions, readRules } from "./read-rules.ts";
import { compileRule, type Rule, type RuleText } from "./rule.ts";
import {
  readConnection,
  readIds,
  readLimits,
  readParameters,
  readReconnects,
  readRetries,
  readTraits,
} from "./settings.ts";
import { sharedTopics } from "./shared-topics.ts";
import { type ValueType, vocabulary } from "./vocabulary.ts";
import type { YamlMap, YamlNode } from "./yaml-tree.ts";

export type { MappingSource } from "./mapping-source.ts";
export type { Mistake } from "./mistake.ts";

const sections = [
  "dialect",
  "extends",
  "describe",
  "sources",
  "parameters",
  "connection",
  "listener",
  "prefix",
  "ids",
  "traits",
  "limits",
  "convert",
  "messages",
  "errors",
  "reconnects",
  "diagnosis",
  "examples",
];

/**
 * Compiles the mapping called `name` into plain functions; nothing of it is parsed again later.
 *
 * `extends` is looked up in `sources`. All mistakes are found at once, each with its place and what was wanted there.
 */
export function compileDialect(
  name: string,
  sources: readonly MappingSource[],
): { readonly dialect: Dialect } | { readonly mistakes: readonly Mistake[] } {
  const { blame, found } = collectMistakes();
  const tree = readMapping(name, sources, blame);
  const file = sources.find((source) => source.name === name)?.file ?? name;
  const dialect = tree && compileTree(name, file, tree, blame);
  const mistakes = found();
  return dialect === undefined || mistakes.length > 0 ? { mistakes } : { dialect };
}

function compileTree(name: string, file: string, tree: YamlMap, blame: Blame): Dialect | undefined {
  const fields = fieldsOfMap(tree, "a mapping file", sections, blame);
  if (fields === undefined) return undefined;
  const section = (key: string): YamlNode | undefined => fields.get(key)?.value;
  for (const key of ["connection", "traits", "messages"]) {
    if (!fields.has(key)) blame(tree.at, `The mapping has no "${key}", wanted that section`);
  }

  const declared = readParameters(section("parameters"), blame);
  const names = declared.map((parameter) => parameter.name);
  const used = new Set<string>();
  const connection = fields.has("connection")
    ? readConnection(
        section("connection") ?? tree,
        (parameter, { key, value }) => {
          used.add(parameter);
          if (parameter === "gateway" || names.includes(parameter)) return;
          blame(value.at, `Unknown name "{${parameter}}" in "${key}", wanted ${oneOf(["gateway", ...names])}`);
        },
        blame,
      )
    : undefined;
  checkConversions(section("convert"), blame);
  const prefix = text(fields.get("prefix"), blame);
  const messages = section("messages");
  const convert = section("convert");
  const context = { parameters: names, prefix, convert };
  const { rules: texts, broken } =
    messages === undefined ? { rules: [], broken: new Set<string>() } : readRules(messages, context, blame);
  for (const parameter of parametersIn(texts)) used.add(parameter);

  const parameters: DialectParameter[] = [];
  for (const { at, ...parameter } of declared) {
    if (used.has(parameter.name)) parameters.push(parameter);
    // An inherited parameter may have lost its use; one of this file must have one.
    else if (at.at.file === file)
      blame(
        at.at,
        `The parameter "${parameter.name}" is used nowhere, wanted "{${parameter.name}}" in a topic or in "connection"`,
      );
  }

  const ordered = orderRules(texts, blame);
  const compiled = ordered.map(({ rule, before }) => compileRule(rule, before));
  const values = {
    gateway: "gateway",
    ...Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.default ?? parameter.name])),
  };
  const traits = fields.has("traits") ? readTraits(section("traits") ?? tree, blame) : undefined;
  const listener = readListener(section("listener"), blame);
  if (connection?.credentials === "jwt" && !fields.has("listener")) {
    blame(tree.at, 'The mapping has no "listener", wanted that section beside "credentials: jwt"');
  }
  const settings = {
    ids: readIds(section("ids"), blame),
    limits: readLimits(section("limits"), blame),
    retries: readRetries(section("errors"), blame),
    reconnects: readReconnects(section("reconnects"), blame),
    diagnosis: readDiagnosis(section("diagnosis"), blame),
    examples: readExamples(section("examples"), { rules: compiled, broken, values, prefix, file }, blame),
    describe: text(fields.get("describe"), blame) ?? "",
  };
  if (connection === undefined || traits === undefined) return undefined;
  const shared = { inOrder: inOrder(texts, compiled), topics: sharedTopics(compiled) };
  const dialect: Dialect = {
    name,
    file,
    parameters,
    traits,
    connection,
    ...(listener === undefined ? {} : { listener }),
    rules: compiled,
    ...settings,
    bind: (given) => bindDialect(dialect, { ...values, ...given }, shared),
  };
  return dialect;
}

/** The rules as the file has them: that is the order in which a message tries them. */
function inOrder(texts: readonly RuleText[], compiled: readonly Rule[]): readonly Rule[] {
  return texts.flatMap(({ name }) => compiled.filter((rule) => rule.name === name));
}

function parametersIn(rules: readonly RuleText[]): readonly string[] {
  return rules.flatMap(({ topic, granted }) =>
    [topic, ...granted].flatMap(({ levels }) =>
      levels.flatMap((level) => (level.kind === "parameter" ? [level.name] : [])),
    ),
  );
}

/** A `convert` for the whole file holds for every rule that has the variable. */
function checkConversions(node: YamlNode | undefined, blame: Blame): void {
  const variables: Record<string, ValueType> = Object.assign(
    {},
    ...Object.values(vocabulary).map((words) => words.variables),
  );
  readConversions(node, variables, blame, true);
}
