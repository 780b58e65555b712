import type { TraceEvent } from "../../bridge/trace.ts";

const arrows = {
  "local in": "gateway ▶ ",
  "upstream out": "        ▶ cloud  ",
  "upstream in": "cloud   ▶ ",
  "local out": "        ▶ gateway",
} as const;

/** One packet as a line: where it went, its topic, its payload as text or, where it is not text, its size. */
export function traceLine(event: TraceEvent): string {
  const arrow = arrows[`${event.side} ${event.direction}`].padEnd(18);
  return `${arrow}${event.packet.topic}  ${payloadText(event.packet.payload)}\n`;
}

function payloadText(payload: Uint8Array): string {
  if (payload.length === 0) return "(empty)";
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8");
  if (text.includes("\uFFFD")) return `(${payload.length} bytes)`;
  return text.length > 500 ? `${text.slice(0, 500)}… (${payload.length} bytes)` : text;
}
