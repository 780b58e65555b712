import { formatMistake } from "../config/mistake.ts";
import { type Config, type Loaded, loadConfig } from "../config.ts";
import type { Io } from "./io.ts";
import { withProgress } from "./progress.ts";

/** What commands read where no file is named. */
export const defaultFile = "dragoman.yaml";

/** Reads the configuration as `loadConfig` does, and shows how far it is. */
export function loadShowing(file: string, io: Io): Promise<Loaded> {
  return withProgress(io, "checking gateways", (progress) => loadConfig(file, { env: io.env, progress }));
}

/** Reads the configuration for a command; tells every mistake on stderr and gives nothing where there are some (exit 2). */
export async function configFor(file: string, io: Io): Promise<Config | undefined> {
  return (await loadedFor(file, io))?.config;
}

/** The same with the files that it came from. */
export async function loadedFor(
  file: string,
  io: Io,
): Promise<Extract<Loaded, { readonly config: Config }> | undefined> {
  const loaded = await loadShowing(file, io);
  if ("config" in loaded) return loaded;
  for (const mistake of loaded.mistakes) io.stderr.write(`${formatMistake(mistake)}\n`);
  return undefined;
}
