import type { Decoded } from "../message/decoded.ts";
import type { SpoolEntry } from "../spool/spool.ts";
import { describeUnread } from "./describe-unread.ts";

/** How a quarantined or held message is to be tried again. */
export type RerunPlan =
  /** It stays. */
  | { readonly kind: "keep"; readonly reason: string }
  /** It alone. */
  | { readonly kind: "one" }
  /** The whole packet it came in, which is `count` messages now. */
  | { readonly kind: "packet"; readonly count: number };

/**
 * Plans how to try a message again, by how its packet is read now (`undefined`: by nobody).
 *
 * Fates are kept by the place of a message in its packet. Once the packet reads otherwise than it did, as after a mapping was
 * mended, nobody can tell which place is which, and it goes again as a whole: twice is better than never.
 *
 * @param isUnderWay Other messages of the packet are being sent just now; their places must stay.
 */
export function planRerun(
  { ref, fate, record }: SpoolEntry,
  decoded: Decoded | undefined,
  isUnderWay: boolean,
): RerunPlan {
  if (decoded === undefined) return { kind: "keep", reason: `unknown dialect "${record.dialect}"` };
  if (decoded.kind !== "messages") return { kind: "keep", reason: describeUnread(decoded) };
  const hasRest = decoded.misfits.length > 0;
  const count = decoded.messages.length + Number(hasRest);
  // What of a packet could not be read counts as one message, its last, and is no device's.
  const isRest = record.count > 1 && ref.index === record.count - 1 && fate.device === undefined;
  if (count === record.count && !isRest) return { kind: "one" };
  if (count === record.count && hasRest) return { kind: "keep", reason: describeUnread(decoded) };
  if (isUnderWay) return { kind: "keep", reason: "other messages of its packet are under way: try again later" };
  return { kind: "packet", count: Math.max(1, count) };
}
