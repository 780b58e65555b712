import type { Fate, Ledger, MessageRef } from "../message/fate.ts";
import type { DeviceId } from "../message/message.ts";
import { Block } from "./block.ts";
import { BlockWriter } from "./block-codec.ts";
import { BlockList } from "./block-list.ts";
import { FateMoves } from "./fate-moves.ts";
import { endOf, family, gatewayKey, indexKey, refOf, seqKey, seqOf, textKey } from "./keys.ts";
import { OpenRecord } from "./open-record.ts";
import { recordLength } from "./record-codec.ts";
import { type Code, code, codeAt, codeOf, isFinal, RecordState, resize, setCode } from "./record-state.ts";
import type {
  Appended,
  Arrival,
  GatewaySpool,
  RecordSender,
  SpoolEntry,
  SpoolFilter,
  SpoolPage,
  SpoolRecord,
  WaitingDevice,
} from "./spool.ts";
import { add, count, reasonOf } from "./tally.ts";
import type { Turn, TurnGateway } from "./turn.ts";
import { walkWaiting } from "./waiting-walk.ts";

const none: ReadonlySet<number> = new Set();
/** A look at the disk for each; with more parked devices than this, the oldest of the others is not looked for. */
const maxParkedLooks = 500;

/** The part of the journal that belongs to one gateway. */
export class GatewayJournal implements GatewaySpool, TurnGateway {
  readonly id: string;
  readonly number: number;
  readonly ledger: Ledger;
  /** Payload bytes of its records. */
  waitingBytes: number;
  /** Whether it ever had anything to write. */
  isStored: boolean;
  readonly newest = new BlockList();
  readonly old = new BlockList();
  readonly unsynced = new BlockList();
  /** Nobody was told of it yet: a shorter packet behind the one that was refused must not overtake it. */
  #refusal: unknown;
  /** The last one that was begun. */
  #block: Block | undefined;
  readonly #moves: FateMoves;
  readonly #turn: Turn;
  #sender: RecordSender | undefined;

  constructor(
    turn: Turn,
    stored: { id: string; number: number; ledger: Ledger; waitingBytes: number; isStored: boolean },
  ) {
    this.#turn = turn;
    this.id = stored.id;
    this.number = stored.number;
    this.ledger = stored.ledger;
    this.waitingBytes = stored.waitingBytes;
    this.isStored = stored.isStored;
    this.#moves = new FateMoves(turn.writes, stored);
  }

  get lastSeq(): number {
    return this.#turn.lastSynced;
  }

  get isFailing(): boolean {
    return this.#turn.isFailing;
  }

  sentBy(sender: RecordSender): void {
    this.#sender = sender;
  }

  sending(): ReadonlySet<number> {
    return this.#sender?.sending() ?? none;
  }

  dropped(seqs: ReadonlySet<number>): void {
    this.#sender?.dropped(seqs);
  }

