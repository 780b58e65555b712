import { maskedMessage, maskedPacket } from "../dialect/mask.ts";
import { cutText } from "../dialect/meaning.ts";
import type { Decoded } from "../message/decoded.ts";
import type { Explained } from "../message/explained.ts";
import type { Message } from "../message/message.ts";
import type { TraceLine } from "../message/trace.ts";
import { describeFate } from "./describe-fate.ts";
import { explained, explainedMessages, type HowMuch } from "./explained.ts";
import { deviceNameOf, type TraceEvent, type TraceSides } from "./trace.ts";

const maxPayloadBytes = 4096;
/** A packet of a thousand devices is a line of this many. */
const howMuch: HowMuch = { maxLength: 500, maxMessages: 20 };

/** A packet and what is known of it, as it may be shown: secrets masked, long texts cut. */
export function traceLine(
  event: TraceEvent,
  sides: TraceSides,
  { id, atMs }: { readonly id: number; readonly atMs: number },
): TraceLine {
  const { gateway, side, direction, packet, messages, records, cause } = event;
  const fates = new Set(Array.from(event.fates ?? [], (fate) => cutText(describeFate(fate), howMuch.maxLength)));
  const { dialect } = sides[side];
  const shown = maskedPacket(packet, { dialect, rule: event.rule, messages, maxLength: maxPayloadBytes });
  const told = explanationOf(event, sides);
  const mappedBy = side === "local" ? messages.flatMap((message) => sides.mapping?.rulesFor(message) ?? []) : [];
  return {
    ...{ id, atMs, gateway, side, direction, topic: cutText(shown.topic, howMuch.maxLength) },
    ...payloadOf(shown.payload, packet.payload.length),
    ...{ bytes: packet.payload.length, qos: packet.qos },
    ...(records === undefined || records.length === 0 ? {} : { records }),
    ...(cause === undefined ? {} : { cause }),
    ...told,
    ...(fates.size === 0 ? {} : { fates: [...fates].slice(0, howMuch.maxMessages) }),
    ...(mappedBy.length === 0 ? {} : { mappedBy: [...new Set(mappedBy)] }),
  };
}

/** Only what could not be read is compared with all the rules. */
function explanationOf(event: TraceEvent, sides: TraceSides): Explained {
  const { side, packet, rule, decoded } = event;
  const messages = event.messages.map((message) => named(maskedMessage(message, maxPayloadBytes), side, sides));
  if (decoded === undefined || isWhole(decoded)) return explainedMessages(rule, messages, howMuch);
  const explanation = sides[side].explain(side === "local" ? "up" : "down", packet);
  const shown = decoded.kind === "messages" ? { ...decoded, messages } : decoded;
  const { nearMisses: _, ...told } = explained({ ...explanation, decoded: shown }, howMuch);
  return told;
}

/** Devices have the name of the local side on both, so that what belongs together can be seen. */
function named(message: Message, side: TraceEvent["side"], sides: TraceSides): Message {
  const device = deviceNameOf(message, side, sides);
  return device === undefined || !("device" in message) ? message : { ...message, device };
}

function isWhole(decoded: Decoded): boolean {
  return decoded.kind === "messages" && decoded.misfits.length === 0;
}

function payloadOf(bytes: Uint8Array, whole: number): Pick<TraceLine, "payload" | "encoding" | "cut"> {
  const head = bytes.subarray(0, maxPayloadBytes);
  // What is masked was cut before, and is of another length.
  const cut = head.length < bytes.length || whole > maxPayloadBytes;
  try {
    // In the middle of a character is not the same as not text.
    const payload = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(head, { stream: cut });
    return { payload, ...(cut ? { cut } : {}) };
  } catch {
    return { payload: Buffer.from(head).toString("base64"), encoding: "base64", ...(cut ? { cut } : {}) };
  }
}
