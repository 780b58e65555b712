import type { Command } from "commander";
import type { Io } from "./io.ts";

/** What help says of a command besides its arguments and options. */
export interface Manual {
  /** Paragraphs on what it does, for whom the description is too short. */
  readonly notes?: string;
  /** Command lines, each with what it is for where that is not plain. */
  readonly examples: readonly (string | readonly [line: string, purpose: string])[];
  readonly exitCodes: Readonly<Record<number, string>>;
}

/** The end of a command's help, laid out like that of all others; for `addHelpText("after", …)`. */
export function manual({ notes, examples, exitCodes }: Manual): string {
  const lines = examples.map((example) => (typeof example === "string" ? ([example, ""] as const) : example));
  const width = Math.max(...lines.filter(([, purpose]) => purpose !== "").map(([line]) => line.length), 0);
  return [
    ...(notes === undefined ? [] : ["", notes]),
    "",
    "Examples:",
    ...lines.map(([line, purpose]) => `  $ ${purpose === "" ? line : `${line.padEnd(width)}  # ${purpose}`}`),
    "",
    "Exit codes:",
    ...Object.entries(exitCodes).map(([code, meaning]) => `  ${code}  ${meaning}`),
  ].join("\n");
}

/** What a command ends with when it was used wrongly, as all say it. */
export const wrongUse = { 2: "wrong use" } as const;

/** Adds `dragoman manual`: the help of all commands in one text. */
export function addManualCommand(program: Command, io: Io): void {
  program
    .command("manual")
    .description("print the help of all commands, as Markdown")
    .addHelpText("after", manual({ examples: ["dragoman manual > cli.md"], exitCodes: { 0: "printed", ...wrongUse } }))
    .action(() => {
      for (const command of commandsOf(program)) {
        const level = command === program ? "#" : "##";
        io.stdout.write(`${level} ${nameOf(command)}\n\n\`\`\`text\n${helpOf(command)}\`\`\`\n\n`);
      }
    });
}

/** The command and all below it, in the order in which help lists them. */
export function commandsOf(command: Command): readonly Command[] {
  return [command, ...command.createHelp().visibleCommands(command).filter(isOurs).flatMap(commandsOf)];
}

/** Its name with those of the commands that it is below. */
export function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** Everything that `--help` prints. */
function helpOf(command: Command): string {
  let text = "";
  const { writeOut } = command.configureOutput();
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  command.configureOutput(writeOut === undefined ? {} : { writeOut });
  return text;
}

/** Commander's own "help" has no help of its own. */
function isOurs(command: Command): boolean {
  return command.name() !== "help";
}
