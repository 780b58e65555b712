import type { JsonText } from "../message/json.ts";
import { membersOf } from "../message/json.ts";
import type { Point } from "../message/message.ts";
import { compileGuard } from "./alternative.ts";
import { captures } from "./overlap.ts";
import type { ChoicePattern, EntriesPattern, ListPattern, ObjectPattern, Pattern, VariablePattern } from "./pattern.ts";
import { certainIn, namesIn } from "./pattern-facts.ts";
import { pointsField, pointVariables } from "./vocabulary.ts";

/** A message on its way into a payload. */
export interface Sheet {
  readonly gateway: string;
  readonly message: Readonly<Record<string, unknown>>;
  /** The point being printed, in kinds that have points. */
  point: Point | undefined;
  /** Why the message cannot be printed; the first reason counts. */
  reason: string | undefined;
}

/** Prints a part of a payload. With `reason` set on the sheet the text means nothing. */
export type Print = (sheet: Sheet) => string;

/** Compiles a pattern into the function that fills it in. `hasPoints`: variables of points are looked up in the point. */
export function compilePrint(pattern: Pattern, hasPoints: boolean): Print {
  const context = { hasPoints };
  return compile(pattern, context);
}

interface Context {
  readonly hasPoints: boolean;
}

function compile(pattern: Pattern, context: Context): Print {
  switch (pattern.kind) {
    case "variable":
      return printVariable(pattern, context);
    case "something":
      return (sheet) => fail(sheet, "there is nothing to print");
    case "literal":
      return () => pattern.text;
    case "object":
      return printObject(pattern, context);
    case "entries":
      return printEntries(pattern, context);
    case "list":
      return printList(pattern, context);
    case "choice":
      return printChoice(pattern, context);
  }
}

/** Gives the value of a variable for the message, or the point, at hand. */
export function compileValue(name: string, hasPoints: boolean): (sheet: Sheet) => unknown {
  if (!hasPoints || !pointVariables.includes(name)) return (sheet) => sheet.message[name];
  const get = name === "ts" ? (point: Point) => point.ts : (point: Point) => point.values;
  return (sheet) => {
    if (sheet.point !== undefined) return get(sheet.point);
    const points = sheet.message[pointsField] as readonly Point[] | undefined;
    return points?.length === 1 ? get(points[0] as Point) : undefined;
  };
}

function printVariable({ name, type, conversion }: VariablePattern, { hasPoints }: Context): Print {
  const get = compileValue(name, hasPoints);
  const { print, wanted } = conversion;
  const canBeGateway = conversion.name === "deviceOrGateway";
  return (sheet) => {
    const value = get(sheet);
    if (value === undefined && !canBeGateway) return fail(sheet, `${name} is missing`);
    if (value === "" && type === "device") return fail(sheet, "the name of the device is empty");
    return print(value, sheet.gateway) ?? fail(sheet, `${name} cannot be written as ${wanted}`);
  };
}

function printObject(pattern: ObjectPattern, context: Context): Print {
  const members = pattern.members.flatMap(({ key, isOptional, value }) => {
    const names = [...namesIn(value)];
    // Optional members without a variable carry nothing, so they are read over and not printed.
    if (isOptional && names.length === 0) return [];
    const values = isOptional ? names.map((name) => compileValue(name, context.hasPoints)) : [];
    return [{ head: `${JSON.stringify(key)}:`, isOptional, values, print: compile(value, context) }];
  });
  const printRest = compileRest(pattern, context);
  if (printRest === undefined && members.every(({ isOptional }) => !isOptional)) return printFixed(members);
  return (sheet) => {
    let text = "";
    for (const { head, isOptional, values, print } of members) {
      if (isOptional && !values.some((get) => get(sheet) !== undefined)) continue;
      text += `${text === "" ? "" : ","}${head}${print(sheet)}`;
    }
    const rest = printRest === undefined ? "" : printRest(sheet);
    return `{${text}${text !== "" && rest !== "" ? "," : ""}${rest}}`;
  };
}

