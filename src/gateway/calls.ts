import { type JsonText, objectText, scalarText } from "../message/json.ts";
import type { Call } from "../message/message.ts";
import { type Cargo, type Core, isTaken } from "./core.ts";
import { defaultPace } from "./pacing.ts";
import type { RateLimit, RateLimits } from "./session-limits.ts";

/** What a ThingsBoard server announces as the largest payload (its specification, 11.3). */
const maxPayloadSize = 65536;

/** Whether a call is answered here: always, or unless the cloud can be asked. */
export function isOwnCall(core: Core, { method }: Call): boolean {
  return core.adapt.calls === "answer" || ["getSessionLimits", "getServerTime", "getCurrentTime"].includes(method);
}

/** Answers what a gateway asks of its cloud for itself, on the connection it was asked on and on no other. */
export function answerCall(core: Core, message: Call, cargo: Cargo, done: () => void): void {
  const { connection } = cargo;
  if (connection === undefined || connection !== core.connection) {
    core.settle(cargo, { kind: "dropped", reason: "gone" });
    done();
    return;
  }
  const data = answerOf(core, message.method);
  core.deliver({ kind: "callResult", id: message.id, data }, connection, (outcome) => {
    core.settle(cargo, isTaken(outcome) ? { kind: "delivered" } : { kind: "dropped", reason: "gone" });
    done();
  });
}

function answerOf(core: Core, method: string): JsonText {
  switch (method) {
    case "getSessionLimits":
      return sessionLimits(core);
    case "getServerTime":
    case "getCurrentTime":
      return objectText([["time", scalarText(core.nowMs)]]);
    default:
      return objectText([["error", scalarText("unsupported")]]);
  }
}

/** Both limits are always there and never null: a real gateway's network thread dies of a missing one. */
function sessionLimits(core: Core): JsonText {
  const { inFlight, upstream } = core.options;
  const { messagesPerSecond, pace = defaultPace } = upstream.limits;
  const known: readonly RateLimit[] =
    messagesPerSecond === undefined ? [] : [{ count: messagesPerSecond, withinMs: 1000 }];
  const limits = limitsText({ messages: known, uploads: [], points: [] }, pace);
  const { own, devices } = core.told ?? {};
  return objectText([
    ["maxPayloadSize", scalarText(maxPayloadSize)],
    ["maxInflightMessages", scalarText(inFlight)],
    ["rateLimits", own === undefined ? limits : limitsText(own, pace)],
    ["gatewayRateLimits", devices === undefined ? limits : limitsText(devices, pace)],
  ]);
}

function limitsText({ messages, uploads, points }: RateLimits, pace: number): JsonText {
  const rates = (limits: readonly RateLimit[]) =>
    limits.map(({ count, withinMs }) => `${Math.max(1, Math.floor(count * pace))}:${withinMs / 1000}`).join(",");
  const named = [
    ["messages", rates(messages)],
    ["telemetryMessages", rates(uploads)],
    ["telemetryDataPoints", rates(points)],
  ] as const;
  return objectText(named.flatMap(([name, rate]) => (rate === "" ? [] : [[name, scalarText(rate)] as const])));
}
