import type { DeviceId, Direction, Message, MessageKind } from "../message/message.ts";
import type { Packet, Subscription } from "../message/packet.ts";
import { bindTopic } from "./bound-topic.ts";
import { decodeMatch } from "./decode.ts";
import type { BoundDialect, Dialect, Encoded, Subscribable } from "./dialect.ts";
import { compileEncode, type RulePrinter } from "./encode.ts";
import { explainPacket } from "./explain.ts";
import { type BoundRule, createRoutes } from "./routes.ts";
import type { Rule } from "./rule.ts";
import type { SharedTopics } from "./shared-topics.ts";
import { fillTemplate, relateTopics } from "./topic-template.ts";

/**
 * Binds a dialect to one gateway. `inOrder` are its rules in the order in which a message tries them.
 *
 * Thousands of gateways are bound, and most say little: what does not name the gateway is shared, and what does is made
 * when it is first wanted.
 */
export function bindDialect(
  dialect: Dialect,
  values: Readonly<Record<string, string>>,
  { inOrder, topics }: { readonly inOrder: readonly Rule[]; readonly topics: SharedTopics },
): BoundDialect {
  const gateway = values["gateway"] ?? "gateway";
  const printers: Printers = {};
  let bound: readonly BoundRule[] | undefined;
  let heard: readonly BoundRule[] | undefined;
  let granted: readonly BoundRule[] | undefined;
  const routes: Partial<Record<Direction, ReturnType<typeof createRoutes>>> = {};

  const allBound = () => {
    bound ??= topics.bind(values);
    return bound;
  };
  const going = (direction: Direction) => allBound().filter(({ rule }) => rule.direction === direction);
  const route = (direction: Direction, topic: string) => {
    routes[direction] ??= createRoutes(going(direction));
    return routes[direction](topic);
  };
  const allHeard = () => {
    heard ??= going("down").filter(({ rule }) => rule.isSubscribable);
    return heard;
  };
  const allGranted = () => {
    granted ??= going("down").flatMap(({ rule }) =>
      rule.granted.map((topic): BoundRule => ({ rule, topic: bindTopic(topic, values) })),
    );
    return granted;
  };
  const printersFor = (kind: MessageKind) => {
    printers[kind] ??= compilePrinters(kind, { bound: allBound(), inOrder, values });
    return printers[kind];
  };

  return {
    dialect,
    ...filledIn(dialect, values),
    decode: (direction, packet) => {
      const match = route(direction, packet.topic);
      return match === undefined ? { kind: "unknownTopic", topic: packet.topic } : decodeMatch(match, packet, gateway);
    },
    encode: (message) => encode(printersFor(message.kind), message, dialect.name),
    filtersFor: (kind, device) => filtersFor(allHeard(), kind, device, gateway),
    subscribable: (filter) =>
      subscribable(allHeard(), filter, gateway) ?? lenient(subscribable(allGranted(), filter, gateway)),
    resembles: (direction, topic) => {
      if (/[+#]/.test(topic)) return false;
      const levels = topic.split("/");
      return topics.loose(direction).some((one) => one.match(levels) !== undefined);
    },
    explain: (direction, packet: Pick<Packet, "topic" | "payload">) =>
      explainPacket({ direction, packet, gateway, bound: allBound(), match: route(direction, packet.topic) }),
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

interface Printer {
  readonly rule: Rule;
  readonly print: RulePrinter;
}

type Printers = Partial<Record<MessageKind, readonly Printer[]>>;

interface Printing {
  readonly bound: readonly BoundRule[];
  readonly inOrder: readonly Rule[];
  readonly values: Readonly<Record<string, string>>;
}

function compilePrinters(kind: MessageKind, { bound, inOrder, values }: Printing): readonly Printer[] {
  const gateway = values["gateway"] ?? "gateway";
  return inOrder
    .filter((rule) => rule.kind === kind)
    .map((rule) => {
      const index = bound.findIndex((one) => one.rule === rule);
      const rivals = bound
        .slice(0, index)
        .filter(
          (other) => other.rule.direction === rule.direction && relateTopics(other.rule.topic, rule.topic) === "first",
        );
      const copies = rule.copied.map((topic) => bindTopic(topic, values));
      return { rule, print: compileEncode(bound[index] as BoundRule, gateway, { rivals, copies }) };
    });
}

function encode(ofKind: readonly Printer[], message: Message, name: string): Encoded {
  const [first] = ofKind;
  if (first === undefined) return { kind: "unrepresentable", reason: `${name} has no message of kind ${message.kind}` };
  const { fields, apart } = first.rule;
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
