import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { DragomanError } from "../../errors.ts";
import type { Io } from "../io.ts";

/** One thing to be known. */
export interface Question {
  /** The flag that answers it without asking. */
  readonly flag: string;
  readonly text: string;
  readonly given?: string | undefined;
  /** What an empty answer means. Left out: an answer is needed. */
  readonly fallback?: string | undefined;
  readonly choices?: readonly string[];
  /** What is wrong with an answer, as text that follows "found"; nothing if it will do. */
  readonly fault?: (answer: string) => string | undefined;
}

/** Finds answers: given as flags, asked for on the terminal, or usual. */
export interface Interview {
  readonly isAsking: boolean;
  answer(question: Question): Promise<string>;
  /** @throws {DragomanError} `ERR_USAGE` when something was needed that nobody said. */
  finish(): void;
}

/** Takes flags and usual answers only; what is missing is told at once, at the end. */
export function withoutAsking(): Interview {
  const missing: string[] = [];
  return {
    isAsking: false,
    async answer(question) {
      const answer = question.given ?? question.fallback;
      if (answer === undefined) missing.push(question.flag);
      else requireGood(question, answer);
      return answer ?? "";
    },
    finish() {
      if (missing.length === 0) return;
      throw new DragomanError("ERR_USAGE", `Cannot write a configuration: wanted ${missing.join(", ")} as well`);
    },
  };
}

/** Asks on stderr for what no flag says, until the answer can be used; the answers come from stdin, line by line. */
export async function whileAsking<Result>(io: Io, use: (interview: Interview) => Promise<Result>): Promise<Result> {
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      io.stderr.write(String(chunk));
      done();
    },
  });
  const terminal = createInterface({ input: io.stdin, output });
  // Lines that come before they are asked for, as from a pipe, wait in the iterator.
  const lines = terminal[Symbol.asyncIterator]();
  try {
    return await use({ isAsking: true, answer: (question) => ask(question, { io, lines }), finish: () => undefined });
  } finally {
    terminal.close();
  }
}

async function ask(question: Question, { io, lines }: { io: Io; lines: AsyncIterator<string> }): Promise<string> {
  const { text, given, fallback, choices } = question;
  if (given !== undefined) {
    requireGood(question, given);
    return given;
  }
  const hint = [...(choices === undefined ? [] : [choices.join(", ")]), ...(fallback ? [`[${fallback}]`] : [])];
  for (;;) {
    io.stderr.write(`${[text, ...hint].join(" ")}: `);
    const line = await lines.next();
    if (line.done === true)
      throw new DragomanError("ERR_USAGE", "Cannot write a configuration: the questions were left");
    const answer = line.value.trim() || fallback;
    const fault = answer === undefined ? "nothing, but this is needed" : faultOf(question, answer);
    if (answer !== undefined && fault === undefined) return answer;
    io.stderr.write(`  Found ${fault}.\n`);
  }
}

function requireGood(question: Question, answer: string): void {
  const fault = faultOf(question, answer);
  if (fault !== undefined) throw new DragomanError("ERR_USAGE", `Cannot use ${question.flag}: found ${fault}`);
}

function faultOf({ choices, fault }: Question, answer: string): string | undefined {
  if (choices !== undefined && !choices.includes(answer)) return `"${answer}", wanted one of ${choices.join(", ")}`;
  return fault?.(answer);
}
