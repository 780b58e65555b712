import { expect, test } from "vitest";
import type { JsonText } from "../../src/message/json.ts";
import type { DownMessage } from "../../src/message/message.ts";
import { attach, changing, delivered, documented, isPublish, named, Play, type Setup, telemetry } from "./play.ts";

/** Other rules in the place of those that `before` plays, between the same live connections; and what they do at once. */
function succeed(before: Play, setup: Setup = {}): { readonly after: Play; readonly begins: readonly unknown[] } {
  const { local, upstream } = before.engine.carry();
  const after = new Play({ ...before.options, ...setup, facts: [...before.facts] }, before.now);
  after.do({ kind: "localConnected", connection: 1, carried: local });
  const begins = after.do({ kind: "upstreamOpened", ...(upstream === undefined ? {} : { carried: upstream }) });
  return { after, begins };
}

test("handle() goes on with what is attached: nothing is attached or subscribed to anew", () => {
  const { after, begins } = succeed(Play.attached("one"));
  expect(begins).toEqual([]);
  expect(after.send(attach("one"))).toEqual([delivered(1)]);
  expect(after.send(telemetry("one", '{"a":1}', 5)).filter(isPublish)).toHaveLength(1);
  expect(after.send(attach("two")).find(isPublish)).toMatchObject({ kind: "attach", device: "two" });
});

test("handle() attaches again what was not quite attached", () => {
  const before = Play.open();
  before.acknowledge(before.send(attach("one")).find(isPublish)?.publish ?? 0);
  expect(succeed(before).begins).toEqual([{ publish: 1, kind: "attach", device: "one" }]);
});

test("handle() begins as on a new connection where configurations are read otherwise", () => {
  const before = Play.attached("one");
  const { begins } = succeed(before, { rules: { config: { document: "all" } } });
  expect(begins).toEqual([
    expect.objectContaining({ subscribe: 1, kinds: "error" }),
    expect.objectContaining({ subscribe: 2, kinds: "config command" }),
    { publish: 3, kind: "attach", device: "one" },
  ]);
});

test("handle() forgets nothing of it when the connection ends", () => {
  const { after } = succeed(Play.attached("one"));
  after.do({ kind: "upstreamClosed", reason: "lost", unacknowledged: [] });
  expect(after.do({ kind: "upstreamOpened" }).filter(isPublish)).toMatchObject([{ kind: "attach", device: "one" }]);
});

test("handle() keeps to limits that the cloud has told, and to what is used of them", () => {
  const before = new Play({ upstream: changing });
  before.do({ kind: "localConnected", connection: 1 });
  const asked = before.do({ kind: "upstreamOpened" }).find(isPublish);
  before.acknowledge(asked?.publish ?? 0);
  const data = '{"maxInflightMessages":2,"rateLimits":{},"gatewayRateLimits":{"messages":"10:1"}}' as JsonText;
  before.answer({ kind: "callResult", id: asked?.id ?? 0, data });
  before.send(attach("one"));

  const { after, begins } = succeed(before);
  expect(begins.filter(isPublish)).toEqual([]);
  expect(after.send(attach("two"))).toEqual([]);
  expect(after.tick(500).find(isPublish)).toMatchObject({ kind: "attach", device: "two" });
});

test("handle() gives an answer of the cloud to the connection whose question other rules had passed on", () => {
  const before = Play.attached("one", { upstream: changing });
  before.send({ kind: "attributesRequest", ...named("one"), id: 7, scope: "shared", key: "a" });
  const { after } = succeed(before);
  const answer: DownMessage = { kind: "attributesResponse", ...named("one"), id: 7, value: "1" as JsonText };
  expect(after.answer(answer)).toMatchObject([{ kind: "attributesResponse", connection: 1, value: "1" }]);
});

test("handle() takes subscriptions back from devices that the registry has lost meanwhile", () => {
  const device = { isBound: true, isBlocked: false, aliases: [] };
  const registry = { isGateway: true, aliases: [], needsBinding: true, needsToken: false, isElsewhere: () => false };
  const both = new Map(["one", "two"].map((name) => [named(name).device ?? ("" as never), device]));
  const before = new Play({ local: documented, registry: { ...registry, devices: both } });
  before.do({ kind: "localConnected", connection: 1 });
  for (const name of ["one", "two"]) {
    const rule = { name: "r", file: "f", line: 1 };
    const arrival = {
      protocol: 4,
      connection: 1,
      nowMs: before.now,
      topic: "t",
      qos: 1,
      packetId: 1,
      bytes: 1,
    } as const;
    before.engine.admit({ kind: "messages", rule, messages: [attach(name)], misfits: [] }, 4, arrival);
  }
  const { local } = before.engine.carry();
  const devices = new Map([...both].slice(0, 1));
  const after = new Play({ local: documented, registry: { ...registry, devices } });
  expect(after.do({ kind: "localConnected", connection: 1, carried: local })).toEqual([
    expect.objectContaining({ devices: ["two"] }),
  ]);
});
