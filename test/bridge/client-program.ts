import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { createFeed, type Feed } from "./feed.ts";

/** A client that is a program of its own. */
export interface ClientProgram {
  /** The lines of its standard output. */
  readonly lines: Feed<string>;
  /** Its exit code, or nothing where a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Writes a line to its standard input. */
  say(line: string): void;
}

/** Starts a program, which is killed when the test ends. */
export function startClientProgram(command: string, args: readonly string[]): ClientProgram {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const lines = createFeed<string>();
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  return {
    lines,
    ended: ended.then(([code]) => code as number | null),
    say: (line) => void child.stdin.write(`${line}\n`),
  };
}
