/** Limits of one level, as tenant profiles write them: `count:seconds[,count:seconds…]`, empty for none. */
export interface RateLimits {
  readonly messages?: string;
  readonly telemetryMessages?: string;
  readonly telemetryDataPoints?: string;
}

/** Counts what one level may use. */
export interface Allowance {
  /** Uses what a message costs: with data points a telemetry message and the points, without a message. False: refused. */
  spend(dataPoints: number, nowMs: number): boolean;
}

/**
 * Opens the three counters of a level (ThingsBoard, DefaultTransportRateLimitService).
 *
 * @throws {RangeError} When a limit is not of the form `20:1,600:60`.
 */
export function allowanceOf(limits: RateLimits): Allowance {
  const messages = bucketOf(limits.messages ?? "");
  const telemetry = bucketOf(limits.telemetryMessages ?? "");
  const points = bucketOf(limits.telemetryDataPoints ?? "");
  return {
    spend: (dataPoints, nowMs) =>
      dataPoints > 0 ? telemetry(1, nowMs) && points(dataPoints, nowMs) : messages(1, nowMs),
  };
}

/** Takes from all of a limit's tanks or from none; they fill evenly over their time. */
function bucketOf(limit: string): (amount: number, nowMs: number) => boolean {
  const tanks = limit
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [, count, seconds] = /^\s*(\d+):(\d+)\s*$/.exec(part) ?? [];
      if (Number(count) > 0 && Number(seconds) > 0) {
        return { capacity: Number(count), perMs: Number(count) / (Number(seconds) * 1000), left: Number(count) };
      }
      throw new RangeError(`Cannot limit to "${limit}": wanted COUNT:SECONDS, separated by commas`);
    });
  let sinceMs: number | undefined;
  return (amount, nowMs) => {
    for (const tank of tanks) {
      tank.left = Math.min(tank.capacity, tank.left + (nowMs - (sinceMs ?? nowMs)) * tank.perMs);
    }
    sinceMs = nowMs;
    if (tanks.some(({ left }) => left < amount)) return false;
    for (const tank of tanks) tank.left -= amount;
    return true;
  };
}
