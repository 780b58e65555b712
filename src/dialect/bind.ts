import type { DeviceId, Direction, Message, MessageKind } from "../message/message.ts";
import type { Packet, Subscription } from "../message/packet.ts";
import { bindTopic } from "./bound-topic.ts";
import { decodeMatch } from "./decode.ts";
import type { BoundDialect, Dialect, Encoded, Subscribable } from "./dialect.ts";
import { compileEncode, type RulePrinter } from "./encode.ts";
import { explainPacket } from "./explain.ts";
import { type BoundRule, createRoutes } from "./routes.ts";
import type { Rule } from "./rule.ts";
import { fillTemplate, relateTopics, type TopicLevel, type TopicTemplate } from "./topic-template.ts";

/** Binds a dialect to one gateway. `inOrder` are its rules in the order in which a message tries them. */
export function bindDialect(
  dialect: Dialect,
  values: Readonly<Record<string, string>>,
  inOrder: readonly Rule[],
): BoundDialect {
  const gateway = values["gateway"] ?? "gateway";
  const bound = dialect.rules.map((rule): BoundRule => ({ rule, topic: bindTopic(rule.topic, values) }));
  const going = (direction: Direction) => bound.filter(({ rule }) => rule.direction === direction);
  const routes = { up: createRoutes(going("up")), down: createRoutes(going("down")) };
  const printers = compilePrinters(bound, inOrder, values);
  const heard = going("down").filter(({ rule }) => rule.isSubscribable);
  const granted = going("down").flatMap(({ rule }) =>
    rule.granted.map((topic): BoundRule => ({ rule, topic: bindTopic(topic, values) })),
  );
  const loosened = (direction: Direction) => going(direction).map(({ rule }) => bindTopic(loosen(rule.topic), {}));
  const loose = { up: loosened("up"), down: loosened("down") };

  return {
    dialect,
    ...filledIn(dialect, values),
    decode: (direction, packet) => {
      const match = routes[direction](packet.topic);
      return match === undefined ? { kind: "unknownTopic", topic: packet.topic } : decodeMatch(match, packet, gateway);
    },
    encode: (message) => encode(printers, message, dialect.name),
    filtersFor: (kind, device) => filtersFor(heard, kind, device, gateway),
    subscribable: (filter) => subscribable(heard, filter, gateway) ?? lenient(subscribable(granted, filter, gateway)),
    resembles: (direction, topic) => {
      if (/[+#]/.test(topic)) return false;
      const levels = topic.split("/");
      return loose[direction].some((one) => one.match(levels) !== undefined);
    },
    explain: (direction, packet: Pick<Packet, "topic" | "payload">) =>
      explainPacket({ direction, packet, gateway, bound, match: routes[direction](packet.topic) }),
  };
}

function filledIn({ connection }: Dialect, values: Readonly<Record<string, string>>) {
  const filled: { url?: string; clientId?: string; username?: string; audience?: string } = {};
  for (const key of ["url", "clientId", "username", "audience"] as const) {
    const template = connection[key];
    if (template !== undefined) filled[key] = fillTemplate(template, values);
  }
  return filled;
}

/** The template with its parameters open. */
function loosen(topic: TopicTemplate): TopicTemplate {
  const levels = topic.levels.map(
    (level): TopicLevel => (level.kind === "parameter" ? { kind: "variable", name: level.name, type: "text" } : level),
  );
  return { ...topic, levels };
}

interface Printer {
  readonly rule: Rule;
  readonly print: RulePrinter;
}

function compilePrinters(
  bound: readonly BoundRule[],
  inOrder: readonly Rule[],
  values: Readonly<Record<string, string>>,
) {
  const gateway = values["gateway"] ?? "gateway";
  const printers: Partial<Record<MessageKind, Printer[]>> = {};
  for (const rule of inOrder) {
    const index = bound.findIndex((one) => one.rule === rule);
    const one = bound[index] as BoundRule;
    const rivals = bound
      .slice(0, index)
      .filter(
        (other) => other.rule.direction === rule.direction && relateTopics(other.rule.topic, rule.topic) === "first",
      );
    const list = printers[rule.kind] ?? [];
    const copies = rule.copied.map((topic) => bindTopic(topic, values));
    list.push({ rule, print: compileEncode(one, gateway, { rivals, copies }) });
    printers[rule.kind] = list;
  }
  return printers;
}

function encode(printers: Partial<Record<MessageKind, Printer[]>>, message: Message, name: string): Encoded {
  const ofKind = printers[message.kind];
  if (ofKind === undefined)
    return { kind: "unrepresentable", reason: `${name} has no message of kind ${message.kind}` };
  const { fields, apart } = (ofKind[0] as Printer).rule;
  const said = message as unknown as Readonly<Record<string, unknown>>;
  let bits = 0;
  for (let index = 0; index < fields.length; index++) {
    if (said[(fields[index] as Rule["fields"][number]).name] !== undefined) bits |= 1 << index;
  }
  let refused: Encoded | undefined;
  const several = bits & apart;
  if ((several & (several - 1)) === 0) {
    for (const { rule, print } of ofKind) {
      if ((bits & rule.needs) !== rule.needs || (bits & ~rule.carries) !== 0) continue;
      const encoded = print(message);
      if (encoded.kind === "packet") return encoded;
      refused ??= encoded;
    }
  }
  return (
    refused ?? {
      kind: "unrepresentable",
      reason: `${name} has no form for ${message.kind} with ${namesOf(ofKind, bits)}`,
    }
  );
}

function namesOf([first]: readonly Printer[], bits: number): string {
  const fields = first?.rule.fields ?? [];
  const names = fields.filter((_, index) => bits & (1 << index)).map(({ name }) => name);
  return names.length === 0 ? "nothing" : names.join(", ");
}

function filtersFor(
  heard: readonly BoundRule[],
  kind: MessageKind,
  device: DeviceId | undefined,
  gateway: string,
): readonly Subscription[] {
  const ofKind = heard.filter(({ rule }) => rule.kind === kind);
  const deviceBit = (rule: Rule) => 1 << rule.fields.findIndex(({ name }) => name === "device");
  const carries = (rule: Rule) =>
    rule.fields.some(({ name }) => name === "device") && (rule.carries & deviceBit(rule)) !== 0;
  const needs = (rule: Rule) => carries(rule) && (rule.needs & deviceBit(rule)) !== 0;
  const own = ofKind.filter(({ rule }) => !needs(rule));
  // What only ever speaks of devices, and on a topic of the gateway's own, is for the gateway to hear.
  const fitting = device === undefined ? (own.length > 0 ? own : ofKind) : ofKind.filter(({ rule }) => carries(rule));
  const filters = new Map<string, Subscription>();
  for (const { rule, topic } of fitting) {
    const filter = topic.filter(device ?? gateway);
    const qos = Math.max(rule.qos, filters.get(filter)?.qos ?? 0) as 0 | 1;
    filters.set(filter, { filter, qos });
  }
  return [...filters.values()];
}

function subscribable(heard: readonly BoundRule[], filter: string, gateway: string): Subscribable | undefined {
  const levels = filter.split("/");
  for (const { rule, topic } of heard) {
    const found = topic.matchFilter(levels);
    if (found === undefined) continue;
    const { device } = found;
    const { qos, kind } = rule;
    return device === undefined || device === gateway ? { qos, kind } : { qos, kind, device: device as DeviceId };
  }
  return undefined;
}

function lenient(found: Subscribable | undefined): Subscribable | undefined {
  return found === undefined ? undefined : { ...found, isLenient: true };
}
