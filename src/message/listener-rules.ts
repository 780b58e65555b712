/**
 * How a cloud meets a device that connects to it: what the local side does in its place. Data of the dialect. Durations
 * are milliseconds, sizes bytes; absent: no such rule.
 */
export interface ListenerRules {
  /** MQTT levels that are let in. */
  readonly protocols: readonly (3 | 4 | 5)[];
  /** CONNACK codes of MQTT 3.1.1. Without one for `protocol`, another level is answered by closing. */
  readonly refusals: { readonly protocol?: number; readonly clientId: number; readonly credentials: number };
  readonly token: TokenRules;
  /** The highest QoS of a PUBLISH; a higher one closes the connection. */
  readonly qos: 1 | 2;
  /** Silence after which the connection is closed, whatever its keep-alive. */
  readonly idleMs?: number;
  readonly telemetryBytes?: number;
  readonly stateBytes?: number;
  /** Between two states of a device, from the answer to the one to the other; a strict cloud refuses what comes sooner. */
  readonly stateIntervalMs?: number;
}

/** What a token (RFC 7519) that a device proves itself with has to be. */
export interface TokenRules {
  /** How far clocks may differ, either way. */
  readonly skewMs: number;
  /** Longest time from `iat` to `exp`, skew not counted. */
  readonly lifetimeMs: number;
  /** How long a connection outlives `exp` and skew. */
  readonly graceMs: number;
  /** `checked`: `aud` is one text, the cloud's own, and the header says `typ`. `ignored`: neither is looked at. */
  readonly audience: "checked" | "ignored";
  /** `strict`: base64url and nothing else (RFC 7515, 2). `lenient`: padding and the other alphabet are taken too. */
  readonly encoding: "strict" | "lenient";
}
