import { resolve as resolvePath } from "node:path";
import type { OptionSchema } from "../message/option-schema.ts";
import { Secret } from "../message/secret.ts";
import { parseDuration, parseSize, parseTime } from "./formats.ts";

/**
 * Turns a value that fits its schema into what code works with: defaults filled in, formats converted, all of it frozen.
 * Members are written in the order of the schema.
 *
 * @param folder What relative paths are relative to.
 */
export function resolveOptions(schema: OptionSchema, value: unknown, folder: string): unknown {
  if ("anyOf" in schema) {
    const meant = schema.anyOf.find((alternative) => isOfType(alternative, value));
    return meant === undefined ? value : resolveOptions(meant, value, folder);
  }
  if ("const" in schema) return value;
  switch (schema.type) {
    case "object": {
      const members = value as Readonly<Record<string, unknown>>;
      const resolved: [string, unknown][] = [];
      if ("properties" in schema) {
        for (const [key, member] of Object.entries(schema.properties)) {
          const given = Object.hasOwn(members, key) ? members[key] : member.default;
          if (given !== undefined) resolved.push([key, resolveOptions(member, given, folder)]);
        }
      } else {
        for (const [key, member] of Object.entries(members)) {
          resolved.push([key, resolveOptions(schema.additionalProperties as OptionSchema, member, folder)]);
        }
      }
      return Object.freeze(Object.fromEntries(resolved));
    }
    case "array":
      return Object.freeze((value as readonly unknown[]).map((item) => resolveOptions(schema.items, item, folder)));
    case "string":
      return convert(schema.format, value as string, folder);
    default:
      return value;
  }
}

function convert(format: string | undefined, text: string, folder: string): unknown {
  switch (format) {
    case "duration":
      return parseDuration(text);
    case "size":
      return parseSize(text);
    case "time":
      return parseTime(text);
    case "secret":
      return Object.freeze(new Secret(text));
    case "path":
      return text === "memory" ? text : resolvePath(folder, text);
    default:
      return text;
  }
}

function isOfType(schema: OptionSchema, value: unknown): boolean {
  if ("const" in schema) return schema.const === value;
  if ("anyOf" in schema) return schema.anyOf.some((alternative) => isOfType(alternative, value));
  switch (schema.type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return typeof value === "number";
    default:
      return typeof value === schema.type;
  }
}
