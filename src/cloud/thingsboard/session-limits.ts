import type { RateLimits } from "./allowance.ts";
import type { TenantLimits } from "./tenant.ts";

/** The answer to `getSessionLimits` (ThingsBoard, GatewaySessionLimits). Limits that are not set are null. */
export function sessionLimitsText(limits: TenantLimits, isGateway: boolean): string {
  const level = ({ messages, telemetryMessages, telemetryDataPoints }: RateLimits = {}) => ({
    messages: messages ?? null,
    telemetryMessages: telemetryMessages ?? null,
    telemetryDataPoints: telemetryDataPoints ?? null,
  });
  return JSON.stringify({
    maxPayloadSize: 65_536,
    maxInflightMessages: 100,
    rateLimits: level(isGateway ? limits.gatewayDevice : limits.device),
    ...(isGateway ? { gatewayRateLimits: level(limits.gateway) } : {}),
  });
}
