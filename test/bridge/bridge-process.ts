import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFailed, onTestFinished } from "vitest";
import type { LedgerDocument } from "../../src/admin/ledger.ts";
import { createFeed, type Feed } from "./feed.ts";
import type { LogLine } from "./harness.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** `dragoman run` as a user starts it, with the built program. */
export interface BridgeProcess {
  /** Where gateways connect. */
  readonly url: string;
  readonly admin: string;
  readonly log: Feed<LogLine>;
  /** Everything it has written, standard output and standard error. */
  text(): string;
  ledger(): Promise<LedgerDocument>;
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end; gives the exit code, or nothing where the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Resolves once it says that it is ready. It is killed when the test ends. */
export async function startBridge(
  configFile: string,
  options: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<BridgeProcess> {
  const child = spawn(process.execPath, [program, "run", configFile], {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  const lines: string[] = [];
  const log = createFeed<LogLine>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on("line", (line) => {
      lines.push(line);
      if (line.startsWith("{")) log.push(JSON.parse(line) as LogLine);
    });
  }
  onTestFailed(() => console.error(`the process's output:\n${lines.slice(-60).join("\n")}`));

  const ready = await Promise.race([log.next(({ msg }) => msg === "ready"), diedOf(child, ended, lines)]);
  const admin = ready["admin"] as string;
  const get = async (path: string) => {
    const response = await fetch(new URL(path, admin));
    return { status: response.status, text: await response.text() };
  };
  return {
    url: (ready["listen"] as readonly string[])[0] as string,
    admin,
    log,
    text: () => lines.join("\n"),
    get,
    ledger: async () => JSON.parse((await get("/ledger")).text) as LedgerDocument,
    signal: (signal) => void child.kill(signal),
    async end(signal) {
      child.kill(signal);
      await ended;
      return child.exitCode;
    },
  };
}

/** Runs the built program to its end. */
export async function runProgram(
  args: readonly string[],
  options: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const ended = once(child, "close");
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.end(options.stdin ?? "");
  await ended;
  return { code: child.exitCode, stdout, stderr };
}

async function diedOf(child: ChildProcess, ended: Promise<unknown>, lines: readonly string[]): Promise<never> {
  await ended;
  throw new Error(`dragoman run ended with ${child.exitCode ?? child.signalCode}:\n${lines.join("\n")}`);
}
