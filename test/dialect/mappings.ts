import { readdirSync, readFileSync } from "node:fs";
import { compileDialect, type MappingSource } from "../../src/dialect/compile.ts";
import type { BoundDialect, Dialect } from "../../src/dialect/dialect.ts";

const folder = new URL("../../mappings/", import.meta.url);

/** The mapping files of the package, named by themselves in mistakes. */
export const mappingFiles: readonly MappingSource[] = readdirSync(folder)
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => ({ name: file.replace(".yaml", ""), file, text: readFileSync(new URL(file, folder), "utf8") }));

export const dialectNames = ["thingsboard", "google", "clearblade", "omnicore"] as const;
export type DialectName = (typeof dialectNames)[number];

const compiledBefore = new Map<DialectName, Dialect>();

/** A dialect of the package; one that does not compile fails the test that asks for it. */
export function dialectNamed(name: DialectName): Dialect {
  const before = compiledBefore.get(name);
  if (before !== undefined) return before;
  const compiled = compileDialect(name, mappingFiles);
  if ("dialect" in compiled) {
    compiledBefore.set(name, compiled.dialect);
    return compiled.dialect;
  }
  throw new Error(
    compiled.mistakes.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join("\n"),
  );
}

/** The identities that the vectors use. */
export const identities = {
  gateway: "gw-01",
  project: "acme-iot",
  location: "us-central1",
  registry: "plant-1",
  subscription: "sub-77",
};

export function boundNamed(name: DialectName): BoundDialect {
  return dialectNamed(name).bind(identities);
}
