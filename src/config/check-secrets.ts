import type { OptionSchema } from "../message/option-schema.ts";
import type { Report } from "./report.ts";
import { escapePointer, type Source } from "./source.ts";

/** Refuses every secret that stands in the file itself, by the schema's word for what is a secret. */
export function checkSecrets(schema: OptionSchema, source: Source, report: Report): void {
  walk(schema, source.value, "");

  function walk(at: OptionSchema, value: unknown, pointer: string): void {
    if ("anyOf" in at) {
      for (const alternative of at.anyOf) walk(alternative, value, pointer);
    } else if ("const" in at) return;
    else if (at.type === "array" && Array.isArray(value)) {
      for (const [index, item] of value.entries()) walk(at.items, item, `${pointer}/${index}`);
    } else if (at.type === "object" && typeof value === "object" && value !== null) {
      for (const [key, member] of Object.entries(value)) {
        const below = "properties" in at ? at.properties[key] : (at.additionalProperties as OptionSchema);
        if (below !== undefined) walk(below, member, `${pointer}/${escapePointer(key)}`);
      }
    } else if (at.type === "string" && at.format === "secret" && typeof value === "string") {
      if (source.nodes.get(pointer)?.origin !== "inline" || report.isWrong(pointer)) return;
      report.add(
        pointer,
        `found a secret in clear, wanted "\${NAME}" or "file:PATH", or "allowInlineSecrets: true" for trying things out`,
      );
    }
  }
}
