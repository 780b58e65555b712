import { Argument, type Command } from "commander";
import { complete } from "./completion/complete.ts";
import { completionScript, shells } from "./completion/scripts.ts";
import type { Io } from "./io.ts";
import { manual, wrongUse } from "./manual.ts";

/** What the shells' scripts call with the words typed so far. */
const answerer = "__complete";

/** Adds `dragoman completion`: scripts for shells, and what these ask at each press of the key. */
export function addCompletionCommand(program: Command, io: Io): void {
  program
    .command("completion")
    .description("print a script that completes commands, options and values in a shell")
    .addArgument(new Argument("<shell>", "your shell").choices(shells))
    .addHelpText(
      "after",
      manual({
        notes: "Options, dialects and the ids of gateways in the configuration are completed.",
        examples: [
          [`eval "$(dragoman completion bash)"`, "in ~/.bashrc"],
          [`source <(dragoman completion zsh)`, "in ~/.zshrc, after compinit"],
          ["dragoman completion fish > ~/.config/fish/completions/dragoman.fish", ""],
        ],
        exitCodes: { 0: "printed", ...wrongUse },
      }),
    )
    .action((shell: (typeof shells)[number]) => void io.stdout.write(completionScript(shell, answerer)));
  program
    .command(answerer, { hidden: true })
    .argument("[words...]")
    .action((words: readonly string[]) => {
      for (const { value, about } of complete(program, words)) io.stdout.write(`${value}\t${about}\n`);
    });
}
