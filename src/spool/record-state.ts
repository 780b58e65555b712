import type { Fate } from "../message/fate.ts";
import type { DeviceId } from "../message/message.ts";
import type { Block } from "./block.ts";
import type { RecordHead } from "./record-codec.ts";
import type { Appended, SpoolRecord } from "./spool.ts";

/** A message's fate in one byte. The numbers are on disk. */
export const code = { open: 0, delivered: 1, dropped: 2, held: 3, parked: 4, quarantined: 5 } as const;
export type Code = (typeof code)[keyof typeof code];

/** What a held, parked or quarantined message waits for. */
export interface Wait {
  readonly device?: DeviceId;
  readonly reason?: string;
}

/** What became of the messages of one record; kept in memory for the newest records and for those in use. */
export class RecordState {
  readonly seq: number;
  /** The gateway's number in this spool. */
  readonly gateway: number;
  readonly isReply: boolean;
  readonly payloadLength: number;
  /** Bytes of the record on disk. */
  readonly length: number;
  /** Bytes it takes up there with all that goes with it, its entries in the indexes included; an estimate. */
  readonly cost: number;
  count: number;
  /** Messages neither delivered nor dropped. */
  left: number;
  /** Messages to be sent: pending and not parked. */
  open: number;
  /** `undefined`: all are open. */
  codes: Uint8Array | undefined = undefined;
  waits: Map<number, Wait> | undefined = undefined;
  /** Whether fates stand on disk, or will with the next transaction. */
  hasFates = false;
  /** Where the record stands; nowhere, if there was nothing left in it when it came. */
  block: Block | undefined = undefined;
  /** The how manieth it is in its block's value, from 0. */
  at = 0;
  /** Whether the block counts it as one with messages to be sent. */
  isCountedOpen = false;
  /** Whether the fates have changed since they were last written. */
  isChanged = false;
  /** Until it is synced or refused: what it holds, who wants to know, and why messages of it were dropped. */
  record: SpoolRecord | undefined = undefined;
  done: Appended | undefined = undefined;
  dropReasons: Map<number, string | undefined> | undefined = undefined;

  /** All messages are open. `length` is that of the record on disk. */
  constructor(seq: number, head: RecordHead, length: number) {
    this.seq = seq;
    this.gateway = head.gateway;
    this.isReply = head.isReply;
    this.payloadLength = head.payloadLength;
    this.length = length;
    this.cost = costOf(length);
    this.count = head.count;
    this.left = head.count;
    this.open = head.count;
  }
}

/** Tells that a record is synced, or why it is not. */
export function tell(state: RecordState, error?: unknown): void {
  const { done } = state;
  state.record = undefined;
  state.done = undefined;
  state.dropReasons = undefined;
  done?.(error);
}

export function codeAt(state: RecordState, index: number): Code | undefined {
  if (!(index >= 0 && index < state.count)) return undefined;
  return state.codes === undefined ? code.open : (state.codes[index] as Code);
}

/** Shared by most records of one message: a final code is never written over. */
const onlyDelivered = Uint8Array.of(code.delivered);
const onlyDropped = Uint8Array.of(code.dropped);

/** Changes one message's code and the sums with it. */
export function setCode(state: RecordState, index: number, to: Code, wait?: Wait): void {
  if (state.codes === undefined && state.count === 1 && isFinal(to)) {
    state.codes = to === code.delivered ? onlyDelivered : onlyDropped;
    state.left = 0;
    state.open = 0;
    return;
  }
  state.codes ??= new Uint8Array(state.count);
  const from = state.codes[index] as Code;
  state.codes[index] = to;
  state.left += Number(!isFinal(to)) - Number(!isFinal(from));
  state.open += Number(to === code.open) - Number(from === code.open);
  if (wait !== undefined) {
    state.waits ??= new Map();
    state.waits.set(index, wait);
  } else state.waits?.delete(index);
}

/** Changes how many messages there are; new ones are open. */
export function resize(state: RecordState, count: number): void {
  const codes = new Uint8Array(count);
  if (state.codes !== undefined) codes.set(state.codes.subarray(0, count));
  state.codes = codes;
  state.count = count;
  recomputeSums(state);
  for (const index of state.waits?.keys() ?? []) if (index >= count) state.waits?.delete(index);
}

/** Delivered and dropped: nothing more happens to the message. */
export function isFinal(of: Code): boolean {
  return of === code.delivered || of === code.dropped;
}

/** The fates as they stand on disk: how many, a byte for each, and JSON of what the waiting ones wait for. */
export function encodeFates(state: RecordState): Buffer {
  const codes = state.codes ?? new Uint8Array(state.count);
  const waits = [...(state.waits ?? [])].map(([index, { device, reason }]) => [index, device ?? null, reason ?? null]);
  const json = waits.length === 0 ? "" : JSON.stringify(waits);
  const bytes = Buffer.allocUnsafe(4 + codes.length + Buffer.byteLength(json));
  bytes.writeUInt32LE(codes.length, 0);
  bytes.set(codes, 4);
  bytes.write(json, 4 + codes.length);
  return bytes;
}

/** Puts fates read from disk into a state. */
export function applyFates(state: RecordState, bytes: Buffer): void {
  const count = bytes.readUInt32LE(0);
  state.count = count;
  state.codes = new Uint8Array(bytes.subarray(4, 4 + count));
  const json = bytes.toString("utf8", 4 + count);
  if (json !== "") {
    const waits = JSON.parse(json) as [number, DeviceId | null, string | null][];
    state.waits = new Map(waits.map(([index, device, reason]) => [index, waitOf(device, reason)]));
  }
  recomputeSums(state);
  state.hasFates = true;
}

/** The code and the wait that a fate means. */
export function codeOf(fate: Fate): Code {
  return code[fate.kind];
}

export function waitFor(fate: Fate): Wait | undefined {
  switch (fate.kind) {
    case "delivered":
    case "dropped":
      return undefined;
    case "held":
      return { device: fate.device, reason: fate.reason };
    case "parked":
      return { device: fate.device };
    case "quarantined":
      return waitOf(fate.device ?? null, fate.reason);
  }
}

function waitOf(device: DeviceId | null, reason: string | null): Wait {
  return { ...(device !== null && { device }), ...(reason !== null && { reason }) };
}

function recomputeSums(state: RecordState): void {
  state.left = 0;
  state.open = 0;
  for (const each of state.codes ?? []) {
    if (!isFinal(each as Code)) state.left++;
    if (each === code.open) state.open++;
  }
}

const page = 4096;

/**
 * A value of more than about half a page gets pages of its own in lmdb. Small records share a block, and a quarter is about
 * what is lost at its end; 80 bytes are keys, node heads and indexes.
 */
function costOf(length: number): number {
  return 80 + (length < page / 2 - 64 ? length + (length >> 2) : (length + 32 + page - 1) & -page);
}
