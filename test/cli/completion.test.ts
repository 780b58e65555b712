import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { complete } from "../../src/cli/completion/complete.ts";
import { createProgram, runProgram } from "../../src/cli/program.ts";
import { dialectNames } from "../dialect/mappings.ts";
import { testIo } from "./test-io.ts";

const twoGateways = "gateways:\n  - { id: gw-01 }\n  - { id: line 2 }\n  - { id: other\n";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-completion-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "dragoman.yaml"), twoGateways);
  return folder;
}

/** What the last word, between bars, could become. */
function completed(...words: readonly string[]): readonly string[] {
  return complete(createProgram(testIo()), words).map(({ value }) => value);
}

describe("complete()", () => {
  test("knows commands, and those below them", () => {
    expect(completed("st")).toEqual(["status"]);
    expect(completed("")).toEqual(expect.arrayContaining(["run", "check", "help"]));
    expect(completed("")).not.toContain("__complete");
    expect(completed("spool", "re")).toEqual(["retry"]);
    expect(complete(createProgram(testIo()), ["spool", "re"])[0]?.about).toMatch(/^try messages again/);
  });

  test("knows options, their choices and dialects", () => {
    expect(completed("status", "--j")).toEqual(["--json"]);
    expect(completed("translate", "--from", "google", "--to", "")).toEqual([...dialectNames].sort());
    expect(completed("init", "--yes", "--local", "th")).toEqual(["thingsboard"]);
    expect(completed("completion", "")).toEqual(["bash", "zsh", "fish"]);
  });

  test("asks the shell for files where one is wanted", () => {
    expect(completed("check", "")).toEqual([":files"]);
    expect(completed("check", "one.yaml", "")).toEqual([":files"]);
    expect(completed("run", "one.yaml", "")).toEqual([]);
    expect(completed("translate", "--config", "dra")).toEqual([":files"]);
  });

  test("knows the gateways of the configuration that the line names, right or wrong as it may be", () => {
    const file = join(newFolder(), "dragoman.yaml");
    expect(completed("token", file, "--gateway", "")).toEqual(["gw-01", "line 2", "other"]);
    expect(completed("translate", "--config", file, "--gateway", "gw")).toEqual(["gw-01"]);
    expect(completed("token", "nowhere.yaml", "--gateway", "")).toEqual([]);
  });
});

describe("completion bash", () => {
  test("prints a script with which bash completes", async () => {
    const folder = newFolder();
    const io = testIo();
    expect(await runProgram(["completion", "bash"], io)).toBe(0);
    writeFileSync(join(folder, "completion.sh"), io.out());
    // Answers what the program would, were it installed.
    const answer = complete(createProgram(testIo()), ["token", join(folder, "dragoman.yaml"), "--gateway", ""]);
    const lines = answer.map(({ value, about }) => `${value}\\t${about}\\n`).join("");
    writeFileSync(
      join(folder, "dragoman"),
      `#!/bin/sh\n[ "$*" = "__complete -- token --gateway " ] && printf '${lines}'\n`,
    );
    chmodSync(join(folder, "dragoman"), 0o755);
    const script = `. ./completion.sh; COMP_WORDS=(dragoman token --gateway ""); COMP_CWORD=3; _dragoman; printf '%s|' "\${COMPREPLY[@]}"; complete -p dragoman`;
    const out = execFileSync("bash", ["--norc", "-c", script], {
      cwd: folder,
      env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
      encoding: "utf8",
    });
    expect(out).toBe("gw-01|line\\ 2|other|complete -F _dragoman dragoman\n");
  });

  test("has a script for each shell that it names, and for no other", async () => {
    for (const shell of ["zsh", "fish"]) {
      const io = testIo();
      expect(await runProgram(["completion", shell], io)).toBe(0);
      expect(io.out()).toContain("dragoman __complete -- ");
    }
    expect(await runProgram(["completion", "cmd"], testIo())).toBe(2);
  });
});
