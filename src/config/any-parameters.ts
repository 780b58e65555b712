import type { DialectLibrary } from "../mappings.ts";
import type { Parameters } from "./schema.ts";

/** The parameters of all dialects of a library, none of them needed, each with the dialects that have it. */
export function anyParameters(library: DialectLibrary): Parameters {
  const parameters = new Map<string, { readonly describe: string; readonly dialects: string[] }>();
  for (const dialect of library.names) {
    const compiled = library.load(dialect);
    if (compiled === undefined || !("dialect" in compiled)) continue;
    for (const { name, describe } of compiled.dialect.parameters) {
      const known = parameters.get(name);
      if (known === undefined) parameters.set(name, { describe, dialects: [dialect] });
      else known.dialects.push(dialect);
    }
  }
  return [...parameters].map(([name, { describe, dialects }]) => ({
    name,
    describe: `${describe} For ${dialects.join(", ")}.`,
    isOptional: true,
  }));
}
