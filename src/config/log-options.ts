import { logThresholds } from "../message/log.ts";
import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

/** The `log` section. */
export const logSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    level: {
      type: "string",
      enum: logThresholds,
      default: "info",
      description:
        "The least important events that are logged. `PUT /log` and SIGUSR2 change it while the bridge runs.",
    },
  },
} as const satisfies OptionSchema;

export type LogOptions = OptionsOf<typeof logSchema>;
