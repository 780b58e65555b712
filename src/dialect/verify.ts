import { parseJson } from "../message/json.ts";
import type { Message } from "../message/message.ts";
import { absent, type Conversion } from "./conversion.ts";
import { describeMessage } from "./describe-message.ts";
import type { BoundDialect, Dialect, DialectExample } from "./dialect.ts";
import { type Blame, collectMistakes, type Mistake, type Place } from "./mistake.ts";
import type { Rule } from "./rule.ts";
import { conversionsOf, sampleMessages } from "./sample-messages.ts";

/**
 * Runs the examples of a compiled dialect, and its laws on sample messages: what a rule prints reads back as the same message,
 * and each conversion reads what it prints. Always the same samples, so the same mapping always gets the same verdict.
 */
export function verifyDialect(dialect: Dialect): readonly Mistake[] {
  const { blame, found } = collectMistakes();
  const bound = dialect.bind({});
  for (const example of dialect.examples) verifyExample(bound, example, blame);
  for (const rule of dialect.rules) {
    verifyRule(bound, rule, blame);
    for (const conversion of conversionsOf(rule)) verifyConversion(rule, conversion, blame);
  }
  return found();
}

function verifyExample(bound: BoundDialect, example: DialectExample, blame: Blame): void {
  const { at, messages, rule } = example;
  const problem = readingProblem(bound, example) ?? printingProblem(bound, example);
  if (problem !== undefined) blame(at, `The example for "${rule.name}" ${problem}`);
  for (const message of messages) lawHolds(bound, rule.name, at, message, blame);
}

function readingProblem(
  bound: BoundDialect,
  { direction, messages, payload, rule, topic }: DialectExample,
): string | undefined {
  const decoded = bound.decode(direction, { topic, payload });
  if (decoded.kind === "unknownTopic") return `cannot be read: no rule has the topic "${topic}"`;
  if (decoded.kind === "unreadable") return `cannot be read: ${decoded.reason}`;
  if (decoded.rule.name !== rule.name)
    return `is read by the rule "${decoded.rule.name}", wanted a packet of its own rule`;
  const got = decoded.messages.map(describeMessage).join(", ");
  const wanted = messages.map(describeMessage).join(", ");
  return got === wanted ? undefined : `means ${got}, wanted ${wanted}`;
}

function printingProblem(bound: BoundDialect, example: DialectExample): string | undefined {
  const { messages, payload, topic } = example;
  const prints = example.prints ?? (messages.length === 1 ? [payload] : []);
  for (const [index, message] of messages.entries()) {
    const encoded = bound.encode(message);
    if (encoded.kind !== "packet") return `cannot be printed: ${encoded.reason}`;
    const { packet } = encoded;
    if (packet.topic !== topic) return `prints on "${packet.topic}", wanted "${topic}"`;
    const wanted = prints[index];
    if (wanted !== undefined && textOf(packet.payload) !== textOf(wanted)) {
      return `prints ${JSON.stringify(textOf(packet.payload))}, wanted ${JSON.stringify(textOf(wanted))}`;
    }
  }
  return undefined;
}

function verifyRule(bound: BoundDialect, rule: Rule, blame: Blame): void {
  let isUsed = false;
  for (const message of sampleMessages(rule)) {
    const printedBy = lawHolds(bound, rule.name, rule.at, message, blame);
    if (printedBy === false) return;
    if (printedBy === rule.name) isUsed = true;
  }
  if (!isUsed)
    blame(rule.at, `Nothing is ever printed by the rule "${rule.name}", wanted a message that no rule before it takes`);
}

/** The name of the rule that printed the message, `undefined` if none can, and false if it read back as something else. */
function lawHolds(
  bound: BoundDialect,
  name: string,
  at: Place,
  message: Message,
  blame: Blame,
): string | undefined | false {
  const encoded = bound.encode(message);
  if (encoded.kind !== "packet") return undefined;
  const { packet } = encoded;
  const direction = bound.dialect.rules.find(({ kind }) => kind === message.kind)?.direction ?? "up";
  const decoded = bound.decode(direction, packet);
  const wanted = describeMessage(message);
  const got =
    decoded.kind === "messages" ? decoded.messages.map(describeMessage).join(", ") : `nothing (${decoded.kind})`;
  if (got === wanted) return encoded.rule.name;
  blame(
    at,
    `The rule "${name}" prints ${wanted} as ${packet.topic} ${textOf(packet.payload)}, which reads back as ${got}`,
  );
  return false;
}

function verifyConversion(rule: Rule, { name, read, print, law }: Conversion, blame: Blame): void {
  const gateway = "gateway";
  const fail = (what: string) => blame(rule.at, `The conversion "${name}" of the rule "${rule.name}" ${what}`);
  for (const value of law.same) {
    const text = print(value, gateway);
    const node = text === undefined ? undefined : parseJson(text);
    const again = node === undefined || node.kind === "fault" ? undefined : read(node, gateway);
    if (!isSame(again, value)) fail(`prints ${show(value)} as ${text} and reads that as ${show(again)}`);
  }
  for (const [text, value] of law.also) {
    const node = parseJson(text);
    const got = node.kind === "fault" ? undefined : read(node, gateway);
    if (!isSame(got, value)) fail(`reads ${text} as ${show(got)}, wanted ${show(value)}`);
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return show(a) === show(b);
}

function show(value: unknown): string {
  if (value === absent) return "absent";
  if (value instanceof Uint8Array) return `base64 ${Buffer.from(value).toString("base64")}`;
  return JSON.stringify(value) ?? "undefined";
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
