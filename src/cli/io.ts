import type { Readable } from "node:stream";

/** Where text goes; `process.stdout` fits, and so does an array in a test. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * The world as a command sees it, so that commands run in tests without a process.
 *
 * Results go to `stdout`, diagnostics and logs to `stderr`.
 */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls `handler` at each such signal; returns how to stop that. */
  readonly onSignal: (signal: "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGUSR2", handler: () => void) => () => void;
  /** What the process ends with: 0 ok, 1 failed, 2 usage or configuration, 3 degraded. Each command's action sets it. */
  exitCode: number;
}

/** The real process. */
export function processIo(): Io {
  // A reader that went away, as in `dragoman … | head`, is no failure of ours.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  // Where diagnostics go may be a file on a full disk: to end for that would make it worse.
  process.stderr.on("error", () => {});
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onSignal: (signal, handler) => {
      process.on(signal, handler);
      return () => process.off(signal, handler);
    },
    exitCode: 0,
  };
}