  append(arrival: Arrival, done: Appended): SpoolRecord | undefined {
    try {
      if (this.#refusal !== undefined) throw this.#refusal;
      return this.#append(arrival, done);
    } catch (error) {
      this.#refusal = error;
      queueMicrotask(() => {
        this.#refusal = undefined;
        done(error);
      });
      return undefined;
    }
  }

  async count(received: number, fate: Extract<Fate, { kind: "delivered" | "dropped" }>): Promise<void> {
    this.#turn.assertOpen();
    this.ledger.received += received;
    add(this.ledger, codeOf(fate), received, reasonOf(fate));
    this.#turn.touch(this);
    await this.#turn.synced(() => {
      this.ledger.received -= received;
      add(this.ledger, codeOf(fate), -received, reasonOf(fate));
    });
  }

  settle({ seq, index }: MessageRef, fate: Fate): void {
    const state = this.#find(seq);
    if (state === undefined) return;
    const from = codeAt(state, index);
    if (from === undefined || isFinal(from) || from === code.quarantined) return;
    this.#change(state, index, fate);
  }

  discard({ seq, index }: MessageRef): void {
    const state = this.#find(seq);
    const from = state && codeAt(state, index);
    if (state === undefined || from === undefined || isFinal(from)) return;
    this.#change(state, index, { kind: "dropped", reason: "discarded" });
  }

  retry({ seq, index }: MessageRef): void {
    const state = this.#find(seq);
    const from = state && codeAt(state, index);
    if (state === undefined || from === undefined || isFinal(from) || from === code.open) return;
    this.#change(state, index, undefined);
  }

  /** Drops what is left of a record, oldest first being the rule; whether there was anything. */
  drop(seq: number): boolean {
    const state = this.#find(seq);
    if (state === undefined) return false;
    this.dropAll(state);
    return true;
  }

  dropAll(state: RecordState): void {
    this.#moves.moveAll(state, { kind: "dropped", reason: "full" });
    this.#turn.changed(this, state);
  }

  recount(seq: number, messages: number): void {
    const state = this.#find(seq);
    if (state === undefined || state.count === messages) return;
    for (let index = messages; index < state.count; index++) {
      const from = codeAt(state, index) as Code;
      if (isFinal(from)) continue;
      this.#moves.unindex(state, index, from);
      this.ledger.received--;
      add(this.ledger, from, -1);
    }
    const added = Math.max(0, messages - state.count);
    this.ledger.received += added;
    this.ledger.pending += added;
    resize(state, messages);
    this.#turn.changed(this, state);
  }

  isOpen(seq: number, index: number): boolean {
    const state = this.#find(seq);
    return state !== undefined && codeAt(state, index) === code.open;
  }

  read(afterSeq: number, limit: number, maxBytes: number, which: "synced" | "all" = "synced"): readonly SpoolRecord[] {
    const records: SpoolRecord[] = [];
    let messages = 0;
    let bytes = 0;
    for (const state of this.#openStates(afterSeq, which)) {
      messages += state.open;
      bytes += state.payloadLength;
      if (records.length > 0 && (messages > limit || bytes > maxBytes)) break;
      const record = this.#recordOf(state);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  oldestPendingMs(): number | undefined {
    if (this.ledger.pending === 0) return undefined;
    const [open] = this.read(0, 1, 0);
    const parked = this.waitingDevices()
      .filter((waiting) => waiting.parked > 0)
      .slice(0, maxParkedLooks);
    const seqs = parked.flatMap(({ device }) => this.#refs(textKey(family.waiting, this.number, device), 1));
    const oldest = seqs.reduce((least, { seq }) => Math.min(least, seq), open?.seq ?? Number.POSITIVE_INFINITY);
    return (oldest === open?.seq ? open : this.#recordOf(this.#find(oldest)))?.arrivedMs;
  }

  release(device: DeviceId, limit: number): readonly { readonly record: SpoolRecord; readonly index: number }[] {
    const released: { record: SpoolRecord; index: number }[] = [];
    const refs = this.#refs(textKey(family.waiting, this.number, device), limit);
    for (const { seq, index } of refs) {
      const state = this.#find(seq);
      const last = released.at(-1)?.record;
      const record = last?.seq === seq ? last : this.#recordOf(state);
      if (state === undefined || record === undefined) continue;
      this.#change(state, index, undefined);
      released.push({ record, index });
    }
    return released;
  }

  waitingDevices(): readonly WaitingDevice[] {
    return this.#moves.devices.list();
  }

  put(key: string, value: string | undefined): void {
    const at = textKey(family.fact, this.number, key);
    if (value === undefined) this.#turn.writes.remove(at);
    else this.#turn.writes.put(at, Buffer.from(JSON.stringify([key, value])));
    this.#turn.touch(this);
  }

  *entries(): Iterable<readonly [string, string]> {
    const prefix = gatewayKey(family.fact, this.number);
    for (const key of [...this.#turn.writes.scanKeys(prefix, endOf(prefix))]) {
      const value = this.#turn.writes.get(key);
      if (value !== undefined) yield JSON.parse(value.toString()) as [string, string];
    }
  }

  flushed(): Promise<void> {
    return this.#turn.flushed();
  }

  countDown(event: "received" | "delivered" | "dropped", messages: number, reason?: string): void {
    const { down } = this.ledger;
    if (event === "dropped") count(down.dropped, reason ?? "offline", messages);
    else down[event] += messages;
    down.pending += event === "received" ? messages : -messages;
    this.#turn.touch(this);
  }

  list(filter: SpoolFilter, limit: number): readonly SpoolEntry[] {
    const entries: SpoolEntry[] = [];
    const held =
      filter.device === undefined
        ? gatewayKey(family.waiting, this.number)
        : textKey(family.waiting, this.number, filter.device);
    if (filter.fate !== "quarantined") this.#collect(entries, held, filter, limit);
    if (filter.fate !== "held") this.#collect(entries, gatewayKey(family.quarantined, this.number), filter, limit);
    return entries;
  }

  look(filter: Pick<SpoolFilter, "device" | "fate">, limit: number, from?: string): SpoolPage {
    const { refs, next } = walkWaiting(this.#turn.writes, { gateway: this.number, filter, limit, from });
    const entries: SpoolEntry[] = [];
    for (const ref of refs) {
      const entry = this.#entryAt(ref, entries.at(-1)?.record);
      if (entry !== undefined && (filter.device === undefined || entry.fate.device === filter.device))
        entries.push(entry);
    }
    return { entries, ...(next !== undefined && { next }) };
  }

  find(seq: number, index?: number): readonly SpoolEntry[] {
    const indexes = index === undefined ? Array(this.#find(seq)?.count ?? 0).keys() : [index];
    const entries: SpoolEntry[] = [];
    for (const each of indexes) {
      const entry = this.#entryAt({ seq, index: each }, entries.at(-1)?.record);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  reopen(seq: number, messages: number): void {
    const state = this.#find(seq);
    if (state === undefined) return;
    for (let index = 0; index < state.count; index++) {
      const from = codeAt(state, index) as Code;
      if (isFinal(from)) {
        setCode(state, index, code.open);
        this.ledger.received++;
        this.ledger.pending++;
      } else if (from !== code.open) this.#moves.move(state, index, undefined);
    }
    if (state.count === messages) this.#turn.changed(this, state);
    else this.recount(seq, messages);
  }

  /** Takes back a record that could not be written. */
  undo(state: RecordState): void {
    for (let index = 0; index < state.count; index++) {
      const from = codeAt(state, index) as Code;
      if (!isFinal(from)) this.#moves.unindex(state, index, from);
      add(this.ledger, from, -1, state.dropReasons?.get(index));
    }
    this.ledger.received -= state.count;
    if (state.hasFates) this.#turn.writes.remove(seqKey(family.fates, state.seq));
    state.left = 0;
  }

  /** Puts the changed counters of devices into the transaction. */
  writeDevices(): void {
    this.#moves.devices.write();
  }

  #append(arrival: Arrival, done: Appended): SpoolRecord {
    const { packet, count: messages, fates } = arrival;
    const isReply = arrival.priority === "reply";
    const head = { gateway: this.number, count: messages, isReply, payloadLength: packet.payload.length };
    const length = recordLength(arrival);
    const state = new RecordState(this.#turn.nextSeq(), head, length);
    const record = new OpenRecord(this, state.seq, arrival);
    state.record = record;
    state.done = done;
    const isAdmitted = areAllFinal(messages, fates) || this.#turn.admit(state);
    this.ledger.received += messages;
    this.ledger.pending += messages;
    if (fates !== undefined) {
      for (const [index, fate] of fates) if (codeAt(state, index) === code.open) this.#moves.move(state, index, fate);
    }
    if (!isAdmitted) this.#moves.moveAll(state, { kind: "dropped", reason: "full" });
    if (state.left > 0) this.#write(state, arrival);
    this.#turn.enqueue(this, state);
    return record;
  }

  /** Puts a record into a block of its gateway that is not on its way to the disk yet. */
  #write(state: RecordState, arrival: Arrival): void {
    let block = this.#block;
    if (block?.writer === undefined || block.writer.isFullFor(state.length)) {
      // As long as the last one, and some more.
      const guess = Math.min(4080, 512 + (block?.length ?? 0));
      block = new Block(state.seq, this.number);
      block.writer = new BlockWriter(state.seq, guess);
      this.#block = block;
      this.#turn.begin(block);
    }
    block.write(state, arrival);
  }

  /** The state of a record with something left in it. */
  #find(seq: number): RecordState | undefined {
    const state = this.#blockOf(seq)?.find(seq);
    return state === undefined || state.left === 0 ? undefined : state;
  }

  #blockOf(seq: number): Block | undefined {
    if (seq > this.#turn.lastSynced) return this.unsynced.of(seq);
    if (seq > this.#turn.blocks.floor) return this.newest.of(seq);
    const known = this.old.of(seq);
    if (known !== undefined) return known;
    const found = this.#turn.blocks.find(this.number, seq);
    return found === undefined || this.old.get(found) !== undefined ? undefined : this.#load(found);
  }

  #load(seq: number): Block | undefined {
    const block = this.#turn.blocks.load(this.number, seq);
    if (block !== undefined) this.old.insert(block);
    return block;
  }

  #recordOf(state: RecordState | undefined): SpoolRecord | undefined {
    if (state?.record !== undefined) return state.record;
    const stored = state && this.#turn.blocks.recordOf(state);
    return stored && new OpenRecord(this, state.seq, { ...stored, count: state.count });
  }

  *#openStates(afterSeq: number, which: "synced" | "all"): Generator<RecordState> {
    const { floor } = this.#turn.blocks;
    for (const block of afterSeq < floor ? this.#openBlocks(afterSeq) : []) {
      for (const state of block.states) if (state.seq > afterSeq && state.open > 0) yield state;
    }
    for (const blocks of which === "all" ? [this.newest, this.unsynced] : [this.newest]) {
      for (const block of blocks.from(afterSeq)) {
        for (const state of block.states) if (state.seq > afterSeq && state.open > 0) yield state;
      }
    }
  }

  /** Those up to the floor with records behind `afterSeq` that are open. */
  *#openBlocks(afterSeq: number): Generator<Block> {
    const { writes } = this.#turn;
    const prefix = gatewayKey(family.open, this.number);
    const next = indexKey(family.open, this.number, afterSeq + 1);
    // The record may stand in the middle of a block.
    const begin = afterSeq === 0 ? undefined : writes.lastKey(prefix, next);
    for (const key of writes.scanKeys(begin ?? next, endOf(prefix))) {
      const seq = seqOf(key);
      const block = this.old.get(seq) ?? this.#load(seq);
      if (block !== undefined) yield block;
    }
  }

  #refs(prefix: Buffer, limit: number): MessageRef[] {
    const refs: MessageRef[] = [];
    if (limit <= 0) return refs;
    for (const key of this.#turn.writes.scanKeys(prefix, endOf(prefix))) {
      refs.push(refOf(key));
      if (refs.length >= limit) break;
    }
    return refs;
  }

  #collect(entries: SpoolEntry[], prefix: Buffer, filter: SpoolFilter, limit: number): void {
    for (const key of this.#turn.writes.scanKeys(prefix, endOf(prefix))) {
      if (entries.length >= limit) return;
      const ref = refOf(key);
      const state = this.#find(ref.seq);
      const fate = state && fateOf(state, ref.index);
      if (fate === undefined) continue;
      if (filter.device !== undefined && fate.device !== filter.device) continue;
      if (filter.reason !== undefined && fate.reason !== filter.reason) continue;
      const last = entries.at(-1)?.record;
      const record = last?.seq === ref.seq ? last : this.#recordOf(state);
      if (record !== undefined) entries.push({ ref, fate, record });
    }
  }

  #entryAt(ref: MessageRef, last: SpoolRecord | undefined): SpoolEntry | undefined {
    const state = this.#find(ref.seq);
    const fate = state && fateOf(state, ref.index);
    const record = last?.seq === ref.seq ? last : fate && this.#recordOf(state);
    return fate && record && { ref, fate, record };
  }

  /** Moves a message of a record on disk; without a fate it is open again. */
  #change(state: RecordState, index: number, fate: Fate | undefined): void {
    this.#moves.move(state, index, fate);
    this.#turn.changed(this, state);
  }
}

function areAllFinal(messages: number, fates: ReadonlyMap<number, Fate> | undefined): boolean {
  if ((fates?.size ?? 0) < messages) return false;
  for (let index = 0; index < messages; index++) {
    const kind = fates?.get(index)?.kind;
    if (kind !== "delivered" && kind !== "dropped") return false;
  }
  return true;
}

function fateOf(state: RecordState, index: number): SpoolEntry["fate"] | undefined {
  const { device, reason } = state.waits?.get(index) ?? {};
  switch (codeAt(state, index)) {
    case code.held:
      return device === undefined ? undefined : { kind: "held", device, reason: reason ?? "" };
    case code.quarantined:
      return { kind: "quarantined", ...(device !== undefined && { device }), reason: reason ?? "" };
    default:
      return undefined;
  }
}
