import { type Diagnosis, type KnownCause, type Stage, stages } from "../message/diagnosis.ts";
import { fieldsOfMap, text } from "./fields.ts";
import { type Blame, oneOf } from "./mistake.ts";
import { describeYaml, type YamlEntry, type YamlNode } from "./yaml-tree.ts";

const causeKeys = ["what", "remedy", "source"] as const;

/** Reads `diagnosis`: what may be wrong, and by which answers of the cloud it shows. */
export function readDiagnosis(node: YamlNode | undefined, blame: Blame): Diagnosis {
  const fields = node === undefined ? undefined : fieldsOfMap(node, '"diagnosis"', ["causes", "symptoms"], blame);
  const causes = new Map<string, KnownCause>();
  for (const entry of entriesOf(fields?.get("causes"), blame)) {
    const cause = readCause(entry, blame);
    if (cause !== undefined) causes.set(entry.key, cause);
  }
  const symptoms = new Map<Stage, ReadonlyMap<string, readonly string[]>>();
  for (const entry of entriesOf(fields?.get("symptoms"), blame)) {
    const stage = stages.find((known) => known === entry.key);
    if (stage === undefined) blame(entry.at, `Unknown stage "${entry.key}" in "symptoms", wanted ${oneOf(stages)}`);
    else symptoms.set(stage, readAnswers(entry, causes, blame));
  }
  return { causes, symptoms };
}

function readCause({ key, at, value }: YamlEntry, blame: Blame): KnownCause | undefined {
  const fields = fieldsOfMap(value, `the cause "${key}"`, causeKeys, blame);
  if (fields === undefined) return undefined;
  const missing = causeKeys.filter((name) => !fields.has(name));
  if (missing.length > 0) blame(at, `The cause "${key}" does not say ${oneOf(missing)}, wanted all of them`);
  const [what, remedy, source] = causeKeys.map((name) => text(fields.get(name), blame));
  return what === undefined || remedy === undefined || source === undefined ? undefined : { what, remedy, source };
}

function readAnswers(
  stage: YamlEntry,
  causes: ReadonlyMap<string, KnownCause>,
  blame: Blame,
): ReadonlyMap<string, readonly string[]> {
  return new Map(
    entriesOf(stage, blame).map(({ key, value }) => {
      if (value.kind !== "list") {
        blame(value.at, `The answer "${key}" holds ${describeYaml(value)}, wanted a list of causes, likeliest first`);
        return [key, []];
      }
      const names = value.items.flatMap((item) => {
        const name = item.kind === "scalar" ? item.source : "";
        if (causes.has(name)) return [name];
        blame(item.at, `The answer "${key}" names ${describeYaml(item)}, wanted one of "causes"`);
        return [];
      });
      return [key, names];
    }),
  );
}

function entriesOf(entry: YamlEntry | undefined, blame: Blame): readonly YamlEntry[] {
  if (entry === undefined) return [];
  if (entry.value.kind === "map") return entry.value.entries;
  blame(entry.value.at, `"${entry.key}" holds ${describeYaml(entry.value)}, wanted a map`);
  return [];
}
