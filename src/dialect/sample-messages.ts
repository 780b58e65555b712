import type { JsonText } from "../message/json.ts";
import type { Message } from "../message/message.ts";
import type { Conversion } from "./conversion.ts";
import { variablesIn } from "./pattern-facts.ts";
import type { Rule } from "./rule.ts";
import { pointsField, type ValueType, vocabulary } from "./vocabulary.ts";

/** More optional fields than this are left out one by one only, so that the number of messages stays small. */
const maxSubsetFields = 6;

/**
 * Messages of the shape that a rule carries, always the same ones: every combination of its optional fields, with values that
 * conversions name as hard ones. Not all of them can be printed, for alternatives exclude each other.
 */
export function sampleMessages(rule: Rule): readonly Message[] {
  const bits = rule.fields.map((_, index) => 1 << index);
  const optional = bits.filter((bit) => rule.carries & bit & ~rule.needs);
  const messages: Message[] = [];
  for (const [round, chosen] of subsets(optional).entries()) {
    for (let turn = 0; turn < 3; turn++) messages.push(sampleMessage(rule, rule.needs | chosen, round * 3 + turn));
  }
  return messages;
}

function subsets(bits: readonly number[]): readonly number[] {
  const all = bits.reduce((sum, bit) => sum | bit, 0);
  if (bits.length > maxSubsetFields) return [0, all, ...bits, ...bits.map((bit) => all & ~bit)];
  return Array.from({ length: 2 ** bits.length }, (_, chosen) =>
    bits.reduce((sum, bit, index) => (chosen & (2 ** index) ? sum | bit : sum), 0),
  );
}

function sampleMessage(rule: Rule, bits: number, round: number): Message {
  const message: Record<string, unknown> = { kind: rule.kind };
  for (const [index, { name }] of rule.fields.entries()) {
    if ((bits & (1 << index)) === 0) continue;
    message[name] = name === pointsField ? samplePoints(rule, round) : sampleValue(rule, name, round + index);
  }
  return message as unknown as Message;
}

function samplePoints(rule: Rule, round: number): readonly unknown[] {
  const isTimed = rule.payload !== undefined && variablesIn(rule.payload).some(({ name }) => name === "ts");
  return Array.from({ length: round % 3 }, (_, index) => {
    const values = sampleValue(rule, "values", round + index);
    return isTimed && (round + index) % 2 === 0 ? { ts: sampleValue(rule, "ts", round + index), values } : { values };
  });
}

function sampleValue(rule: Rule, name: string, round: number): unknown {
  const type = (vocabulary[rule.kind].variables as Readonly<Record<string, ValueType>>)[name] as ValueType;
  const written = rule.payload && variablesIn(rule.payload).find((variable) => variable.name === name);
  const values = written === undefined ? plainSamples[type] : written.conversion.law.same;
  const usable = type === "device" ? values.filter((value) => value !== "") : values;
  return usable[round % usable.length];
}

const bytesSamples = [new Uint8Array(), new Uint8Array([0, 255, 10]), new Uint8Array([0x7b, 0x7d])];

/** Values of variables that stand in topics or are the whole payload. */
const plainSamples: Readonly<Record<ValueType, readonly unknown[]>> = {
  device: ["sensor-7", "Device%20A", "x%_007", "__proto__"],
  text: ["a", "constructor", "é"],
  folder: ["alarms", "a/b c", "a//b"],
  integer: [0, 4711, Number.MAX_SAFE_INTEGER],
  time: [0, 1483228800000],
  scope: ["client", "shared"],
  keys: [["a"]],
  json: ["null" as JsonText],
  object: ["{}" as JsonText],
  bytes: bytesSamples,
};

/** The conversions that a rule uses. */
export function conversionsOf(rule: Rule): readonly Conversion[] {
  return rule.payload === undefined ? [] : [...new Set(variablesIn(rule.payload).map(({ conversion }) => conversion))];
}
