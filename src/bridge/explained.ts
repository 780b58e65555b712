import type { Explanation } from "../dialect/dialect.ts";
import { cutText, meaningOf, variablesOf } from "../dialect/meaning.ts";
import type { Decoded, RuleRef } from "../message/decoded.ts";
import type { Explained, NearMiss, Reading } from "../message/explained.ts";
import type { Message } from "../message/message.ts";
import { describeUnread } from "./describe-unread.ts";

/** How much of each message and variable is shown, in characters, and of how many messages. */
export interface HowMuch {
  readonly maxLength: number;
  readonly maxMessages: number;
}

const everything: HowMuch = { maxLength: Number.POSITIVE_INFINITY, maxMessages: Number.POSITIVE_INFINITY };

/** What the dialect found out about a packet, in the words in which it is told everywhere. */
export function explained({ decoded, rule, nearMisses }: Explanation, howMuch: HowMuch = everything): Reading {
  const misses = nearMisses.map((miss) => nearMissOf(miss, howMuch));
  const messages = decoded.kind === "messages" ? decoded.messages : [];
  return {
    ...explainedMessages(rule && refOf(rule), messages, howMuch),
    ...unreadOf(decoded, misses[0], howMuch),
    nearMisses: misses,
  };
}

/** Messages that a rule read or printed, in words. */
export function explainedMessages(
  rule: RuleRef | undefined,
  messages: readonly Message[],
  { maxLength, maxMessages }: HowMuch = everything,
): Explained {
  const [first] = messages;
  return {
    ...(rule === undefined ? {} : { rule }),
    ...(first === undefined ? {} : { variables: variablesOf(first, maxLength) }),
    messages: messages.slice(0, maxMessages).map((message) => meaningOf(message, maxLength)),
  };
}

/** What of a packet could not be read; nothing where all could. */
function unreadOf(decoded: Decoded, nearest: NearMiss | undefined, { maxLength }: HowMuch): Pick<Explained, "unread"> {
  if (decoded.kind === "messages" && decoded.misfits.length === 0) return {};
  const reason = cutText(describeUnread(decoded), maxLength);
  return { unread: { reason, ...(nearest === undefined ? {} : { nearest }) } };
}

function nearMissOf({ rule, difference }: Explanation["nearMisses"][number], { maxLength }: HowMuch): NearMiss {
  const { name, file, line, topic } = rule;
  return { rule: name, file, line, topic, difference: cutText(difference, maxLength) };
}

function refOf({ name, file, line }: RuleRef): RuleRef {
  return { name, file, line };
}
