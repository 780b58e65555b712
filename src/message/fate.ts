import type { DeviceId } from "./message.ts";

/** Why a message from the local side was let go. User rules bring names of their own. */
export type DropReason =
  | "unknownTopic"
  | "empty"
  | "unmatched"
  | "unsupported"
  | "withheld"
  | "gone"
  | "full"
  | "discarded"
  | (string & {});

/** Why a message from the cloud was not given to the gateway. */
export type DownDropReason =
  | "offline"
  | "forbidden"
  | "superseded"
  | "unrepresentable"
  | "unknownTopic"
  /** Above the size that is taken from a cloud. */
  | "oversize"
  /** More than the gateway takes, or than may wait for it. */
  | "full";

/**
 * What became of one message. `delivered`, `dropped` and `quarantined` are final until an operator steps in; `held` waits
 * for its device; `parked` is still pending, but read back from the spool when its device can take it.
 */
export type Fate =
  | { readonly kind: "delivered" }
  | { readonly kind: "dropped"; readonly reason: DropReason }
  | { readonly kind: "held"; readonly device: DeviceId; readonly reason: string }
  | { readonly kind: "parked"; readonly device: DeviceId }
  | { readonly kind: "quarantined"; readonly device?: DeviceId; readonly reason: string };

/** One message in the spool: the record it came in and its place in it. */
export interface MessageRef {
  readonly seq: number;
  readonly index: number;
}

/** `received = delivered + pending + held + quarantined + dropped`, counted in messages. */
export interface Ledger {
  received: number;
  delivered: number;
  pending: number;
  held: number;
  quarantined: number;
  dropped: Record<string, number>;
  down: { received: number; delivered: number; pending: number; dropped: Record<string, number> };
}

export function emptyLedger(): Ledger {
  return {
    received: 0,
    delivered: 0,
    pending: 0,
    held: 0,
    quarantined: 0,
    dropped: {},
    down: { received: 0, delivered: 0, pending: 0, dropped: {} },
  };
}

/** What is received without a fate; not 0 means that something was lost or counted twice. */
export function imbalanceOf(ledger: Ledger): number {
  const dropped = Object.values(ledger.dropped).reduce((sum, count) => sum + count, 0);
  return ledger.received - ledger.delivered - ledger.pending - ledger.held - ledger.quarantined - dropped;
}
