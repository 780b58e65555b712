import { type JsonText, kindOf, membersOf } from "../message/json.ts";

/** So much in so long. A limit that a cloud states may have several such parts, which all hold. */
export interface RateLimit {
  readonly count: number;
  readonly withinMs: number;
}

/** What counts on its own: messages without data points, messages with them, and the data points. */
export interface RateLimits {
  readonly messages: readonly RateLimit[];
  readonly uploads: readonly RateLimit[];
  readonly points: readonly RateLimit[];
}

/** What ThingsBoard allows on one connection: to the gateway itself, and to all its devices together. */
export interface SessionLimits {
  readonly own: RateLimits;
  readonly devices: RateLimits;
  /** Whole packets, MQTT's remaining length. */
  readonly packetBytes?: number;
  /** Unacknowledged publishes. */
  readonly inFlight?: number;
}

/**
 * Reads the answer to `getSessionLimits` (ThingsBoard specification, 11.3). What it does not say is not limited; absent:
 * it is not such an answer, as with a server that does not know the question.
 */
export function readSessionLimits(data: JsonText): SessionLimits | undefined {
  if (kindOf(data) !== "object") return undefined;
  const members = membersOf(data);
  const own = members.get("rateLimits");
  const devices = members.get("gatewayRateLimits");
  const packetBytes = positive(members.get("maxPayloadSize"));
  const inFlight = positive(members.get("maxInflightMessages"));
  if (own === undefined && devices === undefined && packetBytes === undefined && inFlight === undefined) {
    return undefined;
  }
  return {
    own: readLimits(own),
    // Before 3.7 a gateway had no limits of its own: its devices count with it.
    devices: readLimits(devices ?? own),
    ...(packetBytes === undefined ? {} : { packetBytes }),
    ...(inFlight === undefined ? {} : { inFlight: Math.floor(inFlight) }),
  };
}

function readLimits(text: JsonText | undefined): RateLimits {
  const members: ReadonlyMap<string, JsonText> =
    text === undefined || kindOf(text) !== "object" ? new Map() : membersOf(text);
  return {
    messages: readRates(members.get("messages")),
    uploads: readRates(members.get("telemetryMessages")),
    points: readRates(members.get("telemetryDataPoints")),
  };
}

/** `20:1,600:60`: 20 in a second and 600 in a minute. */
function readRates(text: JsonText | undefined): readonly RateLimit[] {
  if (text === undefined || kindOf(text) !== "string") return [];
  return (JSON.parse(text) as string).split(",").flatMap((part) => {
    const found = /^\s*(\d{1,9}):(\d{1,9})\s*$/.exec(part);
    const [count, seconds] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
    return count > 0 && seconds > 0 ? [{ count, withinMs: seconds * 1000 }] : [];
  });
}

function positive(text: JsonText | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Number(text);
  return value >= 1 && Number.isFinite(value) ? value : undefined;
}
