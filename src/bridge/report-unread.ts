import type { Decoded } from "../message/decoded.ts";
import type { Log } from "../message/log.ts";
import type { Packet } from "../message/packet.ts";
import { describeUnread } from "./describe-unread.ts";

/** Says of a packet what of it could not be read, if anything. */
export function reportUnread(
  log: Log,
  { gateway, packet, decoded }: { readonly gateway: string; readonly packet: Packet; readonly decoded: Decoded },
): void {
  if (decoded.kind === "messages" && decoded.misfits.length === 0) return;
  const fields = { gateway, topic: packet.topic, bytes: packet.payload.length };
  log.warn({ ...fields, reason: describeUnread(decoded) }, "packet-not-understood");
}
