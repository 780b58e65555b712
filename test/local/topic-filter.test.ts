import { expect, test } from "vitest";
import { Subscriptions } from "../../src/local/subscriptions.ts";
import { filterMatches, isTopicFilter, isTopicName } from "../../src/local/topic-filter.ts";

test.each([
  ["a/b", "a/b", true],
  ["a/b", "a/c", false],
  ["a/b", "a/b/c", false],
  ["a/b/c", "a/b", false],
  ["a/+", "a/b", true],
  ["a/+", "a/", true],
  ["a/+", "a", false],
  ["a/+/c", "a/b/c", true],
  ["+/+", "/finance", true],
  ["+", "/finance", false],
  ["a/#", "a", true],
  ["a/#", "a/b/c", true],
  ["a/#", "ab", false],
  ["#", "a/b", true],
  ["#", "$SYS/x", false],
  ["+/x", "$SYS/x", false],
  ["$SYS/#", "$SYS/x", true],
])("filterMatches() of %s and %s is %s", (filter, topic, matches) => {
  expect(filterMatches(filter, topic)).toBe(matches);
});

test.each(["a", "a/b", "/", "+", "#", "a/+/b", "a/#", "+/#", "a b/ü"])("isTopicFilter() takes %s", (filter) => {
  expect(isTopicFilter(filter)).toBe(true);
});

test.each(["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a\0", "a\ufffd"])("isTopicFilter() does not take %j", (filter) => {
  expect(isTopicFilter(filter)).toBe(false);
});

test("isTopicName() takes no wildcards, nothing empty and nothing ill-formed", () => {
  expect(["a", "/", "a b/ü", "$x", "ü".repeat(32_767)].every(isTopicName)).toBe(true);
  expect(["", "a/+", "#", "a\0", "a\ufffd", "a".repeat(65_536), "ü".repeat(32_768)].some(isTopicName)).toBe(false);
});

test("Subscriptions finds the one with the highest QoS and forgets what is removed", () => {
  const subscriptions = new Subscriptions();
  subscriptions.add("a/#", { qos: 0 });
  subscriptions.add("a/b", { qos: 0, identifier: 1 });
  expect(subscriptions.find("a/b")).toEqual({ qos: 0, identifier: 1 });
  subscriptions.add("+/b", { qos: 1 });
  expect(subscriptions.find("a/b")).toEqual({ qos: 1 });
  expect(subscriptions.remove("+/b")).toBe(true);
  expect(subscriptions.remove("+/b")).toBe(false);
  expect(subscriptions.remove("a/b")).toBe(true);
  expect(subscriptions.find("a/b")).toEqual({ qos: 0 });
  expect(subscriptions.find("b")).toBeUndefined();
});
