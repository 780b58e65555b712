import { DragomanError } from "../errors.ts";
import { emptyLedger, type Ledger } from "../message/fate.ts";
import { type AuditBounds, auditStore, type SpoolAudit } from "./audit.ts";
import { type Batch, newBatch } from "./batch.ts";
import { Drops } from "./drops.ts";
import { GatewayJournal } from "./gateway-journal.ts";
import { endOf, family, gatewayKey, openKey, seqKey, seqOf, singleKey, writeSeqKey } from "./keys.ts";
import { OldestFirst } from "./oldest-first.ts";
import { PendingWrites } from "./pending-writes.ts";
import { decodeHead } from "./record-codec.ts";
import { applyFates, encodeFates, RecordState } from "./record-state.ts";
import type { Spool } from "./spool.ts";
import type { Store } from "./store.ts";
import { decodeGateway, decodeMeta, encodeStored, format } from "./stored.ts";
import { sumOf } from "./tally.ts";
import type { Append, Turn, TurnGateway } from "./turn.ts";

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
 * The spool over any store: collects what one turn of the event loop asks for into one transaction, and while that is
 * synced the next.
 */
export class Journal implements Spool, Turn {
  readonly writes: PendingWrites;
  readonly setAside: string | undefined;
  floor = 0;
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
  #immediate: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #lastSeq = 0;
  #hasFailed = false;
  #loaded = 0;
  /** Bytes that may still be written, as far as is known. */
  #room: number;
  readonly #span: number;
  readonly #scratch = Buffer.alloc(7);
  #lastRead: { seq: number; value: Buffer } | undefined;

