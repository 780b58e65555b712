import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { logEvents } from "../../src/message/log.ts";

const source = new URL("../../src/", import.meta.url);

test("docs/logs.md has every event of the log with its levels, once, and no other", () => {
  const text = readFileSync(new URL("../../docs/logs.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `([a-z0-9-]+)` \| ([a-z, ]+) \|[^|]*\| [^|]+ \|$/gm)];
  const documented = rows.map(([, event, levels]) => `${event}: ${levels}`);
  const known = Object.entries(logEvents).map(([event, levels]) => `${event}: ${levels.join(", ")}`);
  expect(documented.sort()).toEqual(known.sort());
});

test("logEvents names nothing that no code logs", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" });
  const code = files
    .filter((name) => name.endsWith(".ts") && name !== "message/log.ts")
    .map((name) => readFileSync(new URL(name, source), "utf8"))
    .join("\n");
  expect(Object.keys(logEvents).filter((event) => !code.includes(`"${event}"`))).toEqual([]);
});
