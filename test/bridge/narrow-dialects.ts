import { compileDialect } from "../../src/dialect/compile.ts";
import { builtInDialects, builtInMappings, type DialectLibrary } from "../../src/mappings.ts";

/** The dialects with a ThingsBoard mapping that does not know points without a time yet. */
export function narrowDialects(): DialectLibrary {
  const others = builtInMappings().filter(({ name }) => name !== "thingsboard");
  const [mapping] = builtInMappings().filter(({ name }) => name === "thingsboard");
  const flat = /\.\.\.: \$values(?= +# anything else)/;
  if (mapping === undefined || !flat.test(mapping.text)) throw new Error("the mapping has no rule for flat points");
  const narrow = compileDialect("thingsboard", [
    { ...mapping, text: mapping.text.replace(flat, "flat: $values") },
    ...others,
  ]);
  const library = builtInDialects();
  return { ...library, load: (name: string) => (name === "thingsboard" ? narrow : library.load(name)) };
}
