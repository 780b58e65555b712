import type { Fate } from "../message/fate.ts";

/** What became of a message, in a few words. */
export function describeFate(fate: Fate): string {
  switch (fate.kind) {
    case "delivered":
      return "delivered";
    case "dropped":
      return `dropped: ${fate.reason}`;
    case "held":
      return `held for device "${fate.device}": ${fate.reason}`;
    case "quarantined":
      return `quarantined: ${fate.reason}`;
    case "parked":
      return `waits for device "${fate.device}"`;
  }
}
