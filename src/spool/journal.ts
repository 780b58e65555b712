import { DragomanError } from "../errors.ts";
import { emptyLedger, type Ledger } from "../message/fate.ts";
import { type AuditBounds, auditStore, type SpoolAudit } from "./audit.ts";
import { type Batch, newBatch } from "./batch.ts";
import type { Block } from "./block.ts";
import { noticing } from "./block-codec.ts";
import { Blocks } from "./blocks.ts";
import { Drops } from "./drops.ts";
import { GatewayJournal } from "./gateway-journal.ts";
import { endOf, family, gatewayKey, seqKey, singleKey } from "./keys.ts";
import { OldestFirst } from "./oldest-first.ts";
import { PendingWrites } from "./pending-writes.ts";
import { encodeFates, type RecordState, tell } from "./record-state.ts";
import type { Spool } from "./spool.ts";
import type { Store } from "./store.ts";
import { decodeGateway, decodeMeta, encodeStored, format } from "./stored.ts";
import { sumOf } from "./tally.ts";
import type { Turn, TurnGateway } from "./turn.ts";

export interface JournalOptions {
  /** What the spool is called in errors. */
  readonly name: string;
  readonly maxBytes: number;
  readonly whenFull: "refuse" | "dropOldest";
  /** Bytes that the store may use. */
  readonly capacity: number;
  /** How many records are kept track of in memory; the default is right, and tests make it small. */
  readonly span?: number;
  readonly setAside?: string | undefined;
  /** Called when a block does not say any more what is in it. */
  readonly onDamage?: () => void;
  /** Called when the store is closed. */
  readonly onClose?: () => Promise<void>;
}

/**
 * So many of the newest records are kept track of in memory, and of older ones that are in use. Most records are gone before
 * they are so old; the others are written into the index of open records then. After a crash as many have to be read.
 */
const defaultSpan = 32_768;
const retryMs = 1000;
/**
 * How long a transaction waits for more, milliseconds: a sync and all around it costs as much as dozens of messages, and of a
 * message that the cloud acknowledges meanwhile only the count is written. A gateway that sends one message at a time waits no
 * longer than for any cloud.
 */
const gatheringMs = 2;

/**
 * The spool over any store: collects what is asked for within a moment into one transaction, and while that is synced the
 * next.
 */
export class Journal implements Spool, Turn {
  readonly writes: PendingWrites;
  readonly blocks: Blocks;
  readonly setAside: string | undefined;
  lastSynced = 0;
  waitingBytes = 0;
  trouble: DragomanError | undefined;
  readonly #store: Store;
  readonly #options: JournalOptions;
  readonly #gateways = new Map<string, GatewayJournal>();
  readonly #byNumber: (GatewayJournal | undefined)[] = [];
  readonly #oldest: OldestFirst;
  #batch = newBatch();
  #running: Batch | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #lastSeq = 0;
  #hasFailed = false;
  /** A disk that has no room for records may still take all else: only a record shows that it takes them again. */
  #isRefusing = false;
  /** Bytes that may still be written, as far as is known. */
  #room: number;
  /** Bytes written since it was last looked at what they take up: what is gone does so until its block is written anew. */
  #unmeasured = 0;

  /** @throws {DragomanError} `ERR_SPOOL_FAILED` for a newer format; any other error means that the store is damaged. */
  constructor(store: Store, options: JournalOptions) {
    this.#store = store;
    this.#options = options;
    this.writes = new PendingWrites(store);
    this.setAside = options.setAside;
    this.#oldest = new OldestFirst(store);
    this.#room = options.capacity - store.usedBytes();
    this.blocks = new Blocks({
      store,
      writes: this.writes,
      gateways: this.#byNumber,
      span: options.span ?? defaultSpan,
      damaged: (cause) => this.#damaged(cause),
    });
    this.#restore();
  }

