import type { Meaning, Reading } from "../message/explained.ts";
import type { RepairOutcome, WaitingMessage } from "../message/repair.ts";
import type { ShownDocument } from "./spool-access.ts";
import { layOutTable, printable, shortAge, shortBytes, shortCount } from "./table.ts";

const heads = ["ID", "GATEWAY", "DEVICE", "FATE", "AGE", "SIZE", "TOPIC", "REASON"];

/** Messages as a table for people. */
export function listText(messages: readonly WaitingMessage[], nowMs: number): string {
  const rows = messages.map(({ id, gateway, device, fate, arrivedMs, bytes, topic, reason }) => [
    ...[id, gateway, device ?? "-", fate, shortAge(nowMs - arrivedMs), shortBytes(bytes), topic, reason],
  ]);
  return linesText(layOutTable(heads, rows, new Set([5])));
}

/** One message with its packet, for people. */
export function shownText(message: ShownDocument, nowMs: number): string {
  const { id, gateway, device, fate, reason, arrivedMs, dialect, topic, qos, bytes, messages, reading } = message;
  const line = (name: string, value: string) => `${name.padEnd(12)}${printable(value)}`;
  const came = `${new Date(arrivedMs).toISOString()}, ${shortAge(nowMs - arrivedMs)} ago`;
  const size = `${shortCount(bytes)} bytes${messages === 1 ? "" : `, ${messages} messages`}`;
  return linesText([
    line("id", id),
    line("gateway", gateway),
    ...(device === undefined ? [] : [line("device", device)]),
    line(fate, reason),
    line("came", came),
    line("dialect", dialect),
    ...(reading === undefined ? [] : readingLines(reading).map(([name, value]) => line(name, value))),
    line("topic", `${topic} (QoS ${qos})`),
    line("packet", size),
    line(...payloadOf(message)),
  ]);
}

function readingLines({ rule, unread, messages, nearMisses }: Reading): readonly [name: string, value: string][] {
  return [
    ...(rule === undefined ? [] : [["rule", `${rule.file}:${rule.line}: ${rule.name}`] as [string, string]]),
    ["now reads", unread?.reason ?? "well"],
    ...messages.map((message): [string, string] => ["means", meaningText(message)]),
    ...nearMisses.map(({ rule: name, file, line, topic, difference }): [string, string] => [
      "near miss",
      `${file}:${line}: ${name}, ${topic}: ${difference}`,
    ]),
  ];
}

/** A message in one line. */
export function meaningText({ kind, device, text }: Meaning): string {
  return [kind, ...(device === undefined ? [] : [JSON.stringify(device)]), text].join(" ");
}

function payloadOf({ payload, payload64 }: ShownDocument): [name: string, value: string] {
  return payload64 === undefined ? ["payload", payload ?? ""] : ["base64", payload64];
}

/** What became of messages that were to be tried again. */
export function retriedText({ done, kept, examples, idle }: RepairOutcome, isRunning: boolean): string {
  const when = isRunning ? "" : ", when the bridge is started";
  const more = kept - examples.length;
  return linesText([
    `${countOf(done)} ${done === 1 ? "is" : "are"} tried again${when}`,
    ...idle.map((id) => `gateway "${printable(id)}" is not configured: its messages wait until it is`),
    ...(kept === 0 ? [] : [`${countOf(kept)} ${kept === 1 ? "stays as it is" : "stay as they are"}:`]),
    ...layOutTable(
      ["ID", "REASON"],
      examples.map(({ id, reason }) => [id, reason]),
    ),
    ...(more > 0 ? [`… and ${shortCount(more)} more`] : []),
  ]);
}

/** `1 message`, `1,234 messages`. */
export function countOf(messages: number): string {
  return messages === 1 ? "1 message" : `${shortCount(messages)} messages`;
}

function linesText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
