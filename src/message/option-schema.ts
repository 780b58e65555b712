import type { Secret } from "./secret.ts";

/**
 * The part of JSON Schema that options are written in. A property without a description, or an object that takes unknown
 * keys, does not compile.
 *
 * Formats: `duration` (`90s`) becomes milliseconds and `size` (`64KiB`) bytes; `time`
 * (RFC 3339, or a date) Unix milliseconds; `secret` becomes a {@link Secret}; `content`
 * is the text of the file that `file:PATH` names; `path` becomes absolute; the others are texts of a certain form.
 */
export type OptionSchema =
  | (Annotations & { readonly type: "object"; readonly additionalProperties: false } & ObjectMembers)
  | (Annotations & { readonly type: "object"; readonly additionalProperties: OptionSchema })
  | (Annotations & {
      readonly type: "array";
      readonly items: OptionSchema;
      readonly minItems?: number;
      readonly maxItems?: number;
      readonly uniqueItems?: boolean;
    })
  | (Annotations & {
      readonly type: "string";
      readonly format?: keyof Formats;
      readonly enum?: readonly string[];
      readonly minLength?: number;
      readonly maxLength?: number;
      /** Bounds of a `duration` or `size`, written like one. */
      readonly atLeast?: string;
      readonly atMost?: string;
    })
  | (Annotations & {
      readonly type: "integer" | "number";
      readonly enum?: readonly number[];
      readonly minimum?: number;
      readonly exclusiveMinimum?: number;
      readonly maximum?: number;
    })
  | (Annotations & { readonly type: "boolean" | "null" })
  | (Annotations & { readonly const: string | number | boolean | null })
  | (Annotations & { readonly anyOf: readonly OptionSchema[] });

/** An object whose keys are all known. */
export type ObjectSchema = Annotations & {
  readonly type: "object";
  readonly additionalProperties: false;
} & ObjectMembers;

interface ObjectMembers {
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly properties: Readonly<Record<string, OptionSchema & { readonly description: string }>>;
}

interface Annotations {
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

/** What a string of each format is once the configuration is read. */
export interface Formats {
  readonly duration: number;
  readonly size: number;
  readonly secret: Secret;
  readonly content: string;
  readonly path: string;
  readonly mqttUrl: string;
  readonly httpUrl: string;
  readonly folder: string;
  readonly numericId: string;
  readonly id: string;
  /** Unix milliseconds. */
  readonly time: number;
}

/** The value that a schema describes, as code sees it: formats converted, defaults filled in. */
export type OptionsOf<Schema> = Schema extends { readonly const: infer Constant }
  ? Constant
  : Schema extends { readonly anyOf: readonly (infer Alternative)[] }
    ? OptionsOf<Alternative>
    : Schema extends { readonly enum: readonly (infer Member)[] }
      ? Member
      : Schema extends { readonly type: "string"; readonly format: infer Format extends keyof Formats }
        ? Formats[Format]
        : Schema extends { readonly type: infer Name extends keyof Scalars }
          ? Scalars[Name]
          : Schema extends { readonly type: "array"; readonly items: infer Item }
            ? readonly OptionsOf<Item>[]
            : Schema extends { readonly type: "object"; readonly properties: infer Properties }
              ? Flat<
                  {
                    readonly [Key in keyof Properties as IsGiven<Schema, Properties, Key> extends true
                      ? Key
                      : never]: OptionsOf<Properties[Key]>;
                  } & {
                    readonly [Key in keyof Properties as IsGiven<Schema, Properties, Key> extends true
                      ? never
                      : Key]?: OptionsOf<Properties[Key]>;
                  }
                >
              : Schema extends { readonly type: "object"; readonly additionalProperties: infer Item }
                ? Readonly<Record<string, OptionsOf<Item>>>
                : never;

interface Scalars {
  string: string;
  integer: number;
  number: number;
  boolean: boolean;
  null: null;
}

type IsGiven<Schema, Properties, Key extends keyof Properties> = Properties[Key] extends { readonly default: unknown }
  ? true
  : Schema extends { readonly required: readonly (infer Name)[] }
    ? Key extends Name
      ? true
      : false
    : false;

type Flat<Members> = { [Key in keyof Members]: Members[Key] };