  gateway(id: string): GatewayJournal {
    const known = this.#gateways.get(id);
    if (known !== undefined) return known;
    const number = this.#byNumber.length;
    return this.#add({ id, number, ledger: emptyLedger(), waitingBytes: 0, isStored: false });
  }

  gatewayIds(): readonly string[] {
    return [...this.#gateways.values()].filter((gateway) => gateway.isStored).map((gateway) => gateway.id);
  }

  ledger(): Ledger {
    return sumOf([...this.#gateways.values()].map((gateway) => gateway.ledger));
  }

  audit(bounds: AuditBounds): SpoolAudit {
    return noticing(
      () => auditStore(this.#store, bounds),
      (cause) => this.#damaged(cause),
    );
  }

  get isFailing(): boolean {
    return this.#isRefusing || this.trouble !== undefined;
  }

  flushed(): Promise<void> {
    if (this.#batch.isWanted) return this.synced(() => {});
    return this.#running?.synced.promise ?? Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  nextSeq(): number {
    this.assertOpen();
    return ++this.#lastSeq;
  }

  assertOpen(): void {
    if (this.#closing === undefined) return;
    throw new DragomanError("ERR_SPOOL_FAILED", `Cannot write to spool "${this.#options.name}": it is closed`);
  }

  admit(state: RecordState): boolean {
    const { maxBytes, whenFull } = this.#options;
    const fits = () => this.waitingBytes + state.payloadLength <= maxBytes && state.cost <= this.#room;
    if (fits()) return true;
    if (whenFull === "dropOldest") {
      const drops = new Drops(this.#byNumber);
      while (!fits()) if (!this.#dropOldest(state.isReply, drops)) break;
      drops.tell();
      return fits();
    }
    const found =
      this.waitingBytes + state.payloadLength > maxBytes
        ? `${this.waitingBytes} bytes wait, wanted at most ${maxBytes} with the ${state.payloadLength} of this packet`
        : `${this.waitingBytes} bytes wait and the files may not grow, wanted room for ${state.cost} bytes`;
    throw new DragomanError("ERR_SPOOL_FULL", `Cannot append to spool "${this.#options.name}": ${found}`);
  }

  enqueue(gateway: TurnGateway, state: RecordState): void {
    const batch = this.#batch;
    if (state.left > 0) {
      this.waitingBytes += state.payloadLength;
      gateway.waitingBytes += state.payloadLength;
      this.#room -= state.cost;
      batch.bytes += state.length;
      if (state.codes !== undefined) {
        state.isChanged = true;
        batch.changed.push(state);
      }
    }
    batch.appends.push(state);
    this.touch(gateway);
  }

  begin(block: Block): void {
    this.blocks.add(block, this.#batch);
  }

  touch(gateway: TurnGateway): void {
    gateway.isStored = true;
    this.#batch.touched.add(gateway);
    this.#want();
  }

  changed(gateway: TurnGateway, state: RecordState): void {
    this.touch(gateway);
    if (state.block === undefined) return;
    if (this.blocks.changed(state.block, state, this.#batch)) {
      this.#gone(gateway, state);
      return;
    }
    if (!state.isChanged) {
      state.isChanged = true;
      this.#batch.changed.push(state);
    }
  }

  synced(undo: () => void): Promise<void> {
    this.#want();
    this.#batch.undos.push(undo);
    return this.#batch.synced.promise;
  }

  #gone(gateway: TurnGateway, state: RecordState): void {
    this.waitingBytes -= state.payloadLength;
    gateway.waitingBytes -= state.payloadLength;
    this.#room += state.cost;
    if (state.hasFates) this.writes.remove(seqKey(family.fates, state.seq));
  }

  /** Drops one record to make room; `data` never displaces a reply. */
  #dropOldest(forReply: boolean, drops: Drops): boolean {
    for (const isReply of forReply ? [false, true] : [false]) {
      const next = () =>
        noticing(
          () => this.#oldest.next(isReply, drops.isSending),
          (cause) => this.#damaged(cause),
        );
      for (let oldest = next(); oldest !== undefined; oldest = next()) {
        if (this.#byNumber[oldest.gateway]?.drop(oldest.seq) !== true) continue;
        drops.add(oldest);
        return true;
      }
      for (const { appends } of this.#running === undefined ? [this.#batch] : [this.#running, this.#batch]) {
        const state = appends.find((each) => each.isReply === isReply && each.left > 0 && !drops.isSending(each));
        if (state === undefined) continue;
        this.#gatewayOf(state).dropAll(state);
        drops.add(state);
        return true;
      }
    }
    return false;
  }

  #want(): void {
    if (this.#isClosed) return;
    this.#batch.isWanted = true;
    if (this.#gathering !== undefined || this.#running !== undefined) return;
    this.#gathering = setTimeout(() => this.#write(), gatheringMs);
  }

  #write(): void {
    this.#gathering = undefined;
    clearTimeout(this.#retry);
    const batch = this.#batch;
    this.#batch = newBatch();
    this.#running = batch;
    this.blocks.begin(batch);
    const refusal = this.#refusalOf(batch);
    const refused = refusal === undefined ? [] : this.#refuse(batch, refusal);
    for (const state of batch.changed) {
      state.isChanged = false;
      if (state.left === 0) continue;
      state.hasFates = true;
      this.writes.put(seqKey(family.fates, state.seq), encodeFates(state));
    }
    this.blocks.raiseFloor(this.lastSynced);
    for (const gateway of batch.touched) gateway.writeDevices();
    const store = this.#store;
    try {
      store.probe();
    } catch (cause) {
      this.#failed(batch, cause);
      tellRefused(refused, refusal);
      return;
    }
    this.writes.begin();
    this.blocks.write(batch, this.#isTight ? "tight" : "usual");
    for (const { number, id, ledger, waitingBytes } of batch.touched) {
      store.put(gatewayKey(family.gateway, number), encodeStored({ id, ledger, waitingBytes }));
    }
    store.put(singleKey(family.meta), encodeStored({ format, lastSeq: this.#lastSeq, floor: this.blocks.floor }));
    store.commit().then(
      () => this.#succeeded(batch),
      (error: unknown) => this.#failed(batch, error),
    );
    tellRefused(refused, refusal);
  }

  /** Why no record can be written now. The transaction after one that failed tries the rest alone, which may have room. */
  #refusalOf({ bytes }: Batch): DragomanError | undefined {
    if (this.#hasFailed) return this.trouble;
    try {
      this.#store.check(bytes);
      return undefined;
    } catch (cause) {
      return this.#failure(cause);
    }
  }

  /** Takes back what was to be appended, and gives what is to be told of it. */
  #refuse(batch: Batch, refusal: DragomanError): readonly RecordState[] {
    this.trouble = refusal;
    batch.refusal = refusal;
    const refused = batch.appends.splice(0);
    if (refused.length > 0) this.#isRefusing = true;
    this.blocks.refuse(batch);
    for (const state of refused) {
      const gateway = this.#gatewayOf(state);
      if (state.left > 0) {
        this.waitingBytes -= state.payloadLength;
        gateway.waitingBytes -= state.payloadLength;
        this.#room += state.cost;
      }
      gateway.undo(state);
    }
    return refused;
  }

  #failure(cause: unknown): DragomanError {
    const found = cause instanceof Error ? cause.message : String(cause);
    return new DragomanError("ERR_SPOOL_FAILED", `Cannot write to spool "${this.#options.name}": ${found}`, { cause });
  }

  #succeeded(batch: Batch): void {
    this.#running = undefined;
    if (this.#hasFailed || batch.refusal === undefined) this.trouble = undefined;
    else this.#tryAgain();
    this.#hasFailed = false;
    if (batch.blocks.length > 0) this.#isRefusing = false;
    this.writes.succeeded();
    this.lastSynced = batch.appends.at(-1)?.seq ?? this.lastSynced;
    this.blocks.succeeded(batch, this.#batch);
    batch.synced.resolve();
    this.#unmeasured += batch.bytes;
    if (this.#isTight || this.#unmeasured > this.#options.capacity / 16) this.#measure();
    // While room is tight, what is of no use any more is taken out without waiting for something to write.
    if (this.#isTight && this.blocks.areThin) this.#batch.isWanted = true;
    if (this.#batch.isWanted) this.#want();
    // Last, with everything as it must be: who is told may ask for more.
    for (const state of batch.appends) tell(state);
  }

  #failed(batch: Batch, cause: unknown): void {
    this.#running = undefined;
    this.#hasFailed = true;
    const failure = this.#failure(cause);
    this.writes.failed();
    const refused = this.#refuse(batch, failure);
    for (const undo of batch.undos) undo();
    batch.synced.reject(failure);
    const next = this.#batch;
    this.blocks.failed(batch, next);
    for (const gateway of batch.touched) next.touched.add(gateway);
    if (next.isWanted) this.#want();
    else this.#tryAgain();
    next.isWanted = true;
    tellRefused(refused, failure);
  }

  /** Sees after a while whether the disk does its work again. */
  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#want(), retryMs).unref();
  }

  /** Whether there is not much more room. */
  get #isTight(): boolean {
    return this.#room < this.#options.capacity / 4;
  }

  #measure(): void {
    let waiting = 0;
    for (const state of this.#batch.appends) if (state.left > 0) waiting += state.cost;
    this.#room = this.#options.capacity - this.#store.usedBytes() - waiting;
    this.#unmeasured = 0;
  }

  async #close(): Promise<void> {
    try {
      while (this.#batch.isWanted || this.#running !== undefined) await this.flushed();
    } catch {
      // What could not be written was refused or will come again; nobody is left to be told.
    }
    this.#isClosed = true;
    clearTimeout(this.#gathering);
    clearTimeout(this.#retry);
    await this.#store.close();
    await this.#options.onClose?.();
  }

  #restore(): void {
    const meta = this.#store.get(singleKey(family.meta));
    if (meta === undefined) return;
    const { format: found, lastSeq, floor } = decodeMeta(meta);
    if (found > format) {
      const text = `Cannot open spool "${this.#options.name}": a newer program wrote it in format ${found}, wanted at most ${format}`;
      throw new DragomanError("ERR_SPOOL_FAILED", text);
    }
    this.#lastSeq = lastSeq;
    this.lastSynced = lastSeq;
    const gateways = singleKey(family.gateway);
    for (const [key, value] of this.#store.scan(gateways, endOf(gateways))) {
      const { id, ledger, waitingBytes } = decodeGateway(value);
      this.#add({ id, number: key.readUInt32BE(1), ledger, waitingBytes, isStored: true });
      this.waitingBytes += waitingBytes;
    }
    this.blocks.restore(floor);
  }

  #damaged(cause: Error): DragomanError {
    this.#options.onDamage?.();
    const text = `Cannot read spool "${this.#options.name}": ${cause.message}`;
    return new DragomanError("ERR_SPOOL_FAILED", text, { cause });
  }

  #gatewayOf(state: RecordState): GatewayJournal {
    return this.#byNumber[state.gateway] as GatewayJournal;
  }

  #add(stored: ConstructorParameters<typeof GatewayJournal>[1]): GatewayJournal {
    const gateway = new GatewayJournal(this, stored);
    this.#gateways.set(stored.id, gateway);
    this.#byNumber[stored.number] = gateway;
    return gateway;
  }
}

/** Comes last, with everything as it must be: who is told may ask for more. */
function tellRefused(refused: readonly RecordState[], refusal: DragomanError | undefined): void {
  for (const state of refused) tell(state, refusal);
}
