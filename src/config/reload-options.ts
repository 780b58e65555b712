import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

/** The `reload` section. */
export const reloadSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    watch: {
      type: "boolean",
      default: true,
      description:
        "Look every second whether this file, or one that it names, has changed, and take it over as on SIGHUP. Read when the bridge starts.",
    },
  },
} as const satisfies OptionSchema;

export type ReloadOptions = OptionsOf<typeof reloadSchema>;
