import type { DeviceId, Message } from "./message.ts";

/** A part of a packet that did not fit its rule, and what would have. */
export interface Misfit {
  /** Where in the payload, as a JSON pointer (RFC 6901); empty for the whole. */
  readonly path: string;
  readonly device?: DeviceId;
  readonly wanted: string;
  readonly got: string;
}

/** The mapping rule that read or printed a packet. `line` counts from 1. */
export interface RuleRef {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/**
 * What a packet means.
 *
 * `messages` may come with `misfits`: entries of a packet for many devices that did not fit while others did.
 * `unreadable` is a packet of a known topic no part of which can be used: not JSON at all (`cause: "syntax"`), or of a
 * wrong shape throughout (`cause: "shape"`).
 */
export type Decoded =
  | {
      readonly kind: "messages";
      readonly rule: RuleRef;
      readonly messages: readonly Message[];
      readonly misfits: readonly Misfit[];
    }
  | {
      readonly kind: "unreadable";
      readonly rule: RuleRef;
      readonly cause: "syntax" | "shape";
      readonly reason: string;
      readonly misfits: readonly Misfit[];
    }
  | { readonly kind: "unknownTopic"; readonly topic: string };
