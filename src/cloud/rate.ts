/** Something of which only so much may be used per second. */
export interface Rate {
  /** Uses `amount`; false when that is more than there is. */
  use(amount: number, nowMs: number): boolean;
}

/**
 * Allows `perSecond` on average, and as much at once after a quiet second.
 *
 * A bucket rather than a count per second: what a sender spread evenly may arrive in lumps, and must still pass.
 */
export function rateOf(perSecond: number): Rate {
  let left = perSecond;
  let sinceMs: number | undefined;
  return {
    use(amount, nowMs) {
      if (sinceMs !== undefined) left = Math.min(perSecond, left + ((nowMs - sinceMs) * perSecond) / 1000);
      sinceMs = nowMs;
      if (amount > left) return false;
      left -= amount;
      return true;
    },
  };
}
