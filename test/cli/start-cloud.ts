import { PassThrough } from "node:stream";
import { Command } from "commander";
import { addCloudCommand } from "../../src/cli/cloud.ts";
import type { Io } from "../../src/cli/io.ts";

/** The first line of a log with this message. */
export const stderrEvent = (lines: readonly string[], msg: string) =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>).find((line) => line["msg"] === msg);

/** `dragoman cloud` with these arguments, running, with what it prints. */
export function start(...args: readonly string[]) {
  const stdin = new PassThrough();
  const printed: string[] = [];
  const logged: string[] = [];
  const waiting = new Set<() => void>();
  const handlers = new Set<() => void>();
  const into = (lines: string[]) => ({
    write(text: string) {
      lines.push(...text.split("\n").filter((line) => line !== ""));
      for (const check of waiting) check();
    },
  });
  const io: Io = {
    stdin,
    stdout: into(printed),
    stderr: into(logged),
    env: {},
    onSignal: (_signal, handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    exitCode: 1,
  };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  addCloudCommand(program, io);
  const done = program.parseAsync(["cloud", ...args], { from: "user" });
  return {
    io,
    stdin,
    printed,
    logged,
    done,
    stop: () => {
      for (const handler of [...handlers]) handler();
    },
    until: (holds: () => boolean) =>
      new Promise<void>((resolve, reject) => {
        const check = () => {
          if (!holds()) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        done.catch(reject);
        check();
      }),
  };
}
