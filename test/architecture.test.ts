import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const src = join(root, "src");
const parts = ["dialect", "gateway", "spool", "local", "upstream"];
const shared = ["message", "errors.ts"];
/** The two that speak MQTT share how its packets look. */
const wired = ["local", "upstream"];

/** What each place in `src/` may import from other places in it. Absent: anything. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  message: [],
  "errors.ts": [],
  mqtt: ["message"],
  ...Object.fromEntries(parts.map((part) => [part, wired.includes(part) ? [...shared, "mqtt"] : shared])),
  admin: shared,
  // Types only, of what the admin server answers; what it shares beyond that is words.
  page: [...shared, "admin"],
  // The exam must not be written by whom it examines.
  cloud: shared,
};

/** Node modules that do I/O, read a clock or draw random numbers. */
const impureModules =
  /^(node:)?(fs|net|tls|http|https|dns|dgram|child_process|worker_threads|timers|os|process|crypto|perf_hooks)(\/|$)/;
// `new Date(ms)` reads no clock, `new Date()` does.
const impureNames =
  /\b(Date\.now|new Date\b(?!\(\w)|Math\.random|setTimeout|setInterval|setImmediate|performance\.now|process\.|console\.)/;

test("imports in src/ point down, and parts do not import each other", async () => {
  const offences: string[] = [];
  for (const file of await sources()) {
    const place = placeOf(file);
    for (const target of await importsOf(file)) {
      if (!target.startsWith(".")) continue;
      const imported = placeOf(resolve(dirname(file), target));
      if (imported === place || (allowed[place] ?? [imported]).includes(imported)) continue;
      offences.push(`${relative(root, file)} imports ${target}`);
    }
  }
  expect(offences).toEqual([]);
});

test("the page takes only types from the server", async () => {
  const offences: string[] = [];
  for (const file of await sources()) {
    if (placeOf(file) !== "page") continue;
    const code = stripComments(await readFile(file, "utf8"));
    if (/import (?!type)[^;]*"\.\.\/admin\//.test(code)) offences.push(relative(root, file));
  }
  expect(offences).toEqual([]);
});

test("only the composition knows all the parts", async () => {
  const composing = new Set<string>();
  for (const file of await sources()) {
    const known = new Set(
      (await importsOf(file))
        .filter((target) => target.startsWith("."))
        .map((target) => placeOf(resolve(dirname(file), target))),
    );
    if (parts.every((part) => known.has(part))) composing.add(relative(src, file));
  }
  const allowedPlaces = ["bridge", "bridge.ts", "config", "config.ts"];
  expect([...composing].filter((file) => !allowedPlaces.includes(file.split("/")[0] as string))).toEqual([]);
});

test("dialect/ and gateway/ are pure", async () => {
  const offences: string[] = [];
  for (const file of await sources()) {
    if (!["dialect", "gateway"].includes(placeOf(file))) continue;
    const code = stripComments(await readFile(file, "utf8"));
    if ((await importsOf(file)).some((target) => impureModules.test(target)) || impureNames.test(code)) {
      offences.push(relative(root, file));
    }
  }
  expect(offences).toEqual([]);
});

async function sources(): Promise<readonly string[]> {
  const names = await readdir(src, { recursive: true });
  return names.filter((name) => /\.tsx?$/.test(name)).map((name) => join(src, name));
}

async function importsOf(file: string): Promise<readonly string[]> {
  const code = stripComments(await readFile(file, "utf8"));
  return [...code.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] as string);
}

/** The folder of `src/` a file is in, or its name where it stands in `src/` itself. */
function placeOf(file: string): string {
  return relative(src, file).split("/")[0] as string;
}

function stripComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/[^\n]*/g, " ");
}
