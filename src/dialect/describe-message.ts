import type { Message } from "../message/message.ts";

/** A message in one line, the same line for the same message: fields by name, bytes as base64, absent fields left out. */
export function describeMessage(message: Message): string {
  const fields = Object.entries(message)
    .filter(([name, value]) => name !== "kind" && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}: ${describeValue(value)}`);
  return fields.length === 0 ? message.kind : `${message.kind} { ${fields.join(", ")} }`;
}

function describeValue(value: unknown): string {
  if (!(value instanceof Uint8Array)) return JSON.stringify(value);
  return `base64 ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")}`;
}
