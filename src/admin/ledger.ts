import type { Ledger } from "../message/fate.ts";

/** What `/ledger` answers: the sum over all gateways, and each gateway's own. */
export interface LedgerDocument extends Ledger {
  readonly gateways: Readonly<Record<string, Ledger>>;
}

/** Lays out `/ledger`. Members are named one by one: scripts rely on these and on no others. */
export function ledgerDocument(total: Ledger, gateways: Readonly<Record<string, Ledger>>): LedgerDocument {
  const { down, ...up } = entry(total);
  return {
    ...up,
    gateways: Object.fromEntries(Object.entries(gateways).map(([id, ledger]) => [id, entry(ledger)])),
    down,
  };
}

function entry({ received, delivered, pending, held, quarantined, dropped, down }: Ledger): Ledger {
  return {
    received,
    delivered,
    pending,
    held,
    quarantined,
    dropped,
    down: { received: down.received, delivered: down.delivered, pending: down.pending, dropped: down.dropped },
  };
}
