import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
import { prettyFactory } from "pino-pretty";
import type { LogOptions } from "../config/log-options.ts";
import { DragomanError } from "../errors.ts";
import type { Io } from "./io.ts";

/**
 * Opens the log: JSON lines on stderr, or text for people where stderr is a terminal.
 *
 * Lines are written at once, so that the last ones before a crash are there. Errors show their message and code; their
 * stack only with `DRAGOMAN_DEBUG`.
 */
export function openLog(options: LogOptions, io: Pick<Io, "stderr" | "env">): Logger {
  const isDebugging = Boolean(io.env["DRAGOMAN_DEBUG"]);
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error, isDebugging) },
    },
    streamFor(io),
  );
}

/** What of the log may wait to be written. */
const maxLength = 1024 * 1024;

function streamFor({ stderr, env }: Pick<Io, "stderr" | "env">): DestinationStream {
  if (stderr.isTTY === true) {
    const pretty = prettyFactory({ colorize: !env["NO_COLOR"], translateTime: "SYS:HH:MM:ss.l" });
    return { write: (line) => void stderr.write(pretty(line)) };
  }
  // A log that cannot be written, as to a file on a full disk, must not end the program: lines wait, and then are lost.
  if (stderr === process.stderr) return destination({ dest: 2, sync: true, maxLength }).on("error", () => {});
  return { write: (line) => void stderr.write(line) };
}

function describeError(error: unknown, withStack: boolean): unknown {
  if (!(error instanceof Error)) return error;
  return {
    ...(error instanceof DragomanError ? { code: error.code } : { type: error.name }),
    message: error.message,
    ...(error.cause instanceof Error ? { cause: error.cause.message } : {}),
    ...(withStack ? { stack: error.stack } : {}),
  };
}
