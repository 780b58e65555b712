import type { Argument, Command, Option } from "commander";
import { defaultFile } from "../load.ts";
import { filesMark } from "./scripts.ts";
import { dialectNames, gatewayIdsIn } from "./values.ts";

/** Something that could stand at the end of a command line. */
export interface Candidate {
  readonly value: string;
  readonly about: string;
}

/**
 * What the last of these words could become: commands, options or values, by what the program itself knows.
 *
 * @param words Those after `dragoman`; the last is being typed, and may be empty.
 */
export function complete(program: Command, words: readonly string[]): readonly Candidate[] {
  const typed = words.at(-1) ?? "";
  const line = read(program, words.slice(0, -1));
  return candidates(line, typed).filter(({ value }) => value.startsWith(typed) || value === filesMark);
}

/** What a command line says so far. */
interface Line {
  readonly command: Command;
  /** The option that waits for its value. */
  readonly option: Option | undefined;
  readonly operands: readonly string[];
  /** Values of options, by name as in commander. */
  readonly values: ReadonlyMap<string, string>;
}

function read(program: Command, words: readonly string[]): Line {
  let command = program;
  let option: Option | undefined;
  const operands: string[] = [];
  const values = new Map<string, string>();
  for (const word of words) {
    const named = optionsOf(command).find(({ long, short }) => word === long || word === short);
    if (named !== undefined) option = takesValue(named) ? named : undefined;
    else if (option !== undefined) {
      values.set(option.attributeName(), word);
      if (!option.variadic) option = undefined;
    } else {
      const next = commandsOf(command).find((below) => below.name() === word);
      if (next === undefined || operands.length > 0) operands.push(word);
      else command = next;
    }
  }
  return { command, option, operands, values };
}

function candidates({ command, option, operands, values }: Line, typed: string): readonly Candidate[] {
  const options = optionsOf(command).map(({ long, short, description }) => ({
    value: long ?? short ?? "",
    about: description,
  }));
  if (typed.startsWith("-")) return options;
  const file = values.get("config") ?? operands.find((word) => /\.ya?ml$/.test(word)) ?? defaultFile;
  if (option !== undefined) return valuesOf(option, option.long === "--gateway", file);
  const below = commandsOf(command).map((next) => ({ value: next.name(), about: next.description() }));
  const argument = command.registeredArguments[operands.length] ?? command.registeredArguments.at(-1);
  const isOpen = argument !== undefined && (argument.variadic || operands.length < command.registeredArguments.length);
  return [...below, ...(isOpen ? valuesOf(argument, false, file) : [])];
}

/** By the choices it has, or by what stands between the brackets of its name: `<dialect>`, `<file>`. */
function valuesOf(of: Option | Argument, isGateway: boolean, file: string): readonly Candidate[] {
  const kind = "flags" in of ? /[<[]([a-z]+)/.exec(of.flags)?.[1] : of.name();
  if (of.argChoices !== undefined) return plain(of.argChoices);
  if (isGateway) return plain(gatewayIdsIn(file));
  if (kind === "dialect") return plain(dialectNames());
  if (kind === "file" || kind === "path" || kind === "folder") return [{ value: filesMark, about: "" }];
  return [];
}

function plain(values: readonly string[]): readonly Candidate[] {
  return values.map((value) => ({ value, about: "" }));
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

function commandsOf(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command);
}
