import type { Direction, MessageKind } from "../message/message.ts";
import type { Dialect } from "./dialect.ts";

/** A rule for people: what editors, documentation and explanations show of it. */
export interface RuleSummary {
  readonly name: string;
  readonly kind: MessageKind;
  readonly direction: Direction;
  /** As the mapping file has it. */
  readonly topic: string;
  readonly qos: 0 | 1;
  readonly file: string;
  readonly line: number;
  /** Where the rule's facts come from. */
  readonly source: string | undefined;
}

/** The rules of a dialect, those of one direction in the order in which a packet tries them. */
export function listRules({ rules }: Pick<Dialect, "rules">): readonly RuleSummary[] {
  return rules.map(({ name, kind, direction, topic, qos, ref, source }) => {
    return { name, kind, direction, topic: topic.source, qos, file: ref.file, line: ref.line, source };
  });
}