/** The common case: the same members every time. */
function printFixed(members: readonly { readonly head: string; readonly print: Print }[]): Print {
  const parts = members.map(({ head, print }, index) => ({ head: `${index === 0 ? "{" : ","}${head}`, print }));
  if (parts.length === 0) return () => "{}";
  return (sheet) => {
    let text = "";
    for (const { head, print } of parts) text += head + print(sheet);
    return `${text}}`;
  };
}

/** The members of a rest variable, without braces. Its names must not meet those of the pattern. */
function compileRest({ members, rest }: ObjectPattern, { hasPoints }: Context): Print | undefined {
  if (typeof rest !== "object") return undefined;
  const { name } = rest.variable;
  const get = compileValue(name, hasPoints);
  const taken = members.map(({ key }) => ({ key, written: JSON.stringify(key) }));
  return (sheet) => {
    const value = get(sheet) as JsonText | undefined;
    if (value === undefined) return rest.isOptional ? "" : fail(sheet, `${name} is missing`);
    if (value.charCodeAt(0) !== 0x7b) return fail(sheet, `${name} is not an object`);
    const mayMeet = taken.length > 0 && (value.includes("\\") || taken.some(({ written }) => value.includes(written)));
    if (mayMeet) {
      const names = membersOf(value);
      const met = taken.find(({ key }) => names.has(key));
      if (met !== undefined) return fail(sheet, `a key named "${met.key}" in ${name} would be read as something else`);
    }
    const inner = value.slice(1, -1).trim();
    if (inner === "" && rest.isOptional) return fail(sheet, `${name} is empty and would read back as absent`);
    return inner;
  };
}

function printEntries({ key, value }: EntriesPattern, context: Context): Print {
  const keyOf = compileValue(key.name, context.hasPoints);
  const print = compile(value, context);
  const isDevice = key.type === "device";
  return (sheet) => {
    const name = keyOf(sheet);
    if (typeof name !== "string") return fail(sheet, `${key.name} is missing`);
    if (name === "" && isDevice) return fail(sheet, "the name of the device is empty");
    return `{${JSON.stringify(name)}:${print(sheet)}}`;
  };
}

function printList({ item }: ListPattern, context: Context): Print {
  const print = compile(item, context);
  const isPoints = context.hasPoints && [...namesIn(item)].every((name) => pointVariables.includes(name));
  if (!isPoints) return (sheet) => `[${print(sheet)}]`;
  return (sheet) => {
    const points = sheet.message[pointsField] as readonly Point[] | undefined;
    if (points === undefined) return fail(sheet, "points are missing");
    let text = "[";
    for (let index = 0; index < points.length; index++) {
      sheet.point = points[index];
      text += index === 0 ? print(sheet) : `,${print(sheet)}`;
    }
    sheet.point = undefined;
    return `${text}]`;
  };
}

/** The first alternative that needs nothing absent and loses nothing that any of them could say. */
function printChoice({ choices }: ChoicePattern, context: Context): Print {
  const all = [...new Set(choices.flatMap((choice) => [...namesIn(choice)]))];
  const alternatives = choices.map((choice, index) => {
    const carried = namesIn(choice);
    const certain = certainIn(choice);
    const isList = choice.kind === "list" && context.hasPoints;
    const rivals = choices.slice(0, index).filter((earlier) => captures(earlier, choice) !== "never");
    const valuesOf = (names: readonly string[]) => names.map((name) => compileValue(name, context.hasPoints));
    return {
      // A list takes points as many as there are, none included.
      needs: isList ? [] : valuesOf([...certain]),
      lost: valuesOf(all.filter((name) => !carried.has(name))),
      print: compile(choice, context),
      isTaken: compileGuard(rivals),
    };
  });
  return (sheet) => {
    for (const { needs, lost, print, isTaken } of alternatives) {
      if (!needs.every((get) => get(sheet) !== undefined)) continue;
      if (lost.some((get) => get(sheet) !== undefined)) continue;
      const text = print(sheet);
      if (sheet.reason === undefined && isTaken?.(text)) return fail(sheet, "it would be read as something else");
      return text;
    }
    return fail(sheet, `it has no form for ${all.join(", ")} together, or lacks one of them`);
  };
}

function fail(sheet: Sheet, reason: string): string {
  sheet.reason ??= reason;
  return "";
}
