import type { DialectLibrary } from "../mappings.ts";
import type { OptionSchema } from "../message/option-schema.ts";
import { anyParameters } from "./any-parameters.ts";
import { formats } from "./formats.ts";
import { configSchema } from "./schema.ts";

/** What may stand in place of any text: a reference to the environment or a file. */
const reference = "\\$\\{|^file:";

/**
 * The schema of configuration files as plain JSON Schema (draft 7), for editors.
 *
 * It is laxer than `dragoman check` where a schema cannot say more: which keys go together, and what a reference holds.
 */
export function editorSchema(library: DialectLibrary): object {
  const parameters = anyParameters(library);
  const schema = plain(configSchema({ local: parameters, upstream: parameters }));
  const properties = schema["properties"] as Record<string, EditorSchema>;
  for (const side of ["local", "upstream"]) {
    const members = properties[side]?.["properties"] as Record<string, EditorSchema>;
    members["dialect"] = { ...members["dialect"], enum: library.names };
  }
  const { description, ...list } = properties["gateways"] as EditorSchema;
  properties["gateways"] = { description, anyOf: [list, { type: "string", pattern: "^file:" }] };
  return { $schema: "http://json-schema.org/draft-07/schema#", title: "Configuration of dragoman", ...schema };
}

type EditorSchema = Record<string, unknown>;

/** The keywords of ours that editors do not know. */
interface Annotated {
  readonly description?: string;
  readonly format?: keyof typeof formats;
  readonly atLeast?: string;
  readonly atMost?: string;
}

function plain(schema: OptionSchema): EditorSchema {
  const { format, atLeast, atMost, ...rest } = schema as Annotated;
  const node: EditorSchema = { ...rest };
  const pattern = format === undefined ? undefined : formats[format].pattern;
  if (pattern !== undefined) node["pattern"] = `${pattern}|${reference}`;
  const bounds = [
    ...(atLeast === undefined ? [] : [`At least ${atLeast}.`]),
    ...(atMost === undefined ? [] : [`At most ${atMost}.`]),
  ];
  if (bounds.length > 0) node["description"] = [rest.description, ...bounds].join(" ");
  if ("anyOf" in schema) node["anyOf"] = schema.anyOf.map(plain);
  if ("items" in schema) node["items"] = plain(schema.items);
  if ("properties" in schema) {
    node["properties"] = Object.fromEntries(
      Object.entries(schema.properties).map(([key, member]) => [key, plain(member)]),
    );
  }
  const others = "additionalProperties" in schema ? schema.additionalProperties : false;
  if (others !== false) node["additionalProperties"] = plain(others as OptionSchema);
  return node;
}
