import { type JsonKind, kindOf } from "../message/json.ts";
import type { ObjectPattern, Pattern, VariablePattern } from "./pattern.ts";

/** Every variable that stands in a pattern, each as often as it stands there. */
export function variablesIn(pattern: Pattern): readonly VariablePattern[] {
  switch (pattern.kind) {
    case "variable":
      return [pattern];
    case "something":
    case "literal":
      return [];
    case "object":
      return [
        ...pattern.members.flatMap(({ value }) => variablesIn(value)),
        ...(typeof pattern.rest === "object" ? [pattern.rest.variable] : []),
      ];
    case "entries":
      return [pattern.key, ...variablesIn(pattern.value)];
    case "list":
      return variablesIn(pattern.item);
    case "choice":
      return pattern.choices.flatMap(variablesIn);
  }
}

/** The names of a pattern's variables. */
export function namesIn(pattern: Pattern): ReadonlySet<string> {
  return new Set(variablesIn(pattern).map(({ name }) => name));
}

/** For each way to read the pattern, by the alternatives taken, the variables that are bound afterwards for certain. */
export function boundInEveryForm(pattern: Pattern): readonly ReadonlySet<string>[] {
  switch (pattern.kind) {
    case "variable":
      return [new Set([pattern.name])];
    case "something":
    case "literal":
      return [new Set()];
    case "object": {
      const required = pattern.members.filter(({ isOptional }) => !isOptional).map(({ value }) => value);
      const rest = typeof pattern.rest === "object" && !pattern.rest.isOptional ? [pattern.rest.variable] : [];
      return combine([...required, ...rest].map(boundInEveryForm));
    }
    case "entries":
      return combine([boundInEveryForm(pattern.key), boundInEveryForm(pattern.value)]);
    case "list":
      return boundInEveryForm(pattern.item);
    case "choice":
      return pattern.choices.flatMap(boundInEveryForm);
  }
}

/** The variables that are bound in every form. */
export function certainIn(pattern: Pattern): ReadonlySet<string> {
  const [first, ...others] = boundInEveryForm(pattern);
  return new Set([...(first ?? [])].filter((name) => others.every((form) => form.has(name))));
}

/** The kinds of JSON a pattern may match. */
export function kindsOf(pattern: Pattern): ReadonlySet<JsonKind> {
  switch (pattern.kind) {
    case "variable":
      return new Set(pattern.conversion.kinds);
    case "something":
      return new Set(["object", "array", "string", "number", "boolean"]);
    case "literal":
      return new Set([kindOf(pattern.text)]);
    case "object":
    case "entries":
      return new Set(["object"]);
    case "list":
      return new Set(["array"]);
    case "choice":
      return new Set(pattern.choices.flatMap((choice) => [...kindsOf(choice)]));
  }
}

/** How many levels of nesting have to be read to see every member that must be there. */
export function depthOf(pattern: Pattern): number {
  switch (pattern.kind) {
    case "object":
      return 1 + Math.max(0, ...pattern.members.map(({ isOptional, value }) => (isOptional ? 0 : depthOf(value))));
    case "entries":
      return 1 + depthOf(pattern.value);
    case "list":
      return 1 + depthOf(pattern.item);
    case "choice":
      return Math.max(...pattern.choices.map(depthOf));
    default:
      return 0;
  }
}

/** The keys that must be there. */
export function requiredKeys(pattern: ObjectPattern): readonly string[] {
  return pattern.members.filter(({ isOptional }) => !isOptional).map(({ key }) => key);
}

function combine(forms: readonly (readonly ReadonlySet<string>[])[]): readonly ReadonlySet<string>[] {
  let combined: readonly ReadonlySet<string>[] = [new Set()];
  for (const next of forms) {
    combined = combined.flatMap((left) => next.map((right) => new Set([...left, ...right])));
  }
  return combined;
}
