import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

/** The `admin` section: health, metrics and status over HTTP. */
export const adminSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    listen: {
      type: "string",
      format: "httpUrl",
      default: "http://127.0.0.1:9464",
      description: "Address to serve on. Port 0 takes any free port. An address that is not loopback needs a token.",
    },
    token: {
      type: "string",
      format: "secret",
      description: "Bearer token that requests must show, save those to /healthz and /readyz.",
    },
  },
} as const satisfies OptionSchema;

export type AdminOptions = OptionsOf<typeof adminSchema>;
