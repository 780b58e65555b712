import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

/** The `local` section: the MQTT server that gateways connect to. The dialect's parameters stand beside these keys. */
export const localSchema = {
  type: "object",
  additionalProperties: false,
  required: ["dialect"],
  properties: {
    dialect: { type: "string", minLength: 1, description: "The dialect that the gateways speak." },
    listen: {
      type: "array",
      items: { type: "string", format: "mqttUrl" },
      minItems: 1,
      uniqueItems: true,
      default: ["mqtt://127.0.0.1:1883"],
      description:
        "Addresses to listen on: mqtt:// or, with tls, mqtts://. Port 0 takes any free port. An address that is not loopback needs mqtts:// and credentials.",
    },
    tls: {
      type: "object",
      additionalProperties: false,
      required: ["certificate", "key"],
      description: "What mqtts:// addresses show to gateways.",
      properties: {
        certificate: {
          type: "string",
          format: "content",
          description: "Certificate of the server in PEM, followed by its intermediates: file:PATH.",
        },
        key: { type: "string", format: "secret", description: "Private key of the certificate in PEM: file:PATH." },
        clientCa: {
          type: "string",
          format: "content",
          description:
            "Certificates in PEM that client certificates must be signed by: file:PATH. Left out: only the certificates listed under gateways are known.",
        },
      },
    },
    strict: {
      type: "boolean",
      default: false,
      description: "Close the connection on bad input wherever the real cloud does, instead of keeping it open.",
    },
    maxPacketSize: {
      type: "string",
      format: "size",
      default: "1MiB",
      atLeast: "1KiB",
      atMost: "256MiB",
      description:
        "Largest MQTT packet taken; a larger one closes the connection. Real ThingsBoard gateways send more than the 64 KiB announced to them.",
    },
    maxConnections: {
      type: "integer",
      minimum: 1,
      default: 10000,
      description: "Connections open at once over all addresses; further ones are closed.",
    },
    connectTimeout: {
      type: "string",
      format: "duration",
      default: "10s",
      atLeast: "100ms",
      atMost: "10m",
      description: "Time from opening the connection to a complete CONNECT packet.",
    },
    restoreAttachments: {
      type: "boolean",
      default: false,
      description:
        "IoT Core: a new connection starts with the attachments of the gateway's previous one, for gateways that forget to attach again after a token refresh.",
    },
    allowPlaintext: {
      type: "boolean",
      default: false,
      description: "Allow mqtt:// addresses that are not loopback: credentials and data can be read on the way.",
    },
    allowPasswordless: {
      type: "boolean",
      default: false,
      description:
        "Allow user names and client ids without a password at addresses that are not loopback, though neither is a secret.",
    },
  },
} as const satisfies OptionSchema;

export type LocalOptions = OptionsOf<typeof localSchema>;

const publicKeys = {
  type: "array",
  items: {
    anyOf: [
      { type: "string", format: "content" },
      {
        type: "object",
        additionalProperties: false,
        required: ["key"],
        properties: {
          key: {
            type: "string",
            format: "content",
            description: "The public key or certificate in PEM, as file:PATH.",
          },
          expires: { type: "string", format: "time", description: "From then on it counts no more." },
        },
      },
    ],
  },
  minItems: 1,
  maxItems: 3,
  description:
    "Public keys or certificates in PEM, up to three, as file:PATH, or as { key: file:PATH, expires: 2027-12-31 }; a token signed by any of them is good. A certificate counts until it expires.",
} as const satisfies OptionSchema;

const numericId = {
  type: "string",
  format: "numericId",
  description:
    "The cloud's own number for it, taken as another name in client ids and topics. In quotes: it may exceed a double.",
} as const satisfies OptionSchema;

const blocked = {
  type: "boolean",
  default: false,
  description: "Refuse it, as a device that is blocked in the vendor's registry.",
} as const satisfies OptionSchema;

/**
 * `gateways[].local`: how a gateway proves to us who it is.
 *
 * ThingsBoard has exactly one of: `token`; `username`, `password` and `clientId` (any of them but none alone without
 * meaning); `certificate`. IoT Core has `publicKeys` and the registry entries. What fits which dialect is checked when the
 * configuration is read.
 */
export const gatewayLocalSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    token: { type: "string", format: "secret", description: "ThingsBoard access token, sent as the MQTT user name." },
    username: { type: "string", minLength: 1, description: "ThingsBoard MQTT basic credentials: the user name." },
    password: { type: "string", format: "secret", description: "ThingsBoard MQTT basic credentials: the password." },
    clientId: { type: "string", minLength: 1, description: "ThingsBoard MQTT basic credentials: the client id." },
    certificate: {
      type: "string",
      format: "content",
      description: "ThingsBoard X.509 credentials: the client certificate in PEM, as file:PATH.",
    },
    publicKeys,
    authMethod: {
      type: "string",
      enum: ["ASSOCIATION_ONLY", "DEVICE_AUTH_TOKEN_ONLY", "ASSOCIATION_AND_DEVICE_AUTH_TOKEN"],
      default: "ASSOCIATION_ONLY",
      description: "IoT Core: what a device behind the gateway needs to be attached, as in the vendor's registry.",
    },
    devices: {
      type: "object",
      description:
        "IoT Core: the devices behind the gateway by id. Left out: any id may attach, which only ASSOCIATION_ONLY allows.",
      additionalProperties: {
        type: "object",
        additionalProperties: false,
        properties: {
          bound: {
            type: "boolean",
            default: true,
            description: "Whether the device is bound to this gateway; false: it exists, but not here.",
          },
          publicKeys,
          numericId,
          blocked,
        },
      },
    },
    gateway: {
      type: "boolean",
      default: true,
      description: "IoT Core: false for a plain device that connects by itself and has no devices behind it.",
    },
    numericId,
    blocked,
  },
} as const satisfies OptionSchema;

export type GatewayLocalOptions = OptionsOf<typeof gatewayLocalSchema>;
