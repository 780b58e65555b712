import type { CloudFaults } from "./faults.ts";
import type { Records } from "./records.ts";
import type { Device, Registry } from "./registry.ts";
import type { Session } from "./session.ts";
import { type TokenRules, verifyToken } from "./token.ts";
import type { Topics } from "./topics.ts";
import type { Place, Variant } from "./variant.ts";

/** What the cloud allows. Sizes are bytes of payload; Infinity switches a limit off. */
export interface CloudLimits {
  /** Publishes, subscribes and unsubscribes of one connection. */
  readonly messagesPerSecond: number;
  /** Payload published on one connection. */
  readonly bytesPerSecond: number;
  readonly telemetryBytes: number;
  readonly stateBytes: number;
  /** Least time between an answered state and the same device's next. */
  readonly stateIntervalMs: number;
  /** Devices attached on one connection. */
  readonly attached: number;
}

/** The family's quotas (vendors' quota pages); "KB" is read as 1024 bytes. */
export function quotasOf(variant: Variant): CloudLimits {
  return {
    messagesPerSecond: 100,
    bytesPerSecond: 512 * 1024,
    telemetryBytes: 256 * 1024,
    stateBytes: 64 * 1024,
    stateIntervalMs: 1000,
    attached: variant.attached,
  };
}

export const noLimits: CloudLimits = {
  messagesPerSecond: Number.POSITIVE_INFINITY,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  telemetryBytes: Number.POSITIVE_INFINITY,
  stateBytes: Number.POSITIVE_INFINITY,
  stateIntervalMs: 0,
  attached: Number.POSITIVE_INFINITY,
};

/** How the cloud behaves where the sources leave it open or a test wants it quicker. */
export interface Conduct {
  /** Close where a lenient reading would send an error or SUBACK 128 and stay. */
  readonly strict: boolean;
  /** Devices that do not exist are created and bound as they are attached. */
  readonly anyDevice: boolean;
  /** Whether the registry passes events on. Without, the first event closes its connection. */
  readonly sink: boolean;
  readonly fastState: "close" | "accept";
  /** What a second connection of one device does to the first, or gets itself (CONNACK 2). */
  readonly duplicate: "takeOver" | "refuse";
  /** Tolerance for `iat` and `exp` of tokens. */
  readonly skewMs: number;
  /** How long after `exp` and the tolerance a connection is closed. */
  readonly expiryGraceMs: number;
  readonly connectTimeoutMs: number;
  /** Longest time without a packet, whatever keepalive was asked for. */
  readonly idleMs: number;
  readonly maxAgeMs: number;
  /** When what was not acknowledged is sent again. */
  readonly redeliverMs: number;
}

/** All that the connections of one stand-in cloud share. */
export interface Realm extends Conduct {
  readonly variant: Variant;
  readonly place: Place;
  readonly topics: Topics;
  readonly registry: Registry;
  readonly records: Records;
  readonly faults: CloudFaults;
  readonly limits: CloudLimits;
  readonly now: () => number;
  /** The live connection of each device that has its own. */
  readonly sessions: Map<string, Session>;
  /** The connection each attached device is reached through. */
  readonly routes: Map<string, Session>;
}

/** Verifies a device's token by the rules of this cloud. */
export function verifyFor(device: Device, token: string, realm: Realm): ReturnType<typeof verifyToken> {
  const rules: TokenRules = {
    keys: device.keys,
    strictBase64url: realm.variant.strictBase64url,
    skewMs: realm.skewMs,
    nowMs: realm.now(),
    ...(realm.variant.strictClaims ? { audience: realm.place.project } : {}),
  };
  return verifyToken(token, rules);
}
