import { fieldsOfMap, text } from "../fields.ts";
import type { MappingSource } from "../mapping-source.ts";
import { type Blame, collectMistakes, type Mistake } from "../mistake.ts";
import { describeYaml, readYaml, type YamlEntry } from "../yaml-tree.ts";
import { checkRules, lossesOf, verifyRules } from "./check-rules.ts";
import type { Deployment, Loss } from "./deployment.ts";
import { readMappingExamples } from "./examples.ts";
import { compileNaming, readNames, verifyNames } from "./name-rules.ts";
import { type MappingRule, readMappingRules } from "./rule.ts";
import { openSession } from "./session.ts";
import { readTelemetry, type TelemetryShape, verifyShape } from "./shape.ts";

const sections = ["mapping", "describe", "names", "rules", "telemetry", "config", "examples"];

/**
 * Compiles a deployment's own mapping file, proves that it can be read both ways where it does not say otherwise, and runs
 * its examples. All mistakes are found at once, each with its place and what was wanted there.
 */
export function compileDeployment({
  file,
  text: source,
}: Pick<MappingSource, "file" | "text">):
  | { readonly deployment: Deployment }
  | { readonly mistakes: readonly Mistake[] } {
  const { blame, found } = collectMistakes();
  const compiled = compile(file, source, blame);
  // What cannot work in the first place has no use for being tried out.
  if (found().length === 0) compiled?.verify();
  const mistakes = found();
  return compiled === undefined || mistakes.length > 0 ? { mistakes } : { deployment: compiled.deployment };
}

interface Compiled {
  readonly deployment: Deployment;
  /** Runs the laws and the examples. */
  readonly verify: () => void;
}

function compile(file: string, source: string, blame: Blame): Compiled | undefined {
  const tree = readYaml(file, source, blame);
  if (tree === undefined) return undefined;
  if (tree.kind !== "map") {
    blame(tree.at, `The file holds ${describeYaml(tree)}, wanted a map that begins with "mapping: NAME"`);
    return undefined;
  }
  const fields = fieldsOfMap(tree, "a mapping file", sections, blame);
  if (fields === undefined) return undefined;
  const name = text(fields.get("mapping"), blame);
  if (!fields.has("mapping")) blame(tree.at, 'The file does not say what it is, wanted "mapping: NAME"');
  const names = readNames(fields.get("names")?.value, blame);
  const rules = readMappingRules(fields.get("rules")?.value, blame);
  const shape = readTelemetry(fields.get("telemetry"), blame);
  const config = readConfig(fields.get("config"), blame);
  const examples = readMappingExamples(fields.get("examples")?.value, blame);
  const describe = text(fields.get("describe"), blame) ?? "";
  const naming = compileNaming(names);
  checkRules(rules, blame);
  const deployment: Deployment = {
    name: name ?? "",
    file,
    source,
    describe,
    ruleCount: names.length + rules.length,
    exampleCount: examples.length,
    losses: lossesIn(rules, shape),
    aliases: names.flatMap(({ at, alias }) => (alias === undefined ? [] : [{ at, upstream: alias.upstream }])),
    needsBytes: bytesIn(rules, shape),
    config,
    open: (memory) => openSession({ naming, rules, shape }, memory),
  };
  return {
    deployment,
    verify: () => {
      verifyNames(names, naming, blame);
      verifyRules(rules, blame);
      if (shape !== undefined) verifyShape(shape, blame);
      for (const example of examples) example.run(deployment, blame);
    },
  };
}

/** Reads `config: { keys, document }`. */
function readConfig(entry: YamlEntry | undefined, blame: Blame): Deployment["config"] {
  const fields = entry && fieldsOfMap(entry.value, '"config"', ["keys", "document"], blame);
  if (fields === undefined) return {};
  const keys = fields.get("keys");
  const listed = keys?.value.kind === "list" ? keys.value.items : [];
  const isList = listed.length > 0 && listed.every((item) => item.kind === "scalar" && item.source !== "");
  if (keys !== undefined && !isList)
    blame(keys.value.at, `"keys" is ${describeYaml(keys.value)}, wanted a list of keys`);
  const document = text(fields.get("document"), blame);
  return {
    ...(isList ? { keys: listed.map((item) => (item.kind === "scalar" ? item.source : "")) } : {}),
    ...(document === undefined ? {} : { document }),
  };
}

function lossesIn(rules: readonly MappingRule[], shape: TelemetryShape | undefined): readonly Loss[] {
  return [
    ...rules.flatMap((rule) => lossesOf(rule).map((what) => ({ what, reason: rule.lossy?.reason ?? "" }))),
    ...(shape?.lossy === undefined ? [] : [{ what: "the time of points", reason: shape.lossy }]),
  ];
}

function bytesIn(rules: readonly MappingRule[], shape: TelemetryShape | undefined): Deployment["needsBytes"] {
  const places = rules.flatMap(({ folder, keys }) => [
    ...(folder === undefined ? [] : [folder.at]),
    ...keys.filter((key) => key.folder !== undefined).map(({ at }) => at),
  ]);
  return [
    ...(shape === undefined ? [] : [{ at: shape.at, what: "shape" }]),
    ...places.map((at) => ({ at, what: "folder" })),
  ];
}
