import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openLog } from "../../src/cli/log.ts";
import { report, runProgram } from "../../src/cli/program.ts";
import { DragomanError } from "../../src/errors.ts";
import { Secret } from "../../src/message/secret.ts";
import { testIo } from "./test-io.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

async function run(...args: readonly string[]) {
  const io = testIo();
  const code = await runProgram(args, io);
  return { code, out: io.out(), err: io.err() };
}

describe("runProgram()", () => {
  test("prints the version", async () => {
    expect(await run("--version")).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  test("explains itself and each command on stdout", async () => {
    const { code, out, err } = await run("--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^Usage: dragoman \[options\] \[command\]\n/);
    const commands = [...out.matchAll(/^ {2}([a-z]+) .*/gm)].map((match) => match[1] ?? "");
    expect(commands).toEqual(expect.arrayContaining(["check", "token", "schema", "status", "help"]));
    for (const command of commands.filter((name) => name !== "help")) {
      const asked = await run("help", command);
      expect(asked).toEqual(await run(command, "--help"));
      expect(asked).toEqual({ code: 0, out: expect.stringMatching(`^Usage: dragoman ${command} `), err: "" });
    }
  });

  test("without a command explains itself on stderr, and ends with 2", async () => {
    const { code, out, err } = await run();
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(/^Usage: dragoman /);
  });

  test("tells usage mistakes in a line or two, and ends with 2", async () => {
    expect(await run("chek")).toEqual({
      code: 2,
      out: "",
      err: `dragoman: unknown command 'chek'\n(Did you mean check?)\n("dragoman --help" lists the commands)\n`,
    });
    expect(await run("check", "--fast")).toEqual({
      code: 2,
      out: "",
      err: `dragoman: unknown option '--fast'\n("dragoman --help" lists the commands)\n`,
    });
    expect(await run("help", "chek")).toMatchObject({ code: 2, out: "" });
  });
});

describe("report()", () => {
  const cases = [
    [
      new DragomanError("ERR_LISTEN", "Cannot listen on x: taken"),
      1,
      "dragoman: Cannot listen on x: taken (ERR_LISTEN, see docs/errors.md)\n",
    ],
    [new DragomanError("ERR_USAGE", "Cannot do this"), 2, "dragoman: Cannot do this\n"],
    [
      new TypeError("x is not a function"),
      1,
      "dragoman: internal error: x is not a function (a defect of dragoman; DRAGOMAN_DEBUG=1 shows where)\n",
    ],
    ["thrown", 1, "dragoman: internal error: thrown (a defect of dragoman; DRAGOMAN_DEBUG=1 shows where)\n"],
  ] as const;

  test.each(cases)("tells %s in one line without a stack", (error, code, text) => {
    const io = testIo();
    expect(report(error, io)).toBe(code);
    expect(io.err()).toBe(text);
  });

  test("adds the stack where it is asked for", () => {
    const io = testIo({ env: { DRAGOMAN_DEBUG: "1" } });
    report(new TypeError("x is not a function"), io);
    expect(io.err()).toContain("program.test.ts");
  });
});

describe("openLog()", () => {
  test("writes JSON lines to stderr, with the code of an error, no stack and no secret", () => {
    const io = testIo();
    const log = openLog({ level: "info" }, io);
    const cause = new Error("EACCES");
    log.debug({}, "not this");
    log.info({ token: new Secret("hunter2") }, "ready");
    log.error({ err: new DragomanError("ERR_LISTEN", "Cannot listen", { cause }) }, "failed");
    const lines = io.err().trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { level: "info", time: expect.stringMatching(/^\d{4}-.*Z$/), token: "[secret]", msg: "ready" },
      {
        level: "error",
        time: expect.any(String),
        err: { code: "ERR_LISTEN", message: "Cannot listen", cause: "EACCES" },
        msg: "failed",
      },
    ]);
    expect(io.out()).toBe("");
  });

  test("writes text for people where stderr is a terminal", () => {
    const io = testIo();
    const written: string[] = [];
    const terminal = { isTTY: true, write: (text: string) => written.push(text) };
    openLog({ level: "info" }, { ...io, stderr: terminal }).info({ gateway: "gw-01" }, "gateway-connected");
    expect(written.join("")).toContain("gateway-connected");
    expect(() => JSON.parse(written.join(""))).toThrow();
  });
});
