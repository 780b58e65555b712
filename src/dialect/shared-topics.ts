import type { Direction } from "../message/message.ts";
import { type BoundTopic, bindTopic } from "./bound-topic.ts";
import type { BoundRule } from "./routes.ts";
import type { Rule } from "./rule.ts";
import type { TopicLevel, TopicTemplate } from "./topic-template.ts";

/** What is the same for all gateways of a dialect, and made once. */
export interface SharedTopics {
  /** The rules with their topics filled in; each that does not name the gateway is the same one for every gateway. */
  bind(values: Readonly<Record<string, string>>): readonly BoundRule[];
  /** The topics of one direction with their parameters open. */
  loose(direction: Direction): readonly BoundTopic[];
}

export function sharedTopics(rules: readonly Rule[]): SharedTopics {
  const ofPlant = new Map<string, readonly BoundRule[]>();
  const loosened: Partial<Record<Direction, readonly BoundTopic[]>> = {};
  return {
    bind(values) {
      const { gateway: _, ...plant } = values;
      const key = JSON.stringify(plant);
      const shared = ofPlant.get(key) ?? rules.map((rule) => ({ rule, topic: bindTopic(rule.topic, plant) }));
      ofPlant.set(key, shared);
      return shared.map((one) =>
        namesGateway(one.rule) ? { rule: one.rule, topic: bindTopic(one.rule.topic, values) } : one,
      );
    },
    loose(direction) {
      loosened[direction] ??= rules
        .filter((rule) => rule.direction === direction)
        .map((rule) => bindTopic(loosen(rule.topic), {}));
      return loosened[direction];
    },
  };
}

function namesGateway({ topic }: Rule): boolean {
  return topic.levels.some((level) => level.kind === "parameter" && level.name === "gateway");
}

/** The template with its parameters open. */
function loosen(topic: TopicTemplate): TopicTemplate {
  const levels = topic.levels.map(
    (level): TopicLevel => (level.kind === "parameter" ? { kind: "variable", name: level.name, type: "text" } : level),
  );
  return { ...topic, levels };
}
