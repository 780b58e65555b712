import type { Fate, Ledger } from "../message/fate.ts";
import { emptyLedger } from "../message/fate.ts";
import { type Code, code } from "./record-state.ts";

/** Moves messages from one account of the ledger to another. `received` is not touched. */
export function move(ledger: Ledger, from: Code, to: Code, reason?: string): void {
  add(ledger, from, -1);
  add(ledger, to, 1, reason);
}

/** Adds to the account of a code. For `dropped` the reason names which. */
export function add(ledger: Ledger, to: Code, messages: number, reason?: string): void {
  switch (to) {
    case code.open:
    case code.parked:
      ledger.pending += messages;
      break;
    case code.delivered:
      ledger.delivered += messages;
      break;
    case code.held:
      ledger.held += messages;
      break;
    case code.quarantined:
      ledger.quarantined += messages;
      break;
    case code.dropped:
      count(ledger.dropped, reason ?? "discarded", messages);
      break;
  }
}

/** Adds to a counter by reason; one that is back at 0 is gone. */
export function count(reasons: Record<string, number>, reason: string, messages: number): void {
  const now = (Object.hasOwn(reasons, reason) ? (reasons[reason] as number) : 0) + messages;
  if (now === 0) delete reasons[reason];
  else if (reason !== "__proto__") reasons[reason] = now;
  else Object.defineProperty(reasons, reason, { value: now, enumerable: true, configurable: true, writable: true });
}

export function reasonOf(fate: Fate): string | undefined {
  return fate.kind === "dropped" ? fate.reason : undefined;
}

export function sumOf(ledgers: Iterable<Ledger>): Ledger {
  const sum = emptyLedger();
  for (const ledger of ledgers) {
    sum.received += ledger.received;
    sum.delivered += ledger.delivered;
    sum.pending += ledger.pending;
    sum.held += ledger.held;
    sum.quarantined += ledger.quarantined;
    for (const [reason, messages] of Object.entries(ledger.dropped)) count(sum.dropped, reason, messages);
    sum.down.received += ledger.down.received;
    sum.down.delivered += ledger.down.delivered;
    sum.down.pending += ledger.down.pending;
    for (const [reason, messages] of Object.entries(ledger.down.dropped)) count(sum.down.dropped, reason, messages);
  }
  return sum;
}
