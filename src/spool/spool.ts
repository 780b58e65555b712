import type { DownDropReason, Fate, Ledger, MessageRef } from "../message/fate.ts";
import type { DeviceId } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import type { AuditBounds, SpoolAudit } from "./audit.ts";

export type { AuditBounds, SpoolAudit } from "./audit.ts";
export { openSpool } from "./open-spool.ts";

/** Packets on disk from before they are acknowledged until every message in them has met its fate, and the ledger of both. */
export interface Spool {
  /** The records of one gateway; made on first use. */
  gateway(id: string): GatewaySpool;
  /** Every gateway that something was ever written for. */
  gatewayIds(): readonly string[];
  /** Payload bytes of all records that wait, held and quarantined ones included; at most `maxBytes`. */
  readonly waitingBytes: number;
  /** Why the last write failed; `undefined` while the disk does its work. */
  readonly trouble: Error | undefined;
  /** Where a damaged spool, found when this one was opened, was moved to. */
  readonly setAside: string | undefined;
  /** The sum over all gateways. */
  ledger(): Ledger;
  /** Compares the counters with the records themselves, both as they were last committed. */
  audit(bounds: AuditBounds): SpoolAudit;
  /**
   * Resolves when everything asked for until now is synced.
   *
   * @throws {DragomanError} `ERR_SPOOL_FAILED` when it could not be written; it is tried again by itself.
   */
  flushed(): Promise<void>;
  /** Writes what is still waiting to be written and lets go of the files. Safe to call twice. */
  close(): Promise<void>;
}

/** A packet as it came, and what was decided about it on arrival. */
export interface Arrival {
  readonly packet: Packet;
  /** Unix milliseconds. */
  readonly arrivedMs: number;
  /** Name of the dialect that read it. */
  readonly dialect: string;
  /** How many messages are in it. */
  readonly count: number;
  /** With `whenFull: dropOldest`, `data` goes first and `reply` last. */
  readonly priority: "data" | "reply";
  /** By message index; the others are pending. */
  readonly fates?: ReadonlyMap<number, Fate>;
}

/** A packet in the spool. */
export interface SpoolRecord {
  /** Positive and rising over all gateways, so that it names the record; a write that failed leaves a gap. */
  readonly seq: number;
  readonly packet: Packet;
  readonly arrivedMs: number;
  readonly dialect: string;
  readonly count: number;
  /** The disk has changed it: nobody should act on what it says. */
  readonly isDamaged: boolean;
  /** Whether the message is still to be sent, as of now: pending and not parked. */
  isOpen(index: number): boolean;
}

/**
 * Hears what became of an append: without an error it is synced. Records are told in their order. It must not throw.
 *
 * The error is a `DragomanError`: `ERR_SPOOL_FULL` or `ERR_SPOOL_FAILED`.
 */
export type Appended = (error?: unknown) => void;

/** One message that waits for its device or for an operator. */
export interface SpoolEntry {
  readonly ref: MessageRef;
  readonly fate: Extract<Fate, { kind: "held" | "quarantined" }>;
  readonly record: SpoolRecord;
}

/** A device with messages that do not go out now. `reason`: why the last of them was held. */
export interface WaitingDevice {
  readonly device: DeviceId;
  readonly held: number;
  readonly parked: number;
  readonly reason?: string;
}

/** Who has records of a gateway in hand. */
export interface RecordSender {
  /** Records of which something is on its way, so that nobody knows whether it arrives. */
  sending(): ReadonlySet<number>;
  /** These records were dropped, because there is no room for them. */
  dropped(seqs: ReadonlySet<number>): void;
}

/**
 * The records, counters and facts of one gateway.
 *
 * Everything asked for in one turn of the event loop, by all gateways together, is written in one transaction, with what
 * follows within a moment. Reading sees what was asked for at once, records themselves only when they are synced.
 */
