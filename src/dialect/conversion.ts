import type { JsonKind, JsonNode, JsonText } from "../message/json.ts";
import type { ValueType } from "./vocabulary.ts";

/** What `read` gives for a value that is there but says nothing. */
export const absent: unique symbol = Symbol("absent");

/**
 * How a variable is written as JSON: two functions and the law between them.
 *
 * A conversion may read more than it prints. What it prints, it reads back as the same value; `law.same` are values on which
 * that is checked when a dialect is verified, `law.also` are texts that it reads besides, with what they mean.
 */
export interface Conversion {
  readonly name: string;
  readonly types: readonly ValueType[];
  /** What it reads, in the words of a misfit. */
  readonly wanted: string;
  /** Kinds of JSON it may be able to read. */
  readonly kinds: readonly JsonKind[];
  /** `undefined`: the value does not fit. */
  read(node: JsonNode, gateway: string): unknown;
  /** `undefined`: the value cannot be written so that it reads back the same. */
  print(value: unknown, gateway: string): JsonText | undefined;
  readonly law: { readonly same: readonly unknown[]; readonly also: readonly (readonly [string, unknown])[] };
}

type Typed<Value> = Omit<Conversion, "print"> & { print(value: Value, gateway: string): JsonText | undefined };

/** A conversion whose `print` knows what it prints; variables of its types hold nothing else. */
export function defineConversion<Value>(conversion: Typed<Value>): Conversion {
  return conversion as Conversion;
}
