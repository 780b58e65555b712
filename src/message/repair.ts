import type { Reading } from "./explained.ts";
import type { MessageRef } from "./fate.ts";
import type { DeviceId } from "./message.ts";

/** Which of the messages that are held or quarantined are meant; all that is left out fits everything. */
export interface RepairFilter {
  readonly gateway?: string;
  readonly device?: DeviceId;
  /** Part of the reason, in whatever case. */
  readonly reason?: string;
  readonly fate?: "held" | "quarantined";
  /** They came at least so long ago. */
  readonly minAgeMs?: number;
  /** One packet, or with `index` one message of it. */
  readonly seq?: number;
  readonly index?: number;
}

/** One step through them. */
export interface RepairStep {
  readonly filter: RepairFilter;
  /** How many messages to answer or treat at most. */
  readonly limit: number;
  /** The `next` of the step before. */
  readonly after?: string;
}

/** A message that waits for its device or for an operator; nothing of its payload. */
export interface WaitingMessage {
  /** `SEQ.INDEX`: the packet and the message in it, unique over all gateways of a spool. */
  readonly id: string;
  readonly gateway: string;
  readonly device?: DeviceId;
  readonly fate: "held" | "quarantined";
  readonly reason: string;
  /** Unix milliseconds. */
  readonly arrivedMs: number;
  /** The dialect that read it when it came. */
  readonly dialect: string;
  readonly topic: string;
  readonly bytes: number;
}

export interface WaitingPage {
  readonly messages: readonly WaitingMessage[];
  /** Where to go on; absent when there is nothing more. A page may be empty and yet have one. */
  readonly next?: string;
}

/** One message with the whole packet it came in. */
export interface ShownMessage extends WaitingMessage {
  readonly qos: 0 | 1 | 2;
  /** As it came; may hold secrets. */
  readonly payload: Uint8Array;
  /** As it may be shown to whoever did not ask for more. */
  readonly maskedPayload: Uint8Array;
  /** How many messages the packet counts as. */
  readonly messages: number;
  /** How the rules read it as they are now, secrets masked; absent where the dialect is not known any more. */
  readonly reading?: Reading;
}

/** What became of one step. */
export interface RepairOutcome {
  /** Messages that are tried again, or were dropped as `discarded`. */
  readonly done: number;
  /** Messages that stay as they are. */
  readonly kept: number;
  /** Some of those, and why. */
  readonly examples: readonly { readonly id: string; readonly reason: string }[];
  /** Gateways that are not configured: what is to be tried again waits until they are. */
  readonly idle: readonly string[];
  readonly next?: string;
}

/** Looks after what is held or quarantined. */
export interface SpoolRepair {
  /** The spool's folder, or `memory`: tells one bridge from another. */
  readonly directory: string;
  /** All gateways that have anything in the spool, those that are configured no more included. */
  gateways(): readonly string[];
  list(step: RepairStep): WaitingPage;
  show(gateway: string, ref: MessageRef): ShownMessage | undefined;
  /**
   * Tries messages again: held ones with all of their device, as soon as that can be reached, and quarantined ones in their
   * order, read by the rules as they are now. Resolves when that is on disk.
   *
   * @throws {DragomanError} `ERR_SPOOL_FAILED`.
   */
  retry(step: RepairStep): Promise<RepairOutcome>;
  /**
   * Drops messages as `discarded`. Resolves when that is on disk.
   *
   * @throws {DragomanError} `ERR_SPOOL_FAILED`.
   */
  discard(step: RepairStep): Promise<RepairOutcome>;
}
