import type { Config } from "../config.ts";
import type { BoundDialect } from "../dialect/dialect.ts";
import { builtInDialect } from "../mappings.ts";

/** The dialect of this name, bound to a gateway of the local side; configured or not. */
export type BoundDialects = (gateway: string, name: string) => BoundDialect | undefined;

/** Dialects that can read what is in the spool: the local one, and by name those of records from before it was changed. */
export function boundDialects({ local }: Pick<Config, "local">): BoundDialects {
  const bound = new Map<string, BoundDialect | undefined>();
  return (gateway, name) => {
    const key = `${name}/${gateway}`;
    if (!bound.has(key)) {
      const dialect = name === local.dialect.name ? local.dialect : builtInDialect(name);
      bound.set(key, dialect?.bind({ ...local.parameters, gateway }));
    }
    return bound.get(key);
  };
}
