import { basename } from "node:path";
import type { RuleRef } from "../message/decoded.ts";
import type { TraceLine } from "../message/trace.ts";
import { meaningText } from "./spool-text.ts";
import { printable } from "./table.ts";

const arrows = {
  "local in": "gateway ▶",
  "upstream out": "        ▶ cloud",
  "upstream in": "cloud   ▶",
  "local out": "        ▶ gateway",
} as const;

const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;
const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
const plain = (text: string) => text;
const indent = " ".repeat(14);

/** A packet for people: when, where and what, and below it what it means and by which rule. */
export function tracedText(line: TraceLine, { isColoured }: { readonly isColoured: boolean }): string {
  const { atMs, gateway, side, direction, topic, payload, cut, encoding, bytes } = line;
  const size = encoding === undefined && cut === undefined ? "" : ` (${bytes} bytes)`;
  const shown = payload === "" ? "(empty)" : encoding === undefined ? printable(payload) : `base64 ${payload}`;
  const arrow = arrows[`${side} ${direction}`].padEnd(17);
  const head = `${timeOf(atMs)}  ${printable(gateway)}  ${arrow}  ${printable(topic)}  ${shown}${cut ? "…" : ""}${size}`;
  const faint = isColoured ? dim : plain;
  const loud = isColoured ? red : plain;
  return [
    head,
    ...meaningLines(line).map((text) => faint(`${indent}${text}`)),
    ...unreadLines(line).map((text) => loud(`${indent}${text}`)),
    "",
  ].join("\n");
}

function meaningLines({ messages, rule, mappedBy = [], records = [], fates = [] }: TraceLine): readonly string[] {
  const notes = [
    ...(rule === undefined ? [] : [`by ${placeOf(rule)}`]),
    ...fates.map(printable),
    ...mappedBy.map((one) => `changed by ${placeOf(one)}`),
    ...(records.length === 0 ? [] : [`record ${records.join(", ")}`]),
  ];
  const meanings = messages.map((message) => printable(meaningText(message)));
  return [...meanings, ...(notes.length === 0 ? [] : [notes.join(", ")])];
}

function unreadLines({ unread }: TraceLine): readonly string[] {
  if (unread === undefined) return [];
  const { reason, nearest } = unread;
  const miss = nearest && `nearest: ${nearest.rule} (${basename(nearest.file)}:${nearest.line}): ${nearest.difference}`;
  return [`not understood: ${printable(reason)}`, ...(miss === undefined ? [] : [printable(miss)])];
}

function placeOf({ name, file, line }: RuleRef): string {
  return printable(`${name} (${basename(file)}:${line})`);
}

/** Of this machine's day: `14:03:07.120`. */
function timeOf(atMs: number): string {
  const time = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const ms = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}
