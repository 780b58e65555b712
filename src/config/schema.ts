import { adminSchema } from "../admin/options.ts";
import type { Dialect } from "../dialect/dialect.ts";
import { rulesSchema } from "../gateway/options.ts";
import { gatewayLocalSchema, localSchema } from "../local/options.ts";
import type { ObjectSchema, OptionSchema } from "../message/option-schema.ts";
import { spoolSchema } from "../spool/options.ts";
import { gatewayUpstreamSchema, upstreamSchema } from "../upstream/options.ts";
import { logSchema } from "./log-options.ts";
import { reloadSchema } from "./reload-options.ts";

/** What a dialect needs to be told, as its mapping file lists it. */
export type Parameters = readonly (Dialect["parameters"][number] & { readonly isOptional?: boolean })[];

const gatewaySchema = {
  type: "object",
  additionalProperties: false,
  required: ["id", "local", "upstream"],
  properties: {
    id: {
      type: "string",
      format: "id",
      description:
        "Name of the gateway in logs, metrics and the spool, and its id in both clouds unless told otherwise.",
    },
    local: { ...gatewayLocalSchema, description: "How the gateway proves to dragoman who it is." },
    upstream: { ...gatewayUpstreamSchema, description: "How dragoman proves to the cloud that it is the gateway." },
    rules: {
      ...rulesSchema,
      default: {},
      description: "Choices for this gateway alone; what is left out is as in the rules for all.",
    },
  },
} as const satisfies ObjectSchema;

/** The schema of a configuration file whose sides have these parameters. Composed of the parts' own schemas. */
export function configSchema(parameters: { readonly local: Parameters; readonly upstream: Parameters }) {
  return {
    type: "object",
    additionalProperties: false,
    required: ["local", "upstream", "gateways"],
    properties: {
      local: { ...withParameters(localSchema, parameters.local), description: "The side that gateways connect to." },
      upstream: { ...withParameters(upstreamSchema, parameters.upstream), description: "The cloud we talk to." },
      gateways: {
        type: "array",
        items: gatewaySchema,
        minItems: 1,
        description: "The gateways that may connect, or file:PATH of a YAML file that holds just this list.",
      },
      spool: { ...spoolSchema, default: {}, description: "Where messages are kept until the cloud has them." },
      rules: { ...rulesSchema, default: {}, description: "Choices about what messages become." },
      mapping: {
        type: "string",
        format: "path",
        description:
          "A mapping file of your own that goes on top of the dialects: other names for devices and keys, scaled values, shapes, folders.",
      },
      admin: {
        anyOf: [adminSchema, { const: false }],
        default: {},
        description: "Health, metrics and status over HTTP; false turns it off.",
      },
      log: { ...logSchema, default: {}, description: "What is logged." },
      reload: { ...reloadSchema, default: {}, description: "How a changed configuration is taken over." },
      allowInlineSecrets: {
        type: "boolean",
        default: false,
        description: "Allow tokens, passwords and private keys in clear in this file. For trying things out.",
      },
    },
  } as const satisfies ObjectSchema;
}

function withParameters(schema: ObjectSchema, parameters: Parameters): ObjectSchema {
  const named: Record<string, OptionSchema & { readonly description: string }> = {};
  for (const { name, describe, default: fallback } of parameters) {
    named[name] = {
      type: "string",
      format: "id",
      description: describe,
      ...(fallback === undefined ? {} : { default: fallback }),
    };
  }
  const needed = parameters.filter((parameter) => parameter.default === undefined && parameter.isOptional !== true);
  return {
    ...schema,
    required: [...(schema.required ?? []), ...needed.map(({ name }) => name)],
    properties: { ...named, ...schema.properties },
  };
}
