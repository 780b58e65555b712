import { dirname, isAbsolute, join, resolve } from "node:path";
import { compileDeployment } from "../dialect/deployment/compile-deployment.ts";
import type { Deployment } from "../dialect/deployment/deployment.ts";
import type { Dialect } from "../dialect/dialect.ts";
import { compileNames } from "../gateway/names.ts";
import type { DeviceId } from "../message/message.ts";
import type { Sides } from "./check-ids.ts";
import type { Mistake } from "./mistake.ts";
import type { Section } from "./section.ts";
import { readText, type Source } from "./source.ts";

/** Reads and checks the mapping file that a configuration names. Its mistakes have places in that file. */
export function loadMapping(
  root: Section,
  source: Source,
  sides: Sides,
): {
  readonly deployment: Deployment | undefined;
  readonly files: readonly string[];
  readonly mistakes: readonly Mistake[];
} {
  const path = root.text("mapping");
  if (path === undefined) return { deployment: undefined, files: [], mistakes: [] };
  const file = isAbsolute(path) ? path : join(dirname(source.file), path);
  const files = [resolve(source.folder, path)];
  const read = readText(resolve(source.folder, path));
  if ("fault" in read) {
    root.report(`cannot read "${path}": ${read.fault}`, "mapping");
    return { deployment: undefined, files, mistakes: [] };
  }
  const compiled = compileDeployment({ file, text: read.text });
  if ("mistakes" in compiled) return { deployment: undefined, files, mistakes: compiled.mistakes };
  const { deployment } = compiled;
  const { local, upstream } = sides;
  const mistakes = local === undefined || upstream === undefined ? [] : fitOf(deployment, { local, upstream });
  return { deployment, files, mistakes };
}

/** What in a mapping has no sense between these two clouds. */
export function fitOf(
  { aliases, needsBytes }: Deployment,
  { local, upstream }: { readonly local: Dialect; readonly upstream: Dialect },
): readonly Mistake[] {
  const names = compileNames(upstream.ids);
  const badAliases = aliases.flatMap(({ at, upstream: alias }) => {
    const named = names.toUpstream(alias as DeviceId);
    if ("id" in named && named.id === alias) return [];
    return [{ ...at, message: `"${alias}" is no id in ${upstream.name}, wanted one that it allows` }];
  });
  const isToBytes = local.traits.body === "points" && upstream.traits.body === "bytes";
  const isAcross = local.traits.body !== upstream.traits.body;
  const misplaced = needsBytes.flatMap(({ at, what }) => {
    if (what === "folder" ? isToBytes : isAcross) return [];
    const message = `"${what}" means nothing between ${local.name} and ${upstream.name}, wanted it left out`;
    return [{ ...at, message }];
  });
  return [...badAliases, ...misplaced];
}
