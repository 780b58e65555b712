import type { DeploymentSession } from "../dialect/deployment/deployment.ts";
import type { BoundDialect } from "../dialect/dialect.ts";
import type { Fate } from "../message/fate.ts";
import type { UpMessage } from "../message/message.ts";
import type { GatewaySpool, SpoolRecord } from "../spool/spool.ts";
import { describeUnread } from "./describe-unread.ts";
import { outward } from "./outward.ts";

export interface RecordReaderParts {
  readonly spool: GatewaySpool;
  /** The dialect that wrote a record, for a backlog older than the configuration. */
  readonly dialectOf: (name: string) => BoundDialect | undefined;
  /** The deployment's own mapping, at the local side. */
  readonly mapping?: DeploymentSession | undefined;
}

/** Stands in the fate of what the disk has changed. */
const damaged = "damaged: it is not on disk as it was written";

/** The messages of a record. `reopened` is called when it has to go again as a whole, because it reads otherwise now. */
export type ReadRecord = (record: SpoolRecord, reopened?: () => void) => readonly UpMessage[];

/**
 * Reads a record's packet once more, by the dialect that was in force when it came. Where it means something else than it
 * did then, the spool is told: how many messages it holds now, and the fates of those that go no further.
 */
export function recordReader({ spool, dialectOf, mapping }: RecordReaderParts): ReadRecord {
  return (record, reopened) => {
    if (record.isDamaged) return settleOpen(record, { kind: "quarantined", reason: damaged });
    const decoded = dialectOf(record.dialect)?.decode("up", record.packet);
    if (decoded?.kind === "messages") {
      const count = decoded.messages.length + (decoded.misfits.length > 0 ? 1 : 0);
      if (count === 0) return settleOpen(record, { kind: "dropped", reason: "empty" });
      if (count !== record.count) recount(record, count, reopened);
      // What cannot be read is the last one.
      if (count > decoded.messages.length && record.isOpen(count - 1)) {
        const reason = describeUnread(decoded);
        spool.settle({ seq: record.seq, index: count - 1 }, { kind: "quarantined", reason });
      }
      const mapped = outward(mapping, decoded);
      for (const [index, fate] of mapped.fates) {
        if (record.isOpen(index)) spool.settle({ seq: record.seq, index }, fate);
      }
      return mapped.decoded.messages as readonly UpMessage[];
    }
    const reason = decoded === undefined ? `unknown dialect "${record.dialect}"` : describeUnread(decoded);
    return settleOpen(record, { kind: "quarantined", reason });
  };

  /** Once a packet reads otherwise, places in it mean nothing: with fates in it, it goes again as a whole. */
  function recount(record: SpoolRecord, count: number, reopened: (() => void) | undefined): void {
    const { seq } = record;
    if (Array.from({ length: record.count }, (_, index) => record.isOpen(index)).includes(false)) {
      spool.reopen(seq, count);
      reopened?.();
    } else spool.recount(seq, count);
  }

  function settleOpen(record: SpoolRecord, fate: Fate): readonly [] {
    const { seq, count } = record;
    for (let index = 0; index < count; index++) {
      if (record.isOpen(index)) spool.settle({ seq, index }, fate);
    }
    return [];
  }
}
