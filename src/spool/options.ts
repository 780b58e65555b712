import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

/** The `spool` section: where messages are kept until the cloud has them. */
export const spoolSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    directory: {
      type: "string",
      format: "path",
      minLength: 1,
      default: "data/spool",
      description: 'Folder of the spool, or "memory" for no disk: messages are then lost when the process ends.',
    },
    maxBytes: {
      type: "string",
      format: "size",
      default: "1GiB",
      atLeast: "64KiB",
      atMost: "1TiB",
      description:
        "Payload bytes that may wait, held and quarantined ones included, over all gateways. The files may take up to twice that and 8 MiB.",
    },
    whenFull: {
      type: "string",
      enum: ["refuse", "dropOldest"],
      default: "refuse",
      description:
        "What happens when maxBytes is reached. refuse: gateways get no acknowledgement and are disconnected, so they keep their messages. dropOldest: the oldest waiting messages are dropped, and counted as full.",
    },
  },
} as const satisfies OptionSchema;

export type SpoolOptions = OptionsOf<typeof spoolSchema>;
