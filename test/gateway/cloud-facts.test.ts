import { expect, test } from "vitest";
import { factsOfCloud, keyOnDisk } from "../../src/gateway/cloud-facts.ts";
import type { GatewayEffect } from "../../src/gateway/gateway.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import { isPublish, optionsOf, Play, state, telemetry } from "./play.ts";

/** The facts that hold with a cloud, and those that are on disk afterwards. */
function read(disk: ReadonlyMap<string, string>, cloud: string) {
  const effects: GatewayEffect[] = [];
  const facts = factsOfCloud(disk, cloud, (effect) => effects.push(effect));
  const after = new Map(disk);
  for (const effect of effects) {
    if (effect.kind !== "store") continue;
    if (effect.value === undefined) after.delete(effect.key);
    else after.set(effect.key, effect.value);
  }
  return { facts: new Map(facts), disk: after, superseded: effects.filter(({ kind }) => kind === "countDown").length };
}

/** What a run with a cloud leaves on disk: its own facts, and some of everybody. */
function run(disk: ReadonlyMap<string, string>, cloud: string, facts: Readonly<Record<string, string>>) {
  const after = read(disk, cloud).disk;
  for (const [key, value] of Object.entries(facts)) after.set(keyOnDisk(key, cloud), value);
  return after;
}

const documents = { "attached/a@b/c": "", "desired/": '{"x":1}', "taken/": '{"x":1}', "reported/dev": '1 0 {"fw":1}' };
const shared = { "waiting/dev": "", connectors: "[]", commandIds: "1024" };

test("factsOfCloud() gives a cloud its own facts back, and those of everybody", () => {
  const disk = run(new Map(), "one", { ...documents, ...shared, "command/7": "{}" });
  const { facts } = read(disk, "one");
  expect(facts).toEqual(
    new Map([...Object.entries({ ...documents, ...shared, "command/7": "{}" }), ["clouds", '["one"]']]),
  );
});

test("factsOfCloud() lets another cloud start anew, with what waits in the spool", () => {
  const disk = run(new Map(), "one", { ...documents, ...shared });
  const { facts, superseded } = read(disk, "two");
  expect([...facts].filter(([key]) => key !== "clouds")).toEqual(Object.entries(shared));
  expect(superseded).toBe(0);
});

test("factsOfCloud() brings a cloud back to what it knew, and has its configurations told whole", () => {
  const left = run(run(new Map(), "one", documents), "two", { "taken/": '{"y":1}' });
  const { facts, disk } = read(left, "one");
  facts.delete("clouds");
  expect(Object.fromEntries(facts)).toEqual({
    "attached/a@b/c": "",
    "taken/": '{"x":1}',
    "doubtful/": '["x"]',
    "reported/dev": '1 0 {"fw":1}',
  });
  // Also if the program dies before the cloud has said anything.
  expect(read(disk, "one").facts.get("doubtful/")).toBe('["x"]');
});

test("factsOfCloud() counts a configuration of the cloud that was left as superseded if nobody took it, once", () => {
  const pending = run(new Map(), "one", {
    "desired/": '{"x":2}',
    "taken/": '{"x":1}',
    "desired/new": "{}",
    "desired/b": '{"y":1}',
    "document/c": "e30=",
    "document/d": "e30=",
    "documentTaken/d": "",
  });
  const second = read(pending, "two");
  expect(second.superseded).toBe(3);
  expect(read(second.disk, "one").superseded).toBe(0);
  expect(read(read(second.disk, "one").disk, "two").superseded).toBe(0);
});

test("factsOfCloud() remembers the last four clouds", () => {
  let disk: ReadonlyMap<string, string> = new Map();
  for (const cloud of ["one", "two", "three", "four", "five"]) disk = run(disk, cloud, { "attached/dev": cloud });
  const left = [...disk].filter(([key]) => key.startsWith("attached@"));
  expect(left.map(([, cloud]) => cloud)).toEqual(["two", "three", "four", "five"]);
});

test("factsOfCloud() takes facts of an earlier version for those of the present cloud", () => {
  const { facts, disk } = read(new Map(Object.entries({ ...documents, ...shared })), "one");
  expect(Object.fromEntries(facts)).toEqual({ ...documents, ...shared });
  expect([...disk.keys()].filter((key) => key.startsWith("desired"))).toEqual(["desired@one/"]);
  const later = read(disk, "one").facts;
  expect(later.get("taken/")).toBe('{"x":1}');
  expect(later.has("doubtful/")).toBe(false);
});

test("handle() starts anew with another cloud: devices are attached as they speak, documents grow from nothing", () => {
  const play = Play.attached("pump-2", { cloud: "one" });
  play.send(state("pump-2", '{"fw":1}'));
  const moved = new Play({ cloud: "two", facts: [...play.facts] });
  expect(moved.engine.status(0).devices).toEqual([]);
  moved.do({ kind: "localConnected", connection: 1 });
  expect(moved.do({ kind: "upstreamOpened" }).filter(isPublish)).toEqual([]);
  expect(moved.send(telemetry("pump-2", '{"n":1}'))).toMatchObject([{ kind: "attach", device: "pump-2" }]);

  const back = createGateway({ ...optionsOf({ cloud: "one" }), facts: [...moved.facts] });
  expect(back.status(0).devices).toMatchObject([{ name: "pump-2", reported: '{"fw":1}' }]);
});
