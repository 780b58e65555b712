import type { Decoded } from "../message/decoded.ts";
import type { DeviceId, Direction, Message, MessageKind } from "../message/message.ts";
import type { Packet, Subscription } from "../message/packet.ts";
import { bindTopic } from "./bound-topic.ts";
import { decodeMatch } from "./decode.ts";
import type { BoundDialect, Dialect, Encoded, Explanation, Subscribable } from "./dialect.ts";
import { compileEncode, type RulePrinter } from "./encode.ts";
import { explainPacket } from "./explain.ts";
import { type BoundRule, createRoutes } from "./routes.ts";
import type { Rule } from "./rule.ts";
import type { SharedTopics } from "./shared-topics.ts";
import { fillTemplate, relateTopics } from "./topic-template.ts";

/** What binding needs of a dialect. */
interface DialectRules {
  /** In the order in which a message tries them. */
  readonly inOrder: readonly Rule[];
  readonly topics: SharedTopics;
}

/**
 * Binds a dialect to one gateway.
 *
 * Thousands of gateways are bound, and most say little: what does not name the gateway is shared, and what does is made
 * when it is first wanted.
 */
export function bindDialect(
  dialect: Dialect,
  values: Readonly<Record<string, string>>,
  rules: DialectRules,
): BoundDialect {
  return new GatewayDialect(dialect, values, rules);
}

type Route = ReturnType<typeof createRoutes>;

class GatewayDialect implements BoundDialect {
  readonly dialect: Dialect;
  readonly #values: Readonly<Record<string, string>>;
  readonly #rules: DialectRules;
  #bound: readonly BoundRule[] | undefined;
  #heard: readonly BoundRule[] | undefined;
  #granted: readonly BoundRule[] | undefined;
  #up: Route | undefined;
  #down: Route | undefined;
  #printers: Printers | undefined;

  constructor(dialect: Dialect, values: Readonly<Record<string, string>>, rules: DialectRules) {
    this.dialect = dialect;
    this.#values = values;
    this.#rules = rules;
  }

  get url(): string | undefined {
    return this.#filledIn("url");
  }

  get clientId(): string | undefined {
    return this.#filledIn("clientId");
  }

  get username(): string | undefined {
    return this.#filledIn("username");
  }

  get audience(): string | undefined {
    return this.#filledIn("audience");
  }

  decode(direction: Direction, packet: Pick<Packet, "topic" | "payload">): Decoded {
    const match = this.#route(direction, packet.topic);
    if (match === undefined) return { kind: "unknownTopic", topic: packet.topic };
    return decodeMatch(match, packet, this.#gateway);
  }

  encode(message: Message): Encoded {
    return encode(this.#printersFor(message.kind), message, this.dialect.name);
  }

  filtersFor(kind: MessageKind, device?: DeviceId): readonly Subscription[] {
    return filtersFor(this.#allHeard(), kind, device, this.#gateway);
  }

  subscribable(filter: string): Subscribable | undefined {
    return (
      subscribable(this.#allHeard(), filter, this.#gateway) ??
      lenient(subscribable(this.#allGranted(), filter, this.#gateway))
    );
  }

  resembles(direction: Direction, topic: string): boolean {
    if (/[+#]/.test(topic)) return false;
    const levels = topic.split("/");
    return this.#rules.topics.loose(direction).some((one) => one.match(levels) !== undefined);
  }

  explain(direction: Direction, packet: Pick<Packet, "topic" | "payload">): Explanation {
    const match = this.#route(direction, packet.topic);
    return explainPacket({ direction, packet, gateway: this.#gateway, bound: this.#allBound(), match });
  }

  get #gateway(): string {
    return this.#values["gateway"] ?? "gateway";
  }

  #filledIn(key: "url" | "clientId" | "username" | "audience"): string | undefined {
    const template = this.dialect.connection[key];
    return template === undefined ? undefined : fillTemplate(template, this.#values);
  }

  #allBound(): readonly BoundRule[] {
    this.#bound ??= this.#rules.topics.bind(this.#values);
    return this.#bound;
  }

  #going(direction: Direction): readonly BoundRule[] {
    return this.#allBound().filter(({ rule }) => rule.direction === direction);
  }

  #route(direction: Direction, topic: string): ReturnType<Route> {
    if (direction === "up") {
      this.#up ??= createRoutes(this.#going("up"));
      return this.#up(topic);
    }
    this.#down ??= createRoutes(this.#going("down"));
    return this.#down(topic);
  }

  #allHeard(): readonly BoundRule[] {
    this.#heard ??= this.#going("down").filter(({ rule }) => rule.isSubscribable);
    return this.#heard;
  }

  #allGranted(): readonly BoundRule[] {
    this.#granted ??= this.#going("down").flatMap(({ rule }) =>
      rule.granted.map((topic): BoundRule => ({ rule, topic: bindTopic(topic, this.#values) })),
    );
    return this.#granted;
  }

  #printersFor(kind: MessageKind): readonly Printer[] {
    this.#printers ??= {};
    this.#printers[kind] ??= compilePrinters(kind, {
      bound: this.#allBound(),
      inOrder: this.#rules.inOrder,
      values: this.#values,
    });
    return this.#printers[kind];
  }
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
