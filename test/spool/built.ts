import { execFile } from "node:child_process";
import { symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { newFolder } from "./audit-spool.ts";

const root = resolve(import.meta.dirname, "../..");

/** Compiles a program of this folder, so that a process of its own can run it, and gives back its path. */
export async function buildProgram(name: string): Promise<string> {
  const folder = await newFolder();
  const source = join("test", "spool", `${name}.ts`);
  const options = ["--ignoreConfig", "--module", "nodenext", "--target", "es2023", "--types", "node", "--skipLibCheck"];
  const places = ["--rewriteRelativeImportExtensions", "--rootDir", ".", "--outDir", folder];
  await promisify(execFile)(join(root, "node_modules/.bin/tsc"), [source, ...options, ...places], { cwd: root });
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return join(folder, "test", "spool", `${name}.js`);
}
