import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Waits between attempts to connect, in place of the vendors' 1 to 64 s and of minutes after a refusal. */
const quickReconnects = `reconnects:
  default: { first: 50ms, cap: 50ms, jitter: 50ms }
  token-expired: { first: 0s, cap: 0s, jitter: 50ms }
  elimination: { first: 50ms, cap: 50ms, jitter: 50ms }
`;

/** The section of a mapping file, up to the next line that is not indented. */
const reconnects = /^reconnects:\n(?: .*\n)+/m;

/**
 * Copies the built program to a folder, with mappings that differ in one thing: how long it waits before it connects again.
 *
 * @param root Folder of the project, with `dist/` built.
 * @returns What to run with Node.
 */
export function copyProgram(root: string, folder: string): string {
  for (const name of ["dist", "mappings", "package.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const name of readdirSync(join(folder, "mappings"))) {
    const file = join(folder, "mappings", name);
    writeFileSync(file, readFileSync(file, "utf8").replace(reconnects, quickReconnects));
  }
  return join(folder, "dist", "main.js");
}
