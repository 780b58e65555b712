import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { commandsOf, manual, nameOf } from "../../src/cli/manual.ts";
import { createProgram, runProgram } from "../../src/cli/program.ts";
import { testIo } from "./test-io.ts";

const commands = commandsOf(createProgram(testIo()));

describe("the help of every command", () => {
  test.each(commands.map((command) => [nameOf(command), command] as const))("%s", async (name, command) => {
    const io = testIo();
    expect(await runProgram([...name.split(" ").slice(1), "--help"], io)).toBe(0);
    const help = io.out();
    expect(help).toMatch(`Usage: ${name} `);
    expect(command.description()).toMatch(/^.{20,}[^.]$|^A bridge between .*\.$/);
    for (const option of command.options) expect(option.description).toMatch(/^.{5,}[^.]$/);
    // What "manual()" in src/cli/manual.ts lays out: examples of this command, then what it ends with.
    expect(help).toMatch(/\n\nExamples:\n( {2}\$ .+\n)/);
    expect(help).toContain(`  $ ${name}`);
    expect(help).toMatch(/\n\nExit codes:\n( {2}\d {2}.+\n)+$/);
  });
});

describe("manual()", () => {
  test("lines up what examples are for", () => {
    expect(manual({ notes: "Note.", examples: [["a", "one"], "bcdef", ["gh", "two"]], exitCodes: { 0: "ok" } })).toBe(
      "\nNote.\n\nExamples:\n  $ a   # one\n  $ bcdef\n  $ gh  # two\n\nExit codes:\n  0  ok",
    );
  });
});

test("docs/cli.md is what dragoman manual prints; npm run docs writes it", async () => {
  const io = testIo();
  expect(await runProgram(["manual"], io)).toBe(0);
  expect(readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8")).toBe(io.out());
});
