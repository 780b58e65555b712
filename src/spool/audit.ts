import { imbalanceOf, type Ledger } from "../message/fate.ts";
import { endOf, family, seqOf, singleKey } from "./keys.ts";
import { loadBlock } from "./load-block.ts";
import { code, codeAt, type RecordState } from "./record-state.ts";
import type { Store } from "./store.ts";
import { decodeGateway } from "./stored.ts";

/** One counter of a gateway that is not what the records say. */
export interface Discrepancy {
  readonly gateway: string;
  /** `received`: the ledger by itself does not add up. */
  readonly counter: "received" | "pending" | "held" | "quarantined" | "waitingBytes";
  readonly counted: number;
  readonly found: number;
}

export interface SpoolAudit {
  /** Records that were looked at. */
  readonly records: number;
  /** `false`: there are more than were to be looked at, so that only the ledgers by themselves were checked. */
  readonly isComplete: boolean;
  readonly discrepancies: readonly Discrepancy[];
}

/** How much of a spool may be looked at in one go. */
export interface AuditBounds {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** Called now and then with the records looked at so far. */
  readonly progress?: (records: number) => void;
}

/**
 * Counts the records anew and compares them with the counters that were committed together with them.
 *
 * It reads everything in one turn of the event loop, about 10,000 records in 50 ms; `bounds` keep that short.
 */
export function auditStore(store: Store, bounds: AuditBounds): SpoolAudit {
  const gateways = new Map<number, Counters>();
  const discrepancies: Discrepancy[] = [];
  let bytes = 0;
  for (const [key, value] of store.scan(...rangeOf(family.gateway))) {
    const { id, ledger, waitingBytes } = decodeGateway(value);
    const imbalance = imbalanceOf(ledger);
    if (imbalance !== 0) {
      const { received } = ledger;
      discrepancies.push({ gateway: id, counter: "received", counted: received, found: received - imbalance });
    }
    gateways.set(key.readUInt32BE(1), {
      id,
      counted: { ...accountsOf(ledger), waitingBytes },
      found: { pending: 0, held: 0, quarantined: 0, waitingBytes: 0 },
    });
    bytes += waitingBytes;
  }
  const records = bytes > bounds.maxBytes ? undefined : countRecords(store, gateways, bounds);
  if (records === undefined) return { records: 0, isComplete: false, discrepancies };
  for (const { id, counted, found } of gateways.values()) {
    for (const counter of ["pending", "held", "quarantined", "waitingBytes"] as const) {
      if (counted[counter] === found[counter]) continue;
      discrepancies.push({ gateway: id, counter, counted: counted[counter], found: found[counter] });
    }
  }
  return { records, isComplete: true, discrepancies };
}

interface Accounts {
  pending: number;
  held: number;
  quarantined: number;
  waitingBytes: number;
}

interface Counters {
  readonly id: string;
  readonly counted: Readonly<Accounts>;
  readonly found: Accounts;
}

function accountsOf({ pending, held, quarantined }: Ledger): Omit<Accounts, "waitingBytes"> {
  return { pending, held, quarantined };
}

/** Counts into `found`; nothing where there are more than `maxRecords`. */
function countRecords(
  store: Store,
  gateways: Map<number, Counters>,
  { maxRecords, progress }: AuditBounds,
): number | undefined {
  let records = 0;
  for (const [key, value] of store.scan(...rangeOf(family.block))) {
    for (const state of loadBlock(store, seqOf(key), value).states) {
      records += 1;
      if (records > maxRecords) return undefined;
      if (records % 1000 === 0) progress?.(records);
      const found = gateways.get(state.gateway)?.found;
      if (found !== undefined) add(found, state);
    }
  }
  return records;
}

function add(found: Accounts, state: RecordState): void {
  found.waitingBytes += state.payloadLength;
  if (state.codes === undefined) {
    found.pending += state.count;
    return;
  }
  for (let index = 0; index < state.count; index++) {
    switch (codeAt(state, index)) {
      case code.open:
      case code.parked:
        found.pending += 1;
        break;
      case code.held:
        found.held += 1;
        break;
      case code.quarantined:
        found.quarantined += 1;
        break;
    }
  }
}

function rangeOf(of: number): [Buffer, Buffer] {
  return [singleKey(of), endOf(singleKey(of))];
}
