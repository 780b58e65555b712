import type { ArrivedRecord, GatewayEvent } from "../gateway/event.ts";
import type { MessageRef } from "../message/fate.ts";
import type { DeviceId } from "../message/message.ts";
import type { SpoolRecord } from "../spool/spool.ts";
import type { MemoryShare } from "./memory-share.ts";
import type { ReadingTurns } from "./reading-turns.ts";
import { type ReadRecord, type RecordReaderParts, recordReader } from "./record-reader.ts";
import { Reruns } from "./reruns.ts";

export interface BacklogParts extends RecordReaderParts {
  /** The rules' messages in memory. */
  readonly engine: { readonly load: number; readonly loadBytes: number };
  readonly dispatch: (event: GatewayEvent) => void;
  /** What they may have there. */
  readonly share: MemoryShare;
  /** Shared by all gateways. */
  readonly turns: ReadingTurns;
  /** The connection that the record came on, where it is still of use. */
  readonly connectionOf: (record: SpoolRecord) => number | undefined;
}

const readMessages = 256;
const readBytes = 1024 * 1024;

/**
 * Decides which records the rules get from memory, as they arrive, and which they get later, read back from the spool in
 * bounded steps. Owns the place up to which everything has been handed over, so that nothing comes twice and nothing
 * overtakes what is older.
 */
export class Backlog {
  readonly #parts: BacklogParts;
  readonly #read: ReadRecord;
  /** Every record up to here has been handed to the rules. */
  #cursor = 0;
  #isCaughtUp = false;
  /** Records before the cursor that go to the rules again, before anything else does. */
  #reruns: Reruns | undefined;
  #isClosed = false;

  readonly #step = () => this.#readStep();

  constructor(parts: BacklogParts) {
    this.#parts = parts;
    this.#read = recordReader(parts);
  }

  /**
   * A record is on its way to the disk. Whether the rules may queue its messages at once; otherwise they come again when
   * they are read back. While the disk fails they may not: the gateway is going to be refused, and to send them again.
   */
  admit(record: SpoolRecord): boolean {
    const queue = this.#isCaughtUp && this.#hasRoom && !this.#isClosed && !this.#parts.spool.isFailing;
    if (queue) this.#cursor = record.seq;
    else this.#isCaughtUp = false;
    return queue;
  }

  /** Whether messages are about to be left on disk, or lie there: to read one back costs as much as to take it in. */
  get isOverflowing(): boolean {
    return this.#isHalfFull || !this.#isCaughtUp;
  }

  /** Whether messages of the record have been handed to the rules and have no fate yet. */
  isUnderWay(record: SpoolRecord): boolean {
    if (record.seq > this.#cursor || this.#reruns?.has(record.seq) === true) return false;
    return Array.from({ length: record.count }, (_, index) => record.isOpen(index)).includes(true);
  }

  /**
   * Hands a message that was made open again to the rules: in the order of the spool, and before all that comes later.
   * `isShared`: other messages of its record are under way.
   */
  again(ref: MessageRef, options: { readonly isShared: boolean }): void {
    // What lies ahead of the cursor is read in its turn.
    if (ref.seq > this.#cursor) return;
    this.#reruns ??= new Reruns();
    this.#reruns.add(ref, options);
    this.#isCaughtUp = false;
    this.readOn();
  }

  /** The answer to `recall`: the oldest held and parked messages of a device. */
  recall(device: DeviceId, limit: number): readonly GatewayEvent[] {
    const events: GatewayEvent[] = [];
    const released = this.#parts.spool.release(device, limit);
    for (const { record, index } of released) {
      if (this.#reruns?.has(record.seq) === true) continue;
      const { seq, arrivedMs } = record;
      const message = this.#read(record, () => this.again({ seq, index }, { isShared: false }))[index];
      if (message === undefined || !record.isOpen(index) || this.#reruns?.has(seq) === true) continue;
      events.push({ kind: "recalled", seq, arrivedMs, index, message });
    }
    if (released.length < limit) events.push({ kind: "recallEnded", device });
    return events;
  }

  /**
   * Sees to it that the next step is read, if there is something to read and room for it. To be called whenever the rules
   * have taken an event, because that is when room comes about, and when a record is on disk.
   */
  readOn(): void {
    // Half-full before reading on: a read per freed place would cost more than the records.
    if (this.#isCaughtUp || this.#isClosed || this.#isHalfFull) return;
    this.#parts.turns.enter(this.#step);
  }

  close(): void {
    this.#isClosed = true;
    this.#parts.turns.leave(this.#step);
  }

  /** Gives how many messages were handed over. */
  #readStep(): number {
    const { dispatch, engine, share, spool } = this.#parts;
    if (this.#reruns !== undefined && this.#reruns.size > 0) {
      const messages = this.#readAgain();
      this.readOn();
      return messages;
    }
    // No more than there is room for: what is left over would have to be read again.
    const messages = Math.min(readMessages, share.messages - engine.load);
    const bytes = Math.min(readBytes, share.bytes - engine.loadBytes);
    const records = spool.read(this.#cursor, messages, bytes, spool.isFailing ? "synced" : "all");
    let handed = 0;
    for (const record of records) {
      if (!this.#hasRoom) break;
      this.#cursor = record.seq;
      this.#queue(record, record);
      handed += record.count;
    }
    if (records.length > 0) {
      this.readOn();
      return handed;
    }
    // While the disk fails, what is on its way there is read when it has come.
    if (spool.isFailing && spool.read(this.#cursor, 1, 0, "all").length > 0) return 0;
    // What was held or parked by an earlier run may be newer than all that was read, and comes by `recall`.
    this.#cursor = Math.max(this.#cursor, spool.lastSeq);
    this.#isCaughtUp = true;
    dispatch({ kind: "caughtUp" });
    return 0;
  }

  #readAgain(): number {
    const { spool } = this.#parts;
    let bytes = 0;
    let records = 0;
    for (; records < readMessages && bytes < readBytes && this.#hasRoom; records++) {
      const rerun = this.#reruns?.take();
      if (rerun === undefined) break;
      const { seq, indexes } = rerun;
      const [record] = spool.read(seq - 1, 1, 0, "all");
      if (record?.seq !== seq) continue;
      bytes += record.packet.payload.length;
      const { arrivedMs } = record;
      const isOpen = (index: number) => record.isOpen(index) && indexes?.has(index) !== false;
      this.#queue(record, indexes === undefined ? record : { seq, arrivedMs, isOpen });
    }
    return records;
  }

  /** @param arrived The record, with what of it is to be handed over. */
  #queue(record: SpoolRecord, arrived: ArrivedRecord): void {
    const messages = this.#read(record);
    const connection = this.#parts.connectionOf(record);
    const bytes = record.packet.payload.length;
    this.#parts.dispatch({ kind: "arrived", record: arrived, bytes, connection, messages, queue: true });
  }

  get #hasRoom(): boolean {
    const { engine, share } = this.#parts;
    return engine.load < share.messages && engine.loadBytes < share.bytes;
  }

  get #isHalfFull(): boolean {
    const { engine, share } = this.#parts;
    return engine.load > share.messages / 2 || engine.loadBytes > share.bytes / 2;
  }
}
