import type { MessageRef } from "../message/fate.ts";
import { endOf, family, gatewayKey, refOf, textKey } from "./keys.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { SpoolFilter } from "./spool.ts";

/** What one step through the indexes of waiting messages came by. */
export interface WaitingStep {
  readonly refs: readonly MessageRef[];
  /** Where the next step begins; absent at the end. */
  readonly next?: string;
}

export interface WaitingWalk {
  readonly gateway: number;
  readonly filter: Pick<SpoolFilter, "device" | "fate">;
  /** How many messages to come by at most. */
  readonly limit: number;
  /** `next` of the step before; anything that is none begins nowhere. */
  readonly from: string | undefined;
}

/**
 * Comes by the messages of one gateway that are held or parked, by device and then in order, and behind them those that
 * are quarantined, in order. The place between two steps is a key, so it stays right whatever goes or comes meanwhile.
 */
export function walkWaiting(writes: PendingWrites, { gateway, filter, limit, from }: WaitingWalk): WaitingStep {
  const refs: MessageRef[] = [];
  const start = from === undefined ? undefined : Buffer.from(from, "hex");
  for (const prefix of prefixesOf(gateway, filter)) {
    if (start !== undefined && Buffer.compare(start, endOf(prefix)) >= 0) continue;
    const begin = start !== undefined && Buffer.compare(start, prefix) > 0 ? start : prefix;
    for (const key of writes.scanKeys(begin, endOf(prefix))) {
      if (refs.length >= limit) return { refs, next: key.toString("hex") };
      refs.push(refOf(key));
    }
  }
  return { refs };
}

function prefixesOf(gateway: number, { device, fate }: WaitingWalk["filter"]): readonly Buffer[] {
  const waiting = device === undefined ? gatewayKey(family.waiting, gateway) : textKey(family.waiting, gateway, device);
  const quarantined = gatewayKey(family.quarantined, gateway);
  return [...(fate === "quarantined" ? [] : [waiting]), ...(fate === "held" ? [] : [quarantined])];
}
