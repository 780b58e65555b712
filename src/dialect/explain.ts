import type { Decoded, RuleRef } from "../message/decoded.ts";
import type { Direction } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import type { TopicDifference } from "./bound-topic.ts";
import { decodeMatch, describeMisfit } from "./decode.ts";
import { maskedJson } from "./mask.ts";
import { jsonReaders } from "./readers.ts";
import type { BoundRule, Match } from "./routes.ts";
import type { Rule } from "./rule.ts";

/** Why a packet means what it means. */
export interface Explanation {
  readonly decoded: Decoded;
  /** The rule that reads it, its topic as the mapping file has it. */
  readonly rule?: RuleRef & { readonly topic: string };
  /** Other rules that nearly read it, nearest first, with the first difference. */
  readonly nearMisses: readonly { readonly rule: RuleRef & { readonly topic: string }; readonly difference: string }[];
}

export interface ExplainedPacket {
  readonly direction: Direction;
  readonly packet: Pick<Packet, "topic" | "payload">;
  readonly gateway: string;
  readonly bound: readonly BoundRule[];
  readonly match: Match | undefined;
}

const maxNearMisses = 3;

/** Explains one packet. Not for every packet: it compares with every rule. */
export function explainPacket(about: ExplainedPacket): Explanation {
  const { packet, gateway, match } = about;
  const decoded: Decoded =
    match === undefined ? { kind: "unknownTopic", topic: packet.topic } : decodeMatch(match, packet, gateway);
  const used =
    decoded.kind === "unknownTopic" ? undefined : about.bound.find(({ rule }) => rule.ref === decoded.rule)?.rule;
  const near = [...sameTopic(about, used), ...otherTopics(about)].slice(0, maxNearMisses);
  return {
    decoded,
    ...(used === undefined ? {} : { rule: withTopic(used) }),
    nearMisses: near,
  };
}

type NearMiss = Explanation["nearMisses"][number];

/** Rules of the same topic that did not take the payload, and why. */
function sameTopic({ match, packet, gateway }: ExplainedPacket, used: Rule | undefined): readonly NearMiss[] {
  if (match === undefined) return [];
  return match.route.rules
    .filter((rule) => rule !== used)
    .map((rule) => ({ rule: withTopic(rule), difference: payloadDifference(rule, match, packet, gateway) }));
}

function payloadDifference(rule: Rule, match: Match, packet: Pick<Packet, "payload">, gateway: string): string {
  if (rule.reader !== "bytes" && rule.reader !== "none") {
    const node = jsonReaders[rule.reader](packet.payload, match.route.depth);
    if (node.kind !== "fault" && rule.suits(node)) return "it fits too, but is tried later";
  }
  const alone = decodeMatch({ route: { ...match.route, rules: [rule] }, captured: match.captured }, packet, gateway);
  if (alone.kind !== "unreadable") return "it fits too, but is tried later";
  const [first] = alone.misfits;
  if (first === undefined) return alone.reason;
  // One rule of the topic may know a secret where another sees but an object.
  const isWhole = /^[[{]/.test(first.got) && match.route.rules.some(({ mayHoldSecrets }) => mayHoldSecrets);
  return describeMisfit(isWhole ? { ...first, got: maskedJson(first.got) } : first);
}

/** Rules with topics like that of a packet that no rule reads, the most alike first. */
function otherTopics({ packet, bound, match, direction }: ExplainedPacket): readonly NearMiss[] {
  if (match !== undefined) return [];
  const levels = packet.topic.split("/");
  const likely: { readonly near: NearMiss; readonly by: Omit<TopicDifference, "text"> }[] = [];
  for (const { rule, topic } of bound) {
    if (rule.direction === direction) {
      const { text, ...by } = topic.difference(levels);
      if (by.same > 0 || by.alike > 0) likely.push({ near: { rule: withTopic(rule), difference: text }, by });
    } else if (topic.match(levels) !== undefined) {
      const difference = `the topic fits, but it goes ${rule.direction}`;
      const by = { same: levels.length, alike: levels.length, edits: 0 };
      likely.push({ near: { rule: withTopic(rule), difference }, by });
    }
  }
  const order = (a: (typeof likely)[number], b: (typeof likely)[number]) =>
    b.by.alike - a.by.alike || b.by.same - a.by.same || a.by.edits - b.by.edits;
  return likely.sort(order).map(({ near }) => near);
}

function withTopic({ ref, topic }: Rule): RuleRef & { readonly topic: string } {
  return { ...ref, topic: topic.source };
}
