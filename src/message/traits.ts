/** What kind of cloud a dialect belongs to. Two sides that differ in a trait need an adaptation; equal ones pass through. */
export interface Traits {
  /** Whether a device must be attached before anything else, or is by any message that names it. */
  readonly attach: "implied" | "required";
  /** Configuration as one whole document, or as changed and deleted keys. */
  readonly config: "document" | "changes";
  /** Reported state as one whole document, or as changed keys. */
  readonly state: "document" | "changes";
  /** Whether commands carry an id and expect a reply. */
  readonly commands: "replied" | "oneWay";
  /** Whether errors come on a topic. */
  readonly errors: "topic" | "none";
  /** Whether telemetry carries its own time or has that of its arrival. */
  readonly time: "payload" | "arrival";
  /** Whether telemetry is JSON points or opaque bytes. */
  readonly body: "points" | "bytes";
  /** Whether one packet may carry several devices. */
  readonly packet: "devices" | "device";
}

/** Which device ids a cloud can carry in its topics. */
export interface IdRules {
  /** `free`: any text. `restricted`: the rest of the members hold. */
  readonly form: "free" | "restricted";
  /** The whole id, as a regular expression without anchors or look-arounds that can backtrack. */
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Characters that stand for themselves in an escaped id, as the inside of a character class. */
  readonly unescaped?: string;
  /** Prefixes no id may have, whatever their case. */
  readonly reservedPrefixes?: readonly string[];
}

/** What a cloud takes. Sizes are bytes of payload, intervals milliseconds; absent: no limit known. */
export interface Limits {
  readonly telemetryBytes?: number;
  readonly stateBytes?: number;
  readonly configBytes?: number;
  readonly commandBytes?: number;
  /** Whole packets, where the limit is on those. */
  readonly packetBytes?: number;
  /** What the cloud allows on one connection, all devices together. We stay at `pace` of it. */
  readonly messagesPerSecond?: number;
  readonly bytesPerSecond?: number;
  /** The share of `messagesPerSecond` and `bytesPerSecond` that is used, 0 to 1. */
  readonly pace?: number;
  readonly stateIntervalMs?: number;
  readonly attached?: number;
}

/** What to do about an error code, as data of the dialect. */
export interface RetryPolicy {
  /**
   * `hold`: the device's messages are held and it is tried again every `everyMs`. `reattach`: attach again and repeat the
   * message, `hold` when it happens again within `againMs`. `reattachSlowly`: attach again after `firstMs`, growing to
   * `capMs`. `quarantine`: the message named by the error never will do. `forget`: nothing of ours is left to do.
   * `backoff`: the message again, after `firstMs`, growing to `capMs`.
   */
  readonly action: "hold" | "reattach" | "reattachSlowly" | "quarantine" | "forget" | "backoff";
  readonly everyMs?: number;
  readonly againMs?: number;
  readonly firstMs?: number;
  readonly capMs?: number;
}

/** How long to wait before connecting again. Grows by doubling from `firstMs` to `capMs`; jitter comes on top. */
export interface ReconnectPolicy {
  readonly reason: string;
  readonly firstMs: number;
  readonly capMs: number;
  readonly jitterMs: number;
  /** Attempts made at `firstMs` before the growth begins. */
  readonly quickTries?: number;
}
