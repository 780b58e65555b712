import { Ajv, type ErrorObject } from "ajv";
import type { OptionSchema } from "../message/option-schema.ts";
import { foundText, oneOf, wantedBy } from "./describe.ts";
import { formats, parseDuration, parseSize } from "./formats.ts";
import { didYouMean } from "./near-miss.ts";
import type { Report } from "./report.ts";
import { escapePointer, type Source } from "./source.ts";

/** Checks a source against a schema and reports every mistake, each with what was found and what was wanted. */
export function validate(schema: OptionSchema, source: Source, report: Report): void {
  const check = compiler().compile<unknown>(schema);
  if (check(source.value)) return;
  for (const error of withoutOtherAlternatives(check.errors ?? [])) {
    const isBroken = [...prefixesOf(pointerOf(error))].some((pointer) => source.broken.has(pointer));
    if (!isBroken) explain(error, source, report);
  }
}

function compiler(): Ajv {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: true });
  for (const [name, format] of Object.entries(formats)) ajv.addFormat(name, (text) => format.fault(text) === undefined);
  const fits = (compare: (value: number, bound: number) => boolean) => (bound: string, text: string) => {
    const value = quantityOf(text);
    return value === undefined || compare(value, quantityOf(bound) as number);
  };
  const keyword = { type: "string", schemaType: "string", errors: false } as const;
  ajv.addKeyword({ ...keyword, keyword: "atLeast", validate: fits((value, bound) => value >= bound) });
  ajv.addKeyword({ ...keyword, keyword: "atMost", validate: fits((value, bound) => value <= bound) });
  return ajv;
}

function quantityOf(text: string): number | undefined {
  return parseDuration(text) ?? parseSize(text);
}

/**
 * Where no alternative of an `anyOf` fits, ajv reports the mistakes of all. If just one is of the right type, that one was
 * meant and its mistakes are told; otherwise only that none fits.
 */
function withoutOtherAlternatives(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  let kept = errors;
  for (const choice of errors.filter(({ keyword }) => keyword === "anyOf")) {
    const alternatives = (choice.schema as readonly OptionSchema[]).map((_, index) => {
      const prefix = `${choice.schemaPath}/${index}/`;
      const own = (error: ErrorObject) =>
        error.schemaPath.startsWith(prefix) && error.instancePath.startsWith(choice.instancePath);
      const isOfType = !errors.some(
        (error) =>
          own(error) && error.instancePath === choice.instancePath && ["type", "const"].includes(error.keyword),
      );
      return { own, isOfType };
    });
    const meant = alternatives.filter(({ isOfType }) => isOfType);
    kept = kept.filter((error) => {
      if (error === choice) return meant.length !== 1;
      return !alternatives.some(({ own, isOfType }) => own(error) && !(isOfType && meant.length === 1));
    });
  }
  return kept;
}

/** What an error is about: for a missing key, the place where it would be. */
function pointerOf({ keyword, instancePath, params }: ErrorObject): string {
  return keyword === "required" ? `${instancePath}/${String(params["missingProperty"])}` : instancePath;
}

function explain(error: ErrorObject, source: Source, report: Report): void {
  const pointer = error.instancePath;
  const schema = error.parentSchema as OptionSchema;
  const isSecret = "format" in schema && (schema.format === "secret" || schema.format === "content");
  const found = foundText(error.data, source.nodes.get(pointer)?.origin ?? "inline", isSecret);
  switch (error.keyword) {
    case "additionalProperties": {
      const name = String(error.params["additionalProperty"]);
      const known = Object.keys((schema as { properties: object }).properties);
      const hint = didYouMean(name, known) || `, wanted ${oneOf(known)}`;
      report.add(`${pointer}/${escapePointer(name)}`, `unknown key${hint}`, "key");
      return;
    }
    case "required": {
      const name = String(error.params["missingProperty"]);
      const { description } =
        (schema as { properties: Record<string, { description: string }> }).properties[name] ?? {};
      report.add(pointer, `missing key "${name}"${description === undefined ? "" : `: ${description}`}`);
      return;
    }
    case "format": {
      const format = formats[error.params["format"] as keyof typeof formats];
      report.add(pointer, `found ${format.fault(String(error.data))?.found ?? found}, wanted ${format.wanted}`);
      return;
    }
    case "enum": {
      const values = error.params["allowedValues"] as readonly unknown[];
      const hint = didYouMean(
        typeof error.data === "string" ? error.data : "",
        values.filter((value) => typeof value === "string"),
      );
      report.add(pointer, `found ${found}, wanted ${oneOf(values)}${hint}`);
      return;
    }
    case "uniqueItems":
      report.add(
        `${pointer}/${Math.max(Number(error.params["i"]), Number(error.params["j"]))}`,
        "found an item twice, wanted each once",
      );
      return;
    case "minItems":
      report.add(pointer, `found ${found}, wanted at least ${String(error.params["limit"])} item`);
      return;
    case "maxItems": {
      const { length } = error.data as readonly unknown[];
      report.add(pointer, `found ${length} items, wanted at most ${String(error.params["limit"])}`);
      return;
    }
    case "minLength":
      report.add(pointer, `found ${found}, wanted at least ${String(error.params["limit"])} character`);
      return;
    case "minimum":
    case "atLeast":
      report.add(pointer, `found ${found}, wanted at least ${String(error.schema)}`);
      return;
    case "exclusiveMinimum":
      report.add(pointer, `found ${found}, wanted more than ${String(error.schema)}`);
      return;
    case "maximum":
    case "atMost":
      report.add(pointer, `found ${found}, wanted at most ${String(error.schema)}`);
      return;
    case "type": {
      const hint = isUnquotedText(schema, error.data) ? "; put it in quotes" : "";
      report.add(pointer, `found ${found}, wanted ${wantedBy(schema)}${hint}`);
      return;
    }
    default:
      report.add(pointer, `found ${found}, wanted ${wantedBy(schema)}`);
  }
}

/** YAML reads `12` and `true` as a number and a boolean. In quotes they would do, unless a unit is missing. */
function isUnquotedText(schema: OptionSchema, value: unknown): boolean {
  if (!("type" in schema) || schema.type !== "string" || schema.enum !== undefined) return false;
  if (typeof value !== "number" && typeof value !== "boolean") return false;
  return schema.format === undefined || formats[schema.format].fault(String(value)) === undefined;
}

function* prefixesOf(pointer: string): Generator<string> {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf("/"))) {
    yield at;
    if (at === "") return;
  }
}
