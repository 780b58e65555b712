import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

const folder = { type: "string", format: "folder" } as const satisfies OptionSchema;

/** The `rules` section: choices about what messages become. The same keys under one gateway go before these. */
export const rulesSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    telemetry: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "What telemetry looks like on the other side.",
      properties: {
        shape: {
          type: "string",
          enum: ["points", "point", "flat"],
          default: "points",
          description:
            "Body of telemetry in a cloud that takes any. points: one publish per device and packet, a list of {ts, values}. point: one publish per point, {ts, values}. flat: one publish per point, ts beside the values; telemetry of IoT Core gateways is read that way too.",
        },
        folderKey: {
          anyOf: [{ type: "string", minLength: 1 }, { const: false }],
          default: "subFolder",
          description:
            "IoT Core gateways, ThingsBoard cloud: key that holds the folder of the telemetry topic; false leaves it out.",
        },
      },
    },
    state: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "What devices report about themselves.",
      properties: {
        mode: {
          type: "string",
          enum: ["document", "as-is"],
          default: "document",
          description:
            "document: changed attributes are merged and the whole document is published. as-is: each change is published alone.",
        },
        interval: {
          type: "string",
          format: "duration",
          default: "1100ms",
          atMost: "1h",
          description: "Shortest time between two documents of one device; the newest wins.",
        },
      },
    },
    config: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "What the cloud wants devices to be.",
      properties: {
        keys: {
          type: "array",
          items: { type: "string", minLength: 1 },
          uniqueItems: true,
          default: [],
          description:
            "ThingsBoard cloud, IoT Core gateways: the shared attributes that make up the configuration. Empty: all that were ever seen.",
        },
        document: {
          anyOf: [{ type: "string", minLength: 1 }, { type: "null" }],
          default: null,
          description:
            "One shared attribute that holds the whole configuration, untouched; null: each key is an attribute.",
        },
        gateway: {
          type: "string",
          enum: ["withhold", "forward"],
          default: "withhold",
          description:
            "The configuration of a ThingsBoard gateway itself. It reconfigures the gateway process, so it is withheld unless told otherwise.",
        },
      },
    },
    commands: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "Orders from the cloud to devices.",
      properties: {
        form: {
          type: "string",
          enum: ["params", "envelope"],
          default: "params",
          description:
            "ThingsBoard cloud, IoT Core gateways. params: the method is the folder and the parameters are the body. envelope: no folder, and {id, method, params} is the body.",
        },
        timeout: {
          type: "string",
          format: "duration",
          default: "60s",
          atLeast: "1s",
          atMost: "24h",
          description:
            "Time a device has to answer a command before the cloud is told that it did not. With replies set, the default is 10s.",
        },
        responses: {
          ...folder,
          default: "responses",
          description: "IoT Core cloud, ThingsBoard gateways: telemetry folder that answers to commands go up in.",
        },
        replies: {
          anyOf: [folder, { type: "null" }],
          default: null,
          description:
            "ThingsBoard cloud, IoT Core gateways: telemetry in FOLDER/{id} is the answer to command id; null: the acknowledgement of the gateway is.",
        },
        gateway: {
          type: "array",
          items: { type: "string", minLength: 1 },
          uniqueItems: true,
          default: [],
          description:
            "Methods that the cloud may call on a ThingsBoard gateway itself. They include reboot and shell, so none is allowed unless listed.",
        },
      },
    },
    attributes: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "What a ThingsBoard gateway reports about itself.",
      properties: {
        gateway: {
          type: "string",
          enum: ["withhold", "forward"],
          default: "withhold",
          description:
            "The attributes in which a ThingsBoard gateway publishes its own configuration, secrets of its connectors included.",
        },
      },
    },
    claims: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "Claims of devices by their users.",
      properties: {
        folder: {
          anyOf: [folder, { type: "null" }],
          default: null,
          description:
            "IoT Core cloud, ThingsBoard gateways: telemetry folder that claims go up in; null: they are dropped as unsupported.",
        },
      },
    },
    detachAfter: {
      type: "string",
      format: "duration",
      default: "10m",
      atMost: "20d",
      description: "Time without the gateway after which its devices are detached in the cloud.",
    },
  },
} as const satisfies OptionSchema;

export type RulesOptions = OptionsOf<typeof rulesSchema>;
