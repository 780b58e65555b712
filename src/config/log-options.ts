import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

/** The `log` section. */
export const logSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    level: {
      type: "string",
      enum: ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
      default: "info",
      description: "The least important events that are logged.",
    },
  },
} as const satisfies OptionSchema;

export type LogOptions = OptionsOf<typeof logSchema>;