  /** @throws {DragomanError} `ERR_SPOOL_FAILED` for a newer format; any other error means that the store is damaged. */
  constructor(store: Store, options: JournalOptions) {
    this.#store = store;
    this.#options = options;
    this.writes = new PendingWrites(store);
    this.setAside = options.setAside;
    this.#oldest = new OldestFirst(store);
    this.#room = options.capacity - store.usedBytes();
    this.#span = options.span ?? defaultSpan;
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
    return auditStore(this.#store, bounds);
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

  enqueue(gateway: TurnGateway, append: Append): void {
    const { state } = append;
    const batch = this.#batch;
    if (state.left > 0) {
      this.waitingBytes += state.payloadLength;
      gateway.waitingBytes += state.payloadLength;
      this.#room -= state.cost;
      if (state.codes !== undefined) {
        state.isChanged = true;
        batch.changed.push(state);
      }
    }
    batch.appends.push(append);
    this.touch(gateway);
  }

  recordOf(seq: number): Buffer | undefined {
    if (this.#batch.removals.has(seq) || this.#running?.removals.has(seq)) return undefined;
    if (this.#lastRead?.seq === seq) return this.#lastRead.value;
    const value = this.#store.get(writeSeqKey(this.#scratch, family.record, seq));
    this.#lastRead = value && { seq, value };
    return value;
  }

  touch(gateway: TurnGateway): void {
    gateway.isStored = true;
    this.#batch.touched.add(gateway);
    this.#want();
  }

  changed(gateway: TurnGateway, state: RecordState): void {
    this.touch(gateway);
    if (state.left === 0) {
      this.#gone(gateway, state);
      return;
    }
    if (!state.isChanged) {
      state.isChanged = true;
      this.#batch.changed.push(state);
    }
    if (state.seq <= this.floor && state.isIndexed !== state.open > 0) {
      state.isIndexed = state.open > 0;
      const key = openKey(gateway.number, state.seq);
      if (state.isIndexed) this.writes.put(key);
      else this.writes.remove(key);
    }
  }

  loaded(): void {
    this.#loaded++;
  }

  synced(undo: () => void): Promise<void> {
    this.#want();
    this.#batch.undos.push(undo);
    return this.#batch.synced.promise;
  }

  #gone(gateway: TurnGateway, state: RecordState): void {
    gateway.forget(state.seq);
    if (this.#lastRead?.seq === state.seq) this.#lastRead = undefined;
    this.waitingBytes -= state.payloadLength;
    gateway.waitingBytes -= state.payloadLength;
    this.#room += state.cost;
    this.#batch.removals.add(state.seq);
    if (state.hasFates) this.writes.remove(seqKey(family.fates, state.seq));
    if (state.isIndexed) this.writes.remove(openKey(gateway.number, state.seq));
  }

  /** Drops one record to make room; `data` never displaces a reply. */
  #dropOldest(forReply: boolean, drops: Drops): boolean {
    for (const isReply of forReply ? [false, true] : [false]) {
      const next = () => this.#oldest.next(isReply, drops.isSending);
      for (let oldest = next(); oldest !== undefined; oldest = next()) {
        if (this.#byNumber[oldest.gateway]?.drop(oldest.seq) !== true) continue;
        drops.add(oldest);
        return true;
      }
      for (const { appends } of this.#running === undefined ? [this.#batch] : [this.#running, this.#batch]) {
        const append = appends.find(({ state }) => state.isReply === isReply && state.left > 0);
        if (append === undefined) continue;
        this.#gatewayOf(append.state).dropAll(append.state);
        return true;
      }
    }
    return false;
  }

  #want(): void {
    if (this.#isClosed) return;
    this.#batch.isWanted = true;
    if (this.#immediate !== undefined || this.#running !== undefined) return;
    this.#immediate = setImmediate(() => this.#write());
  }

  #write(): void {
    this.#immediate = undefined;
    clearTimeout(this.#retry);
    const batch = this.#batch;
    this.#batch = newBatch();
    this.#running = batch;
    const refusal = this.#refusalOf(batch);
    const refused = refusal === undefined ? [] : this.#refuse(batch, refusal);
    for (const state of batch.changed) {
      state.isChanged = false;
      if (state.left === 0) continue;
      state.hasFates = true;
      this.writes.put(seqKey(family.fates, state.seq), encodeFates(state));
    }
    this.#raiseFloor();
    for (const gateway of batch.touched) gateway.writeDevices();
    const store = this.#store;
    try {
      store.probe();
    } catch (cause) {
      this.#failed(batch, cause);
      tell(refused, refusal);
      return;
    }
    this.writes.begin();
    for (const { state, value } of batch.appends) {
      if (state.left > 0) store.put(writeSeqKey(this.#scratch, family.record, state.seq), value);
    }
    for (const seq of batch.removals) store.remove(writeSeqKey(this.#scratch, family.record, seq));
    for (const { number, id, ledger, waitingBytes } of batch.touched) {
      store.put(gatewayKey(family.gateway, number), encodeStored({ id, ledger, waitingBytes }));
    }
    store.put(singleKey(family.meta), encodeStored({ format, lastSeq: this.#lastSeq, floor: this.floor }));
    store.commit().then(
      () => this.#succeeded(batch),
      (error: unknown) => this.#failed(batch, error),
    );
    tell(refused, refusal);
  }

  /** Why no record can be written now. The transaction after one that failed tries the rest alone, which may have room. */
  #refusalOf({ appends }: Batch): DragomanError | undefined {
    if (this.#hasFailed) return this.trouble;
    let bytes = 0;
    for (const { value } of appends) bytes += value.length;
    try {
      this.#store.check(bytes);
      return undefined;
    } catch (cause) {
      return this.#failure(cause);
    }
  }

  /** Takes back what was to be appended, and gives what is to be told of it. */
  #refuse(batch: Batch, refusal: DragomanError): readonly Append[] {
    this.trouble = refusal;
    batch.refusal = refusal;
    const refused = batch.appends.splice(0);
    for (const append of refused) {
      const gateway = this.#gatewayOf(append.state);
      if (append.state.left > 0) {
        this.waitingBytes -= append.state.payloadLength;
        gateway.waitingBytes -= append.state.payloadLength;
        this.#room += append.state.cost;
      }
      gateway.undo(append);
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
    this.writes.succeeded();
    for (const { state } of batch.appends) {
      if (state.left > 0) this.#gatewayOf(state).live.set(state.seq, state);
      this.lastSynced = state.seq;
    }
    batch.synced.resolve();
    if (this.#loaded > this.#span) {
      this.#loaded = 0;
      for (const gateway of this.#gateways.values()) gateway.evict();
    }
    if (this.#room < this.#options.capacity / 4) this.#measure();
    if (this.#batch.isWanted) this.#want();
    tell(batch.appends);
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
    for (const seq of batch.removals) next.removals.add(seq);
    for (const gateway of batch.touched) next.touched.add(gateway);
    if (next.isWanted) this.#want();
    else this.#tryAgain();
    next.isWanted = true;
    tell(refused, failure);
  }

  /** Sees after a while whether the disk does its work again. */
  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#want(), retryMs).unref();
  }

  /** Puts the older half of the newest records, those that are still here, into the index of open records. */
  #raiseFloor(): void {
    if (this.lastSynced - this.floor <= this.#span) return;
    const floor = this.lastSynced - Math.floor(this.#span / 2);
    for (const gateway of this.#gateways.values()) {
      for (const state of gateway.live.values()) {
        if (state.seq > floor) break;
        gateway.live.delete(state.seq);
        if (state.open > 0) this.writes.put(openKey(state.gateway, state.seq));
      }
    }
    this.floor = floor;
  }

  #measure(): void {
    let waiting = 0;
    for (const { state } of this.#batch.appends) if (state.left > 0) waiting += state.cost;
    this.#room = this.#options.capacity - this.#store.usedBytes() - waiting;
  }

  async #close(): Promise<void> {
    try {
      while (this.#batch.isWanted || this.#running !== undefined) await this.flushed();
    } catch {
      // What could not be written was refused or will come again; nobody is left to be told.
    }
    this.#isClosed = true;
    clearImmediate(this.#immediate);
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
    this.floor = floor;
    const gateways = singleKey(family.gateway);
    for (const [key, value] of this.#store.scan(gateways, endOf(gateways))) {
      const { id, ledger, waitingBytes } = decodeGateway(value);
      this.#add({ id, number: key.readUInt32BE(1), ledger, waitingBytes, isStored: true });
      this.waitingBytes += waitingBytes;
    }
    const records = endOf(singleKey(family.record));
    for (const [key, value] of this.#store.scan(seqKey(family.record, floor + 1), records)) {
      const state = new RecordState(seqOf(key), decodeHead(value), value.length);
      const fates = this.#store.get(seqKey(family.fates, state.seq));
      if (fates !== undefined) applyFates(state, fates);
      this.#byNumber[state.gateway]?.live.set(state.seq, state);
    }
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
function tell(appends: readonly Append[], failure?: DragomanError): void {
  for (const { done, record } of appends) {
    if (failure === undefined) done(record);
    else done(undefined, failure);
  }
}
