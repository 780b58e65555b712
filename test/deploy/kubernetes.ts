import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

/** One object of a cluster. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const root = join(import.meta.dirname, "..", "..");

/** The objects in a file; empty documents are left out. As Kubernetes reads YAML: 1.1, where 0440 is octal. */
export function manifestsIn(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { version: "1.1" }).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/**
 * What the API's types object to in these objects: keys that do not exist, missing ones, values of another type. The objects
 * become literals of those types in a program that is compiled.
 */
export function objectionsTo(manifests: readonly Manifest[]): readonly string[] {
  const lines = manifests.map(({ apiVersion, kind, ...rest }, index) => {
    const group = apiVersion.includes("/") ? apiVersion.replace(/\.k8s\.io\//, "/") : `core/${apiVersion}`;
    const literal = JSON.stringify({ apiVersion, kind, ...rest });
    return `export const m${index}: import("kubernetes-types/${group}").${kind} = ${literal};`;
  });
  const folder = mkdtempSync(join(tmpdir(), "dragoman-manifests-"));
  try {
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "manifests.ts"), lines.join("\n"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--types", "node"];
    execFileSync(process.execPath, [tsc, ...flags, "manifests.ts"], { cwd: folder, encoding: "utf8", stdio: "pipe" });
    return [];
  } catch (error) {
    const { stdout } = error as { readonly stdout?: string };
    if (!stdout) throw error;
    return stdout.trim().split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
