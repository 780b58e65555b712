import type { BoundTopic } from "./bound-topic.ts";
import type { Rule } from "./rule.ts";

/** A rule whose topic is filled in for one gateway. */
export interface BoundRule {
  readonly rule: Rule;
  readonly topic: BoundTopic;
}

/** The rules for one topic, in the order in which they are tried. */
export interface Route {
  readonly rules: readonly Rule[];
  readonly topic: BoundTopic;
  readonly depth: number;
}

/** A route and what its variables are in one topic. */
export interface Match {
  readonly route: Route;
  readonly captured: readonly (string | undefined)[];
}

/** Topics that are remembered, so that a device's next packet need not be taken apart. */
const maxRemembered = 4096;

/** Finds the route of a topic. Rules come in the order in which they are tried. */
export function createRoutes(bound: readonly BoundRule[]): (topic: string) => Match | undefined {
  const routes: Route[] = [];
  for (const { rule, topic } of bound) {
    const index = routes.findIndex((route) => isSameShape(route.topic, topic));
    const route = routes[index];
    if (route === undefined) routes.push({ rules: [rule], topic, depth: rule.depth });
    else routes[index] = { ...route, rules: [...route.rules, rule], depth: Math.max(route.depth, rule.depth) };
  }
  const fixed = new Map<string, Match>();
  const open: { readonly route: Route; readonly isWorthwhile: boolean }[] = [];
  for (const route of routes) {
    if (route.topic.constant !== undefined) fixed.set(route.topic.constant, { route, captured: [] });
    // An id in a topic does not come again, so remembering it would only push devices out.
    else
      open.push({
        route,
        isWorthwhile: route.rules.every(({ topicVariables }) => topicVariables.every(({ type }) => type !== "integer")),
      });
  }
  const remembered = new Map<string, Match>();
  return (topic) => {
    const known = fixed.get(topic) ?? remembered.get(topic);
    if (known !== undefined) return known;
    const levels = topic.split("/");
    for (const { route, isWorthwhile } of open) {
      const captured = route.topic.match(levels);
      if (captured === undefined) continue;
      const match = { route, captured };
      if (isWorthwhile) {
        if (remembered.size >= maxRemembered) remembered.clear();
        remembered.set(topic, match);
      }
      return match;
    }
    return undefined;
  };
}

function isSameShape(a: BoundTopic, b: BoundTopic): boolean {
  return (
    a.hasTail === b.hasTail &&
    a.levels.length === b.levels.length &&
    a.levels.every((level, index) => ("text" in level ? level.text : undefined) === textAt(b, index))
  );
}

function textAt(topic: BoundTopic, index: number): string | undefined {
  const level = topic.levels[index];
  return level !== undefined && "text" in level ? level.text : undefined;
}
