import type { DialectLibrary } from "../mappings.ts";
import type { OptionSchema } from "../message/option-schema.ts";
import { anyParameters } from "./any-parameters.ts";
import { configSchema } from "./schema.ts";

/** All options of a configuration file as Markdown tables, one for each section, in the order of the schema. */
export function optionReference(library: DialectLibrary): string {
  const parameters = anyParameters(library);
  const schema = configSchema({ local: parameters, upstream: parameters });
  const ofItsOwn = new Set<object>(Object.values(schema.properties).map((member) => propertiesOf(member)));
  const sections: string[] = [];
  section(schema, "", 2);
  return sections.join("\n");

  function section(at: OptionSchema, path: string, level: number): void {
    const properties = propertiesOf(at);
    const rows: string[] = [];
    const below: [string, OptionSchema][] = [];
    for (const [key, member] of Object.entries(properties)) {
      const name = path === "" ? key : `${path}.${key}`;
      const inner = innerOf(member);
      // What may stand in several places has its table where it is a section of the file.
      const isRepeated = inner !== undefined && path !== "" && ofItsOwn.has(propertiesOf(inner.schema));
      if (inner !== undefined && !isRepeated) below.push([name + inner.suffix, inner.schema]);
      const isNeeded = "required" in at && at.required?.includes(key) === true;
      rows.push(
        `| ${code(key)} | ${cell(kindOf(member))} | ${isNeeded ? "needed" : defaultOf(member)} | ${cell(member.description)} |`,
      );
    }
    const title = path === "" ? [] : [`${"#".repeat(Math.min(level, 3))} ${code(path)}`, ""];
    sections.push(...title, "| key | value | default | meaning |", "|---|---|---|---|", ...rows, "");
    for (const [name, inner] of below) section(inner, name, path === "" ? 2 : level + 1);
  }
}

function propertiesOf(schema: OptionSchema): Readonly<Record<string, OptionSchema & { readonly description: string }>> {
  return "properties" in schema ? schema.properties : {};
}

/** The mapping inside an option that deserves a table of its own, and how its name goes on. */
function innerOf(schema: OptionSchema): { readonly suffix: string; readonly schema: OptionSchema } | undefined {
  if ("properties" in schema) return { suffix: "", schema };
  if ("items" in schema && "properties" in schema.items) return { suffix: "[]", schema: schema.items };
  if ("anyOf" in schema) {
    const mapping = schema.anyOf.find((alternative) => "properties" in alternative);
    return mapping === undefined ? undefined : { suffix: "", schema: mapping };
  }
  const others = "additionalProperties" in schema ? schema.additionalProperties : false;
  return typeof others === "object" && "properties" in others ? { suffix: ".NAME", schema: others } : undefined;
}

/** What kind of value an option has, in as few words as a table wants. */
function kindOf(schema: OptionSchema): string {
  if ("anyOf" in schema) return schema.anyOf.map(kindOf).join(" or ");
  if ("const" in schema) return code(JSON.stringify(schema.const));
  if ("enum" in schema && schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(", ");
  if (schema.type === "array") return `list of ${kindOf(schema.items)}`;
  const word =
    schema.type === "string" && schema.format !== undefined ? formatWords[schema.format] : words[schema.type];
  const bounds = boundsOf(schema);
  return bounds === "" ? word : `${word}, ${bounds}`;
}

const words = {
  object: "section",
  array: "list",
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "`true`, `false`",
  null: "`null`",
} as const;

const formatWords = {
  duration: "duration",
  size: "size",
  secret: "secret",
  content: "PEM",
  path: "path",
  mqttUrl: "address",
  httpUrl: "address",
  folder: "folder",
  numericId: "digits",
  id: "id",
  time: "date or time",
} as const;

function boundsOf(schema: OptionSchema): string {
  const {
    minimum,
    maximum,
    atLeast = minimum,
    atMost = maximum,
  } = schema as {
    readonly [bound in "minimum" | "maximum" | "atLeast" | "atMost"]?: number | string;
  };
  return [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
  ].join(", ");
}

function defaultOf(schema: OptionSchema): string {
  if (schema.default === undefined || "properties" in schema || innerOf(schema) !== undefined) return "";
  return code(JSON.stringify(schema.default));
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
