import type { RuleRef } from "../message/decoded.ts";
import type { Direction, MessageKind } from "../message/message.ts";
import { compileGuard, compileSuits, type Suits } from "./alternative.ts";
import { compilePrint, type Print } from "./compile-print.ts";
import { compileRead, type Read } from "./compile-read.ts";
import type { Slots } from "./frame.ts";
import { compileMake, type MakeMessage } from "./make-message.ts";
import { mayHoldSecrets } from "./mask.ts";
import type { Place } from "./mistake.ts";
import type { Pattern } from "./pattern.ts";
import { boundInEveryForm, certainIn, depthOf, namesIn, variablesIn } from "./pattern-facts.ts";
import type { ReaderName } from "./readers.ts";
import { type TopicTemplate, variablesOfTopic } from "./topic-template.ts";
import { fieldOf, hasPoints, pointsField, type ValueType, vocabulary } from "./vocabulary.ts";

/** What a mapping file says about one form of one kind of message. */
export interface RuleText {
  readonly name: string;
  readonly kind: MessageKind;
  readonly at: Place;
  readonly topic: TopicTemplate;
  /** Further filters that a client may subscribe to, for what this rule prints. */
  readonly granted: readonly TopicTemplate[];
  /** Those of `granted` that are topics on which a copy is sent. */
  readonly copied: readonly TopicTemplate[];
  readonly reader: ReaderName;
  /** The pattern of the payload, or the variable that takes its bytes. */
  readonly payload: Pattern | undefined;
  readonly bytes: string | undefined;
  readonly qos: 0 | 1;
  /** Whether a client hears it without a subscription. */
  readonly isAlwaysDelivered: boolean;
  /** Whether its topic can be subscribed to. */
  readonly isSubscribable: boolean;
  readonly source: string | undefined;
}

/** A rule as plain functions. Fields of messages are numbered, so that sets of them are bits of a number. */
export interface Rule extends RuleText {
  readonly ref: RuleRef;
  readonly direction: Direction;
  readonly slots: Slots;
  /** Fields of the messages, with the slot each is read into. */
  readonly fields: readonly { readonly name: string; readonly slot: number }[];
  /** The topic's variables in the order of the template. */
  readonly topicVariables: readonly { readonly name: string; readonly type: ValueType; readonly slot: number }[];
  /** Fields without which the rule prints nothing. */
  readonly needs: number;
  /** Fields that the rule has a place for. */
  readonly carries: number;
  /** Fields of which a message has at most one. */
  readonly apart: number;
  /** Whether its packets may hold what must not be shown. */
  readonly mayHoldSecrets: boolean;
  readonly depth: number;
  readonly read: Read;
  readonly make: MakeMessage;
  /** Whether this is the rule that is meant, among those of its topic. */
  readonly suits: Suits;
  readonly print: Print | undefined;
  /** Whether a printed payload would be read by a rule of the same topic that goes before. */
  readonly isTaken: ((payload: string) => boolean) | undefined;
}

/** The fields of a kind in order; the n-th is the n-th bit. */
export function fieldsOf(kind: MessageKind): readonly string[] {
  return [...new Set(Object.keys(vocabulary[kind].variables).map((name) => fieldOf(kind, name)))];
}

/** The set of a kind's fields that these variables end up in. */
export function bitsOf(kind: MessageKind, variables: Iterable<string>): number {
  const fields = fieldsOf(kind);
  let bits = 0;
  for (const variable of variables) bits |= 1 << fields.indexOf(fieldOf(kind, variable));
  return bits;
}

/** Compiles a rule. `before` are the rules of the same topic and direction that are tried before it. */
export function compileRule(text: RuleText, before: readonly RuleText[]): Rule {
  const { kind, payload, topic, at, name } = text;
  const { variables, direction, apart } = vocabulary[kind];
  const order = Object.keys(variables);
  const points = hasPoints(kind) ? order.length : undefined;
  const slots: Slots = {
    size: order.length + (points === undefined ? 0 : 1),
    of: (variable) => order.indexOf(variable),
    points,
  };
  const fields = fieldsOf(kind).map((field) => ({
    name: field,
    slot: field === pointsField && points !== undefined ? points : slots.of(field),
  }));
  const rivals = before.flatMap((rule) => (rule.payload === undefined ? [] : [rule.payload]));
  const needed = neededBy(text);
  const carried = carriedBy(text);
  return {
    ...text,
    ref: { name, file: at.file, line: at.line },
    direction,
    slots,
    fields,
    topicVariables: variablesOfTopic(topic).map((variable) => ({
      name: variable,
      type: variables[variable as keyof typeof variables] as ValueType,
      slot: slots.of(variable),
    })),
    needs: bitsOf(kind, needed),
    carries: bitsOf(kind, carried),
    apart: bitsOf(kind, apart),
    mayHoldSecrets: mayHoldSecrets(kind, carried, needed),
    depth: payload === undefined ? 0 : depthOf(payload),
    read: payload === undefined ? () => true : compileRead(payload, slots),
    make: compileMake(kind, fields),
    suits: payload === undefined ? () => true : compileSuits(payload),
    print: payload === undefined ? undefined : compilePrint(payload, hasPoints(kind)),
    isTaken: compileGuard(rivals),
  };
}

/** All variables of a rule. */
export function carriedBy({ topic, payload, bytes }: RuleText): ReadonlySet<string> {
  return new Set([
    ...variablesOfTopic(topic),
    ...(payload === undefined ? [] : namesIn(payload)),
    ...(bytes === undefined ? [] : [bytes]),
  ]);
}

/** Variables that every reading of a rule binds, for each way to read it. */
export function boundBy({ topic, payload, bytes }: RuleText): readonly ReadonlySet<string>[] {
  const always = [
    ...variablesOfTopic(topic).filter((name) => name !== topic.tail),
    ...(bytes === undefined ? [] : [bytes]),
  ];
  const forms = payload === undefined ? [new Set<string>()] : boundInEveryForm(payload);
  return forms.map((form) => new Set([...always, ...form]));
}

/** A device that is absent prints as the gateway's id in a topic, and where the conversion says so. */
function neededBy({ topic, payload, bytes }: RuleText): ReadonlySet<string> {
  const needed = new Set(variablesOfTopic(topic).filter((name) => name !== topic.tail && name !== "device"));
  if (bytes !== undefined) needed.add(bytes);
  if (payload === undefined) return needed;
  const asGateway = new Set(
    variablesIn(payload)
      .filter(({ conversion }) => conversion.name === "deviceOrGateway")
      .map(({ name }) => name),
  );
  if (topic.levels.some((level) => level.kind === "variable" && level.name === "device")) asGateway.add("device");
  for (const name of certainIn(payload)) if (!asGateway.has(name) && name !== "ts") needed.add(name);
  return needed;
}
