import type { RuleRef } from "./decoded.ts";
import type { MessageKind } from "./message.ts";

/** One message in words. */
export interface Meaning {
  readonly kind: MessageKind;
  /** Absent: the gateway itself. */
  readonly device?: string;
  /** Its other fields as one line of JSON, cut where it is long. */
  readonly text: string;
}

/** A rule that nearly read a packet, and where the packet first differs from it. */
export interface NearMiss {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly topic: string;
  readonly difference: string;
}

/**
 * What a packet means and why: the one form in which `translate --explain`, the trace, the quarantine and the playground
 * tell it.
 */
export interface Explained {
  /** The rule that read or printed it; also of a packet that has this rule's topic but not its shape. */
  readonly rule?: RuleRef;
  /** What the rule's variables hold, in the first of the messages. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly messages: readonly Meaning[];
  /** Why it, or a part of it, could not be read. */
  readonly unread?: { readonly reason: string; readonly nearest?: NearMiss };
}

/** How the rules read a packet, with all that nearly read it. */
export interface Reading extends Explained {
  /** Other rules, nearest first; `unread.nearest` is the first of them. */
  readonly nearMisses: readonly NearMiss[];
}