export interface GatewaySpool {
  readonly id: string;
  /**
   * Names who sends these records. With `whenFull: dropOldest` a record is dropped only while it is not being sent, and the
   * sender is told, so that what counts as dropped does not go all the same.
   */
  sentBy(sender: RecordSender): void;
  /** A live view; the same numbers are on disk once flushed. */
  readonly ledger: Ledger;
  /** No record that read() can show by now is newer. */
  readonly lastSeq: number;
  /** Whether the last write failed, or no record was written since one was refused. */
  readonly isFailing: boolean;
  /**
   * Writes a packet as received. Order is kept; its messages count as received.
   *
   * `done` is told once the record is synced, or why nothing was written and nothing counted; never before this function
   * returns. The payload must not change until then. Fates may be given at once: a record that is gone when its transaction
   * is begun is counted and not written.
   *
   * @returns The record; nothing when it was refused at once.
   */
  append(arrival: Arrival, done: Appended): SpoolRecord | undefined;
  /**
   * Counts messages that leave no record, and resolves once that is synced.
   *
   * @throws {DragomanError} `ERR_SPOOL_FAILED`: they were not counted.
   */
  count(received: number, fate: Extract<Fate, { kind: "delivered" | "dropped" }>): Promise<void>;
  /**
   * Gives one message its fate. The record goes when all its messages are delivered or dropped.
   *
   * A message that is delivered, dropped or quarantined already keeps that fate, and one that is not known is ignored.
   */
  settle(ref: MessageRef, fate: Fate): void;
  /**
   * Corrects how many messages the record holds, because it is decoded otherwise now. Messages that are new are pending;
   * of those that are no more, the delivered and dropped ones stay counted.
   */
  recount(seq: number, count: number): void;
  /**
   * Records behind `afterSeq`, in order, that hold messages still to be sent: at most `limit` of those and `maxBytes` payload
   * bytes together, but for the first record, which may be larger. Empty: there is nothing more. `which`: also those that
   * are on their way to the disk; the default is those that are there.
   */
  read(afterSeq: number, limit: number, maxBytes: number, which?: "synced" | "all"): readonly SpoolRecord[];
  /**
   * When the oldest message that is pending came, Unix milliseconds; those that are parked for their device included, of
   * the first 500 devices.
   */
  oldestPendingMs(): number | undefined;
  /** The oldest held and parked messages of a device, in order; they are pending again from now on. */
  release(device: DeviceId, limit: number): readonly { readonly record: SpoolRecord; readonly index: number }[];
  waitingDevices(): readonly WaitingDevice[];
  /** Keeps a small fact; `undefined` forgets it. */
  put(key: string, value: string | undefined): void;
  entries(): Iterable<readonly [string, string]>;
  /** See `Spool.flushed`. */
  flushed(): Promise<void>;
  /** Counts messages on their way down to the gateway. `reason` goes with `dropped`. */
  countDown(event: "received" | "delivered" | "dropped", count: number, reason?: DownDropReason | (string & {})): void;
  /** Held messages, by device and then in order, and behind them the quarantined ones in order. */
  list(filter: SpoolFilter, limit: number): readonly SpoolEntry[];
  /**
   * One step of looking through the same, in the same order: at most `limit` messages, from the `next` of the step before.
   * It stays right whatever goes or comes between two steps, and does not begin anew for what was left behind.
   */
  look(filter: Pick<SpoolFilter, "device" | "fate">, limit: number, from?: string): SpoolPage;
  /** What is held or quarantined of one record, or of one message of it. */
  find(seq: number, index?: number): readonly SpoolEntry[];
  /** Drops a message as `discarded`, whatever it waits for. */
  discard(ref: MessageRef): void;
  /** Makes a held, parked or quarantined message pending again; read() has it in its old place. */
  retry(ref: MessageRef): void;
  /**
   * Makes all messages of a record pending again, `count` of them, because it is decoded otherwise now and nobody can tell
   * which of them were sent. What was delivered or dropped stays counted, and counts as received once more.
   */
  reopen(seq: number, count: number): void;
}

/** One step through what is held and quarantined. */
export interface SpoolPage {
  readonly entries: readonly SpoolEntry[];
  /** Where the next step begins; absent when there is nothing more. */
  readonly next?: string;
}

export interface SpoolFilter {
  readonly device?: DeviceId;
  readonly reason?: string;
  readonly fate?: "held" | "quarantined";
}
