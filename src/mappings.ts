import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileDialect } from "./dialect/compile.ts";
import type { Dialect } from "./dialect/dialect.ts";
import type { MappingSource } from "./dialect/mapping-source.ts";
import { verifyDialect } from "./dialect/verify.ts";
import { DragomanError } from "./errors.ts";

export type { MappingSource } from "./dialect/mapping-source.ts";

/** A dialect, or every mistake that keeps its mapping file from being one. */
export type CompiledDialect = ReturnType<typeof compileDialect>;

/** The dialects a configuration may name. */
export interface DialectLibrary {
  readonly names: readonly string[];
  /** Compiles and verifies the dialect once and then remembers it; nothing where there is none of this name. */
  load(name: string): CompiledDialect | undefined;
}

let builtIn: DialectLibrary | undefined;

/** The dialects that come with the package. */
export function builtInDialects(): DialectLibrary {
  builtIn ??= libraryOf(builtInMappings());
  return builtIn;
}

/** The dialect of this name that comes with the package, where there is one and its mapping is right. */
export function builtInDialect(name: string): Dialect | undefined {
  const compiled = builtInDialects().load(name);
  return compiled !== undefined && "dialect" in compiled ? compiled.dialect : undefined;
}

/**
 * The dialect of this name that comes with the package.
 *
 * @throws {DragomanError} `ERR_USAGE` when there is none.
 */
export function dialectNamed(name: string): Dialect {
  const { names, load } = builtInDialects();
  const compiled = load(name);
  if (compiled === undefined) {
    throw new DragomanError("ERR_USAGE", `Cannot find dialect "${name}": wanted one of ${names.join(", ")}`);
  }
  if ("dialect" in compiled) return compiled.dialect;
  const [first] = compiled.mistakes;
  throw new DragomanError(
    "ERR_MAPPING_INVALID",
    `Cannot compile dialect "${name}": ${first?.file}:${first?.line}: ${first?.message}`,
  );
}

/** The mapping files that come with the package: its `mappings/` folder, beside both `src/` and `dist/`. */
export function builtInMappings(): readonly MappingSource[] {
  const folder = new URL("../mappings/", import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => {
      const url = new URL(name, folder);
      return { name: name.slice(0, -".yaml".length), file: fileURLToPath(url), text: readFileSync(url, "utf8") };
    });
}

/** The dialects of these mapping files. */
export function libraryOf(sources: readonly MappingSource[]): DialectLibrary {
  const compiled = new Map<string, CompiledDialect>();
  const names = sources.map(({ name }) => name);
  return {
    names,
    load(name) {
      if (!names.includes(name)) return undefined;
      const known = compiled.get(name) ?? compileAndVerify(name, sources);
      compiled.set(name, known);
      return known;
    },
  };
}

function compileAndVerify(name: string, sources: readonly MappingSource[]): CompiledDialect {
  const compiled = compileDialect(name, sources);
  if (!("dialect" in compiled)) return compiled;
  const mistakes = verifyDialect(compiled.dialect);
  return mistakes.length === 0 ? compiled : { mistakes };
}
