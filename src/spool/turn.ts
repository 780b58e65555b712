import type { Ledger } from "../message/fate.ts";
import type { Block } from "./block.ts";
import type { Blocks } from "./blocks.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { RecordState } from "./record-state.ts";

/** What the records of one gateway ask of the transaction that all gateways share. */
export interface Turn {
  readonly writes: PendingWrites;
  readonly blocks: Blocks;
  /** The newest record that is on disk. */
  readonly lastSynced: number;
  /** See `GatewaySpool.isFailing`. */
  readonly isFailing: boolean;
  /** @throws {DragomanError} `ERR_SPOOL_FAILED` when the spool is closed. */
  assertOpen(): void;
  nextSeq(): number;
  /** Whether there is, or now is, room for a record. @throws {DragomanError} `ERR_SPOOL_FULL` when gateways are to be refused. */
  admit(state: RecordState): boolean;
  /** Takes a record into the transaction. */
  enqueue(gateway: TurnGateway, state: RecordState): void;
  /** Takes a new block into the transaction. */
  begin(block: Block): void;
  /** The ledger or the waiting bytes have changed. */
  touch(gateway: TurnGateway): void;
  /** The fates in a record have changed; with nothing left in it, it goes. */
  changed(gateway: TurnGateway, state: RecordState): void;
  /** See `Spool.flushed`. */
  flushed(): Promise<void>;
  /** Resolves when what was asked for in this turn is synced; else calls `undo` first and rejects. */
  synced(undo: () => void): Promise<void>;
}

/** What the transaction asks of a gateway whose ledger, records or counters have changed. */
export interface TurnGateway {
  readonly id: string;
  readonly number: number;
  readonly ledger: Ledger;
  /** Payload bytes of its records. */
  waitingBytes: number;
  /** Whether it ever had anything to write. */
  isStored: boolean;
  /** Its records that are being sent. */
  sending(): ReadonlySet<number>;
  /** Tells who sends them that these records are gone. */
  dropped(seqs: ReadonlySet<number>): void;
  /** Takes back a record that could not be written. */
  undo(state: RecordState): void;
  /** Drops what is left of a record, because there is no room for it. */
  dropAll(state: RecordState): void;
  /** Puts the changed counters of devices into the transaction. */
  writeDevices(): void;
}
