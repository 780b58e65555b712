import type { JsonText } from "../message/json.ts";
import { type Conversion, defineConversion } from "./conversion.ts";
import { only, scalarOf } from "./loose-json.ts";
import type { ValueType } from "./vocabulary.ts";

/**
 * A conversion that looks words up: `client` written as `true`, `shared` as `false`.
 *
 * Written words are compared ignoring case and quotes (`"TRUE"` is `true`); any other string, number or boolean reads as
 * `otherwise`, if that is given.
 */
export function tableConversion(
  type: ValueType,
  rows: readonly (readonly [word: string, written: JsonText])[],
  otherwise?: string,
): Conversion {
  const printed = new Map(rows);
  const plain = (written: string) => written.replace(/^"(.*)"$/s, "$1").toLowerCase();
  const read = new Map(rows.map(([word, written]) => [plain(written), word]));
  return defineConversion<string>({
    name: "table",
    types: [type],
    wanted: rows.map(([, written]) => written).join(" or "),
    kinds: ["string", "number", "boolean", "array"],
    read: (node) => {
      const said = scalarOf(only(node));
      return said === undefined ? undefined : (read.get(said.toLowerCase()) ?? otherwise);
    },
    print: (word) => printed.get(word),
    law: { same: [...printed.keys()], also: [] },
  });
}
