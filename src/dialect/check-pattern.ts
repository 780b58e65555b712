import type { Blame } from "./mistake.ts";
import { captures } from "./overlap.ts";
import type { ChoicePattern, Pattern } from "./pattern.ts";
import { variablesIn } from "./pattern-facts.ts";

/** Blames what could be read but not printed, and what would print so that something else reads it. */
export function checkPattern(pattern: Pattern, blame: Blame): void {
  check(pattern, { isPrinted: true, isRepeated: false }, blame);
}

interface Position {
  /** Whether a message ever makes this part of the payload. */
  readonly isPrinted: boolean;
  /** Whether each match here is already a message of its own. */
  readonly isRepeated: boolean;
}

function check(pattern: Pattern, position: Position, blame: Blame): void {
  switch (pattern.kind) {
    case "something":
      if (position.isPrinted) {
        blame(pattern.at, '"$_" would have to be printed but holds nothing, wanted it in an optional member ("key?")');
      }
      return;
    case "object":
      for (const { isOptional, value } of pattern.members) {
        const isReadOnly = isOptional && variablesIn(value).length === 0;
        check(value, { ...position, isPrinted: position.isPrinted && !isReadOnly }, blame);
      }
      return;
    case "entries":
      if (position.isRepeated) {
        blame(
          pattern.at,
          `"$${pattern.key.name}" stands for every member inside another repetition, wanted one repetition`,
        );
      }
      check(pattern.value, { ...position, isRepeated: true }, blame);
      return;
    case "list":
      check(pattern.item, position, blame);
      return;
    case "choice":
      checkChoice(pattern, blame);
      for (const one of pattern.choices) check(one, position, blame);
      return;
    default:
      return;
  }
}

function checkChoice({ choices }: ChoicePattern, blame: Blame): void {
  for (const [index, later] of choices.entries()) {
    const first = choices.findIndex((earlier, at) => at < index && captures(earlier, later) === "always");
    if (first < 0) continue;
    blame(
      later.at,
      `Alternative ${index + 1} of "anyOf" is never read, for all that it prints fits alternative ${first + 1}, wanted the narrower one first`,
    );
  }
}
