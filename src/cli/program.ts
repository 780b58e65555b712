import { Command, CommanderError } from "commander";
import { DragomanError, type ErrorCode } from "../errors.ts";
import { addCheckCommand } from "./check.ts";
import { addCloudCommand } from "./cloud.ts";
import { addCompletionCommand } from "./completion.ts";
import { addDemoCommand } from "./demo.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addInitCommand } from "./init.ts";
import type { Io } from "./io.ts";
import { addManualCommand, manual } from "./manual.ts";
import { addRunCommand } from "./run.ts";
import { addSchemaCommand } from "./schema.ts";
import { addSpoolCommand } from "./spool.ts";
import { addStatusCommand } from "./status.ts";
import { addTailCommand } from "./tail.ts";
import { addTokenCommand } from "./token.ts";
import { addTranslateCommand } from "./translate.ts";
import { packageVersion } from "./version.ts";

/**
 * What each command file exports: adds its command to the program. The action sets `io.exitCode`, and throws
 * `DragomanError` for what a user is told in one line.
 */
export type AddCommand = (program: Command, io: Io) => void;

/** In the order in which help lists them. */
const commands: readonly AddCommand[] = [
  addInitCommand,
  addRunCommand,
  addCheckCommand,
  addDoctorCommand,
  addTranslateCommand,
  addStatusCommand,
  addTailCommand,
  addSpoolCommand,
  addTokenCommand,
  addCloudCommand,
  addDemoCommand,
  addSchemaCommand,
  addCompletionCommand,
  addManualCommand,
];

/** Runs the command that `args` (without node and script) ask for; resolves to the exit code, never rejects. */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync([...args], { from: "user" });
    return io.exitCode;
  } catch (error) {
    return report(error, io);
  }
}

/** The program with all its commands, in this world. */
export function createProgram(io: Io): Command {
  const program = new Command("dragoman")
    .description("A bridge between the MQTT dialects that IoT cloud gateways speak.")
    .version(packageVersion(), "--version", "print the version")
    .helpOption("--help", "explain the command")
    .helpCommand("help [command]", "explain a command")
    .showHelpAfterError('("dragoman --help" lists the commands)')
    .addHelpText(
      "after",
      manual({
        notes:
          'What a command takes and ends with: "dragoman help COMMAND". DRAGOMAN_DEBUG=1 adds the stack to errors.',
        examples: [
          ["dragoman init", "writes a first configuration"],
          ["dragoman check && dragoman run", "reads dragoman.yaml in this folder"],
        ],
        exitCodes: { 0: "ok", 1: "failed", 2: "wrong use, or mistakes in the configuration", 3: "degraded" },
      }),
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? usualWidth,
      getErrHelpWidth: () => io.stderr.columns ?? usualWidth,
      outputError: (text, write) => write(text.replace(/^error: /, "dragoman: ")),
    });
  for (const addCommand of commands) addCommand(program, io);
  return program;
}

/** Columns of help where there is no terminal to fit. */
const usualWidth = 100;

const callerMistakes: ReadonlySet<ErrorCode> = new Set(["ERR_USAGE", "ERR_CONFIG_INVALID", "ERR_MAPPING_INVALID"]);

/** Tells a user what went wrong, in one line unless the stack is asked for; gives the exit code. */
export function report(error: unknown, io: Io): number {
  // Commander has printed its own message or help by now; its exit code is 0 where help was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const isDebugging = Boolean(io.env["DRAGOMAN_DEBUG"]);
  if (error instanceof DragomanError) {
    // How to call a command is said in the message itself.
    const where = error.code === "ERR_USAGE" ? "" : ` (${error.code}, see docs/errors.md)`;
    io.stderr.write(`dragoman: ${error.message}${where}\n`);
    if (isDebugging) io.stderr.write(`${error.stack}\n`);
    return callerMistakes.has(error.code) ? 2 : 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  io.stderr.write(`dragoman: internal error: ${message} (a defect of dragoman; DRAGOMAN_DEBUG=1 shows where)\n`);
  if (isDebugging && error instanceof Error) io.stderr.write(`${error.stack}\n`);
  return 1;
}
