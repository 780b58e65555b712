import type { OptionSchema, OptionsOf } from "../message/option-schema.ts";

/** The `upstream` section: the cloud we talk to. The dialect's parameters stand beside these keys. */
export const upstreamSchema = {
  type: "object",
  additionalProperties: false,
  required: ["dialect"],
  properties: {
    dialect: { type: "string", minLength: 1, description: "The dialect that the cloud speaks." },
    url: {
      type: "string",
      format: "mqttUrl",
      description:
        "Address of the cloud, mqtts:// or, on loopback, mqtt://. Left out: the dialect's own, where it has one.",
    },
    tls: {
      type: "object",
      additionalProperties: false,
      description: "How the cloud's certificate is checked.",
      properties: {
        ca: {
          type: "string",
          format: "content",
          description: "Certificates in PEM that the cloud's must be signed by, instead of the public ones: file:PATH.",
        },
        serverName: {
          type: "string",
          minLength: 1,
          description: "Name that the cloud's certificate must carry, where it is not the one in the url.",
        },
      },
    },
    protocol: {
      type: "integer",
      enum: [4, 5],
      description: "MQTT level: 4 is MQTT 3.1.1, 5 is MQTT 5. Left out: the one the dialect prefers.",
    },
    audience: {
      type: "string",
      minLength: 1,
      description: "Audience (`aud`) of the tokens. Left out: what the dialect says, the project or the subscription.",
    },
    keepalive: {
      type: "string",
      format: "duration",
      default: "60s",
      atLeast: "1s",
      atMost: "18h",
      description: "Time without a packet after which the cloud is asked whether it is still there; whole seconds.",
    },
    connectTimeout: {
      type: "string",
      format: "duration",
      default: "30s",
      atLeast: "100ms",
      atMost: "10m",
      description: "Time for one attempt to connect, TLS and CONNACK included.",
    },
    tokenLifetime: {
      type: "string",
      format: "duration",
      default: "1h",
      atLeast: "5s",
      atMost: "24h",
      description: "Lifetime of the tokens made from the private key, at most 24h; each is renewed in time.",
    },
    inFlight: {
      type: "integer",
      minimum: 1,
      maximum: 65535,
      default: 256,
      description:
        "Publishes per gateway that may be unacknowledged, and so how many may be repeated after an interruption.",
    },
    attachTimeout: {
      type: "string",
      format: "duration",
      default: "10s",
      atLeast: "100ms",
      atMost: "10m",
      description: "Time that an attach may take to be acknowledged before it is tried again.",
    },
    settle: {
      type: "string",
      format: "duration",
      default: "500ms",
      atMost: "1m",
      description:
        "Pause between the acknowledgement of an attach and the device's first packet, in which an error can still take it back.",
    },
    limits: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "Limits of the cloud account where they differ from those the dialect knows.",
      properties: {
        messagesPerSecond: {
          type: "number",
          exclusiveMinimum: 0,
          description: "Messages per second on one connection, all devices together.",
        },
        bytesPerSecond: {
          anyOf: [
            { type: "string", format: "size", atLeast: "1KiB" },
            { type: "integer", minimum: 1024 },
          ],
          description: "Payload bytes per second on one connection, all devices together.",
        },
        stateInterval: {
          type: "string",
          format: "duration",
          atMost: "1h",
          description: "Shortest time between two states of one device.",
        },
        attached: { type: "integer", minimum: 1, description: "Devices attached to one gateway at once." },
      },
    },
    allowPlaintext: {
      type: "boolean",
      default: false,
      description: "Allow an mqtt:// url that is not loopback: credentials and data can be read on the way.",
    },
  },
} as const satisfies OptionSchema;

export type UpstreamOptions = OptionsOf<typeof upstreamSchema>;

/**
 * `gateways[].upstream`: how a gateway proves to the cloud who it is.
 *
 * IoT Core has `privateKey` and `algorithm`; ThingsBoard one of `token`, `username` with `password` and `clientId`, and
 * `tls`. What fits which dialect is checked when the configuration is read.
 */
export const gatewayUpstreamSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    gateway: {
      type: "string",
      format: "id",
      description: "The gateway's id in the cloud's registry. Left out: its id here.",
    },
    privateKey: {
      type: "string",
      format: "secret",
      description: "IoT Core: private key in PEM that signs the gateway's tokens: file:PATH.",
    },
    algorithm: {
      type: "string",
      enum: ["ES256", "RS256"],
      description: "IoT Core: ES256 for a P-256 key, RS256 for an RSA key of 2048 bits or more.",
    },
    token: { type: "string", format: "secret", description: "ThingsBoard access token of the gateway." },
    username: { type: "string", minLength: 1, description: "ThingsBoard MQTT basic credentials: the user name." },
    password: { type: "string", format: "secret", description: "ThingsBoard MQTT basic credentials: the password." },
    clientId: { type: "string", minLength: 1, description: "ThingsBoard MQTT basic credentials: the client id." },
    tls: {
      type: "object",
      additionalProperties: false,
      required: ["certificate", "key"],
      description: "ThingsBoard X.509 credentials.",
      properties: {
        certificate: {
          type: "string",
          format: "content",
          description: "Client certificate in PEM, followed by its intermediates: file:PATH.",
        },
        key: { type: "string", format: "secret", description: "Private key of the certificate in PEM: file:PATH." },
      },
    },
  },
} as const satisfies OptionSchema;

export type GatewayUpstreamOptions = OptionsOf<typeof gatewayUpstreamSchema>;
