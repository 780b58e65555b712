import type { Log } from "../message/log.ts";
import type { AuditBounds, Spool, SpoolAudit } from "../spool/spool.ts";

/** The counters of a spool, compared with its records time and again. */
export interface SelfCheck {
  /** What was found wrong the last time, for people; nothing if all was well. */
  readonly findings: readonly string[];
  close(): void;
}

const everyMs = 60_000;
/** So much takes some 25 ms. With more than that waiting only the sums are checked until less waits. */
const bounds: AuditBounds = { maxRecords: 5000, maxBytes: 8 * 1024 * 1024 };

/** Checks at once and then once a minute; what is new among the findings is logged as an error. */
export function startSelfCheck(spool: Spool, log: Log): SelfCheck {
  let findings: readonly string[] = [];
  const check = () => {
    const before = findings;
    findings = lookAt(spool);
    for (const finding of findings) if (!before.includes(finding)) log.error({ finding }, "ledger-wrong");
  };
  check();
  const timer = setInterval(check, everyMs).unref();
  return {
    get findings() {
      return findings;
    },
    close: () => clearInterval(timer),
  };
}

function lookAt(spool: Spool): readonly string[] {
  try {
    return spool.audit(bounds).discrepancies.map(describeDiscrepancy);
  } catch (error) {
    return [`the spool cannot be checked: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** One counter that is wrong, for people. */
export function describeDiscrepancy({ gateway, counter, counted, found }: SpoolAudit["discrepancies"][number]): string {
  const which = `the ledger of gateway "${gateway}"`;
  return counter === "received"
    ? `${which} does not balance: received ${counted}, of which ${found} have a fate`
    : `${which} is wrong: ${counter} ${counted}, but its records say ${found}`;
}
