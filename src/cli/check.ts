import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { isMap, isScalar, parseDocument } from "yaml";
import { formatMistake, type Mistake } from "../config/mistake.ts";
import { compileDeployment } from "../dialect/deployment/compile-deployment.ts";
import type { Deployment } from "../dialect/deployment/deployment.ts";
import type { MappingSource } from "../dialect/mapping-source.ts";
import { builtInMappings, libraryOf } from "../mappings.ts";
import type { Io } from "./io.ts";
import { defaultFile, loadShowing } from "./load.ts";
import { manual } from "./manual.ts";

/** Adds `dragoman check`: tells every mistake in configuration and mapping files. */
export function addCheckCommand(program: Command, io: Io): void {
  program
    .command("check")
    .description("tell every mistake in configuration and mapping files; opens no port, makes no connection")
    .argument("[file...]", "configuration or mapping files", [defaultFile])
    .addHelpText(
      "after",
      manual({
        notes: "Mistakes are printed as file:line:column: message, all of them at once.",
        examples: [
          "dragoman check",
          ["dragoman check dragoman.yaml mappings/plant.yaml", "with a mapping of your own, its examples and laws"],
        ],
        exitCodes: { 0: "no mistakes", 2: "mistakes, or wrong use" },
      }),
    )
    .action(async (files: readonly string[]) => {
      io.exitCode = await check(files, io);
    });
}

/** Checks each file and prints one line for each that is right, or a line for each mistake. */
export async function check(files: readonly string[], io: Io): Promise<number> {
  const mappings = files.flatMap((file) => mappingIn(file, "dialect") ?? []);
  const told = new Set<string>(); // a mapping may be named here and by a configuration
  for (const file of new Set(files)) {
    const mapping = mappings.find((candidate) => candidate.file === file);
    const own = mappingIn(file, "mapping");
    const outcome =
      mapping !== undefined
        ? checkMapping(mapping, mappings)
        : own !== undefined
          ? checkDeployment(own)
          : await checkConfig(file, io);
    if (typeof outcome === "string") io.stdout.write(`${file}: ok, ${outcome}\n`);
    else {
      for (const line of outcome.map(formatMistake)) {
        if (!told.has(line)) io.stdout.write(`${line}\n`);
        told.add(line);
      }
    }
  }
  const count = told.size;
  if (count > 0) io.stderr.write(`dragoman: found ${count === 1 ? "1 mistake" : `${count} mistakes`}\n`);
  return count === 0 ? 0 : 2;
}

async function checkConfig(file: string, io: Io): Promise<string | readonly Mistake[]> {
  const loaded = await loadShowing(file, io);
  if ("mistakes" in loaded) return loaded.mistakes;
  const { local, upstream, gateways, mapping } = loaded.config;
  const many = gateways.length === 1 ? "1 gateway" : `${gateways.length} gateways`;
  const pair = `${many} from ${local.dialect.name} to ${upstream.dialect.name} at ${upstream.url}`;
  return mapping === undefined ? pair : `${pair}, ${describeDeployment(mapping)}`;
}

/** A deployment's own mapping by itself: whether it fits a pair of clouds, the configuration that names it tells. */
function checkDeployment(source: MappingSource): string | readonly Mistake[] {
  const compiled = compileDeployment(source);
  return "mistakes" in compiled ? compiled.mistakes : describeDeployment(compiled.deployment);
}

function describeDeployment({ name, ruleCount, exampleCount, losses }: Deployment): string {
  const lost = losses.map(({ what, reason }) => `${what} (${reason})`).join("; ");
  return `mapping ${name}, ${counted(ruleCount, "rule")}, ${counted(exampleCount, "example")}, ${
    lost === "" ? "nothing is lost" : `lost on purpose: ${lost}`
  }`;
}

function counted(many: number, what: string): string {
  return many === 1 ? `1 ${what}` : `${many} ${what}s`;
}

/** A mapping file may extend those of the package and the others that are checked with it. */
function checkMapping(mapping: MappingSource, mappings: readonly MappingSource[]): string | readonly Mistake[] {
  const own = [mapping, ...mappings.filter(({ name }) => name !== mapping.name)];
  const others = builtInMappings().filter(({ name }) => !own.some((source) => source.name === name));
  const compiled = libraryOf([...own, ...others]).load(mapping.name);
  if (compiled === undefined || "mistakes" in compiled) return compiled?.mistakes ?? [];
  const { name, examples } = compiled.dialect;
  return `dialect ${name}, ${examples.length} examples`;
}

/** The file as a mapping, if it is one: it says which dialect, or which mapping, it is, and has no sides. */
function mappingIn(file: string, key: "dialect" | "mapping"): MappingSource | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  // Plain to see without parsing, which takes a second for ten thousand gateways.
  if (/^(?:local|upstream|gateways) *:/m.test(text)) return undefined;
  const { contents } = parseDocument(text, { uniqueKeys: false });
  if (!isMap(contents) || contents.has("local") || contents.has("upstream") || contents.has("gateways"))
    return undefined;
  const name = contents.get(key, true);
  return isScalar(name) && typeof name.value === "string" ? { name: name.value, file, text } : undefined;
}
