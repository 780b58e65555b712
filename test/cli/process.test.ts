import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { configText, createWorkspace, tokenFile } from "../config/workspace.ts";

const root = join(import.meta.dirname, "..", "..");
let installed: string;

beforeAll(() => {
  installed = mkdtempSync(join(tmpdir(), "dragoman-installed-"));
  const outDir = join(installed, "dist");
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", outDir], {
    stdio: "inherit",
  });
  for (const name of ["package.json", "mappings"]) cpSync(join(root, name), join(installed, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"));
});

afterAll(() => rmSync(installed, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function dragoman(args: readonly string[], options: { readonly cwd: string; readonly stdin?: string }): Promise<Ended> {
  return new Promise((resolve) => {
    const main = join(installed, "dist", "main.js");
    const child = execFile(process.execPath, [main, ...args], { cwd: options.cwd }, (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
    });
    child.stdin?.end(options.stdin ?? "");
  });
}

test("the built program finds its version and mappings, and ends with the command's exit code", async () => {
  const cwd = createWorkspace({ ...tokenFile, "dragoman.yaml": configText(), "bad.yaml": configText({ spol: "{}" }) });
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  expect(await dragoman(["--version"], { cwd })).toEqual({ code: 0, out: `${version}\n`, err: "" });
  expect(await dragoman(["check"], { cwd })).toMatchObject({ code: 0, err: "" });
  expect(await dragoman(["check", "bad.yaml"], { cwd })).toEqual({
    code: 2,
    out: 'bad.yaml:4:1: spol: unknown key, did you mean "spool"?\n',
    err: "dragoman: found 1 mistake\n",
  });
  expect(await dragoman(["run", "no.yaml"], { cwd })).toEqual({
    code: 2,
    out: "",
    err: 'no.yaml:1:1: cannot read "no.yaml": no such file; "dragoman init" writes a first configuration\n',
  });
});

test("a token goes through a pipe from one process to another", async () => {
  const cwd = createWorkspace({ ...tokenFile, "dragoman.yaml": configText() });
  const made = await dragoman(["token"], { cwd });
  expect(made).toMatchObject({ code: 0, err: "" });
  const inspected = await dragoman(["token", "--inspect", "-"], { cwd, stdin: made.out });
  expect(inspected).toMatchObject({ code: 0, out: expect.stringContaining("nothing to object to") });
});

test("a reader that goes away is no failure", async () => {
  const cwd = createWorkspace({});
  writeFileSync(join(cwd, "piped.sh"), `"$1" "$2" schema | head -c 10\necho " $?"\n`);
  const out = execFileSync(
    "bash",
    ["-o", "pipefail", "piped.sh", process.execPath, join(installed, "dist", "main.js")],
    {
      cwd,
      encoding: "utf8",
    },
  );
  expect(out).toBe('{\n  "$sche 0\n');
});

test("a log file on a disk that takes nothing does not end the program, and what waited is written later", async () => {
  const attempts = createServer((socket) => socket.destroy());
  attempts.listen(0, "127.0.0.1");
  await once(attempts, "listening");
  onTestFinished(() => void attempts.close());
  const { port } = attempts.address() as { port: number };
  const cwd = createWorkspace({
    ...tokenFile,
    "dragoman.yaml": configText({
      local: '{ dialect: thingsboard, listen: ["mqtt://127.0.0.1:0"] }',
      upstream: `{ dialect: thingsboard, url: "mqtt://127.0.0.1:${port}" }`,
      gateways: "[{ id: gw-01, local: { token: file:token }, upstream: { token: file:token } }]",
      spool: "{ directory: memory }",
      admin: "false",
    }),
  });
  const log = join(cwd, "log");
  const main = join(installed, "dist", "main.js");
  const child = spawn(process.execPath, [main, "run"], { cwd, stdio: ["ignore", "ignore", openSync(log, "w")] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const limitFiles = (bytes: string) => execFileSync("prlimit", ["--pid", String(child.pid), `--fsize=${bytes}:`]);
  const lines = () => readFileSync(log, "utf8").split("\n").length;
  await expect.poll(() => readFileSync(log, "utf8"), { timeout: 60_000 }).toContain('"ready"');

  limitFiles("0");
  // Between two attempts the end of the first is logged.
  for (let attempt = 0; attempt < 2; attempt++) await once(attempts, "connection");
  const before = lines();
  limitFiles("unlimited");
  await expect.poll(lines, { timeout: 60_000 }).toBeGreaterThan(before + 1);
  expect(child.exitCode).toBeNull();
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});
