import type { Message } from "../message/message.ts";
import type { BoundTopic } from "./bound-topic.ts";
import type { Sheet } from "./compile-print.ts";
import type { Encoded } from "./dialect.ts";
import type { BoundRule } from "./routes.ts";
import type { Rule } from "./rule.ts";

/** Topics that are remembered per rule, so that a device's name is checked once. */
const maxRemembered = 4096;
/** MQTT 3.1.1, 1.5.3: a string is at most 65,535 bytes of UTF-8. */
const maxTopicBytes = 65535;
/** MQTT 3.1.1, 3.3.2.1 and 1.5.3: no wildcard, no NUL, nothing that is not a character; a slash would make two levels. */
const badInLevel = /[/+#\0]|\p{Surrogate}/u;
const badInFolder = /[+#\0]|\p{Surrogate}|^\/|\/$/u;
const noPayload = new Uint8Array();

/** Prints one message by one rule. */
export type RulePrinter = (message: Message) => Encoded;

/**
 * Compiles a rule's printing for one gateway. `rivals` are rules whose more literal topics are tried before this one's,
 * `copies` the topics on which the same is said once more.
 */
export function compileEncode(
  { rule, topic }: BoundRule,
  gateway: string,
  { rivals, copies }: { readonly rivals: readonly BoundRule[]; readonly copies: readonly BoundTopic[] },
): RulePrinter {
  const printTopic = compileTopic({ rule, topic }, gateway, rivals);
  const { print, bytes, isTaken, qos, ref } = rule;
  const needsSubscription = !rule.isAlwaysDelivered;
  return (message) => {
    const fields = message as unknown as Readonly<Record<string, unknown>>;
    const written = printTopic(fields);
    if (typeof written !== "string") return { kind: "unrepresentable", reason: written.reason };
    let payload: Uint8Array = noPayload;
    if (bytes !== undefined) payload = fields[bytes] as Uint8Array;
    else if (print !== undefined) {
      const sheet: Sheet = { gateway, message: fields, point: undefined, reason: undefined };
      const text = print(sheet);
      if (sheet.reason !== undefined) return { kind: "unrepresentable", reason: sheet.reason };
      if (isTaken?.(text)) return { kind: "unrepresentable", reason: "it would be read as a message of another kind" };
      payload = Buffer.from(text, "utf8");
    }
    const encoded = { kind: "packet", packet: { topic: written, payload, qos }, rule: ref, needsSubscription } as const;
    if (copies.length === 0) return encoded;
    const others = copies
      .map((copy) => printCopy(copy, fields["device"], gateway))
      .filter((other) => other !== written);
    return { ...encoded, copies: others.filter((other) => other !== undefined) };
  };
}

/** The topic of a copy, in which nothing but the device varies. */
function printCopy({ levels }: BoundTopic, device: unknown, gateway: string): string | undefined {
  const written = levels.map((level) => ("text" in level ? level.text : printDevice(device, gateway)));
  return written.every((level) => typeof level === "string") ? written.join("/") : undefined;
}

type TopicPrinter = (fields: Readonly<Record<string, unknown>>) => string | { readonly reason: string };

function compileTopic(bound: BoundRule, gateway: string, rivals: readonly BoundRule[]): TopicPrinter {
  const { rule, topic } = bound;
  if (topic.constant !== undefined) {
    const { constant } = topic;
    return () => constant;
  }
  const print = compileLevels(bound, gateway, rivals);
  const isOnlyDevice = rule.topicVariables.length === 1 && rule.topicVariables[0]?.type === "device";
  const isDeviceAndFolder = rule.topicVariables.every(({ type }) => type === "device" || type === "folder");
  if (!isDeviceAndFolder) return print;
  const remembered = new Map<string | undefined, string>();
  return (fields) => {
    if (!isOnlyDevice && fields[rule.topic.tail as string] !== undefined) return print(fields);
    const device = fields["device"] as string | undefined;
    const known = remembered.get(device);
    if (known !== undefined) return known;
    const written = print(fields);
    if (typeof written === "string") {
      if (remembered.size >= maxRemembered) remembered.clear();
      remembered.set(device, written);
    }
    return written;
  };
}

function compileLevels({ rule, topic }: BoundRule, gateway: string, rivals: readonly BoundRule[]): TopicPrinter {
  const { tail } = rule.topic;
  return (fields) => {
    const levels: string[] = [];
    for (const level of topic.levels) {
      const written = "text" in level ? level.text : printLevel(rule, level.variable, fields[level.variable], gateway);
      if (typeof written !== "string") return written;
      levels.push(written);
    }
    const folder = tail === undefined ? undefined : fields[tail];
    if (folder !== undefined) {
      if (typeof folder !== "string" || folder === "" || badInFolder.test(folder)) {
        return { reason: `the folder "${String(folder)}" cannot stand in a topic` };
      }
      levels.push(folder);
    }
    const whole = levels.join("/");
    if (Buffer.byteLength(whole) > maxTopicBytes)
      return { reason: `the topic would be longer than ${maxTopicBytes} bytes` };
    if (rivals.some((rival) => rival.topic.match(whole.split("/")) !== undefined)) {
      return { reason: `the topic "${whole}" means something else` };
    }
    return whole;
  };
}

function printLevel(
  { topicVariables }: Rule,
  name: string,
  value: unknown,
  gateway: string,
): string | { readonly reason: string } {
  const type = topicVariables.find((variable) => variable.name === name)?.type;
  if (type === "integer") {
    if (Number.isSafeInteger(value)) return String(value);
    return { reason: `${name} is ${String(value)}, which is no integer` };
  }
  return type === "device" ? printDevice(value, gateway) : printText(name, value);
}

function printDevice(device: unknown, gateway: string): string | { readonly reason: string } {
  if (device === undefined) return gateway;
  const written = printText("device", device);
  return written === gateway ? { reason: `the device "${gateway}" has the gateway's own id` } : written;
}

function printText(name: string, value: unknown): string | { readonly reason: string } {
  const said = String(value);
  if (said === "") return { reason: `${name} is empty and cannot stand in a topic` };
  return badInLevel.test(said) ? { reason: `${name} "${said}" cannot stand in a topic` } : said;
}
