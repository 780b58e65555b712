import { expect, test } from "vitest";
import type { AttributesRequest } from "../../src/message/message.ts";
import { bodyOf, delivered, named, Play, state } from "./play.ts";

const ask = (device: string | undefined, question: Partial<AttributesRequest>): AttributesRequest => ({
  kind: "attributesRequest",
  ...named(device),
  id: 3,
  ...question,
});

/** One with documents: shared `s1`, `s2` and, where asked for, more; client `c1`, `c2`. */
function known(shared: string, client: string, setup = {}): Play {
  const play = Play.attached("one", setup);
  play.do({ kind: "received", inbound: undefined, message: { kind: "config", ...named("one"), body: bodyOf(shared) } });
  play.send(state("one", client));
  return play;
}

function answer(play: Play, device: string | undefined, question: Partial<AttributesRequest>): unknown {
  const [effect, ...others] = play.send(ask(device, question));
  expect(others).toEqual([]);
  const { deliver, kind, device: named, id, connection, ...members } = effect as Record<string, unknown>;
  expect({ kind, named, id, connection }).toEqual({ kind: "attributesResponse", named: device, id: 3, connection: 1 });
  expect(play.delivered(deliver as number)).toEqual([expect.objectContaining({ fate: "delivered" })]);
  return members;
}

test.each([
  [{ scope: "shared", key: "s1" }, { value: "1" }],
  [{ scope: "shared", keys: ["s1"] }, { value: "1" }],
  [{ scope: "shared", key: "none" }, {}],
  [{ scope: "shared", keys: ["none"] }, {}],
  [{ scope: "shared", keys: ["s2", "none", "s1"] }, { values: '{"s2":[2],"s1":1}' }],
  [{ scope: "shared", keys: ["s1", "none"] }, { values: '{"s1":1}' }],
  [{ scope: "shared", keys: ["no", "none"] }, {}],
  [{ scope: "shared", key: "s1", keys: ["s1", "s2"] }, { value: "1" }],
  [{ scope: "client", keys: ["c1", "c2"] }, { values: '{"c1":"x","c2":2}' }],
  [{ scope: "client", key: "s1" }, {}],
  [{ scope: "shared", keys: [] }, { values: '{"c1":"x","c2":2,"s1":1,"s2":[2]}' }],
] as const)("handle() answers %j in the form that ThingsBoard has for it", (question, members) => {
  expect(answer(known('{"s1":1,"s2":[2]}', '{"c1":"x","c2":2}'), "one", question)).toEqual(members);
});

test.each([
  ['{"s":1}', '{"c":2}', { value: "1" }],
  ["{}", '{"c":2}', { value: "2" }],
  ['{"s":1,"t":2}', '{"c":3}', { value: "3", values: '{"s":1,"t":2}' }],
  ['{"s":1}', '{"c":3,"d":4}', { value: "1", values: '{"c":3,"d":4}' }],
  ['{"x":1,"y":1}', '{"x":2,"z":2}', { values: '{"x":1,"z":2,"y":1}' }],
  ["{}", "{}", {}],
])("handle() answers keys [] with shared %s and client %s", (shared, client, members) => {
  expect(answer(known(shared, client), "one", { scope: "client", keys: [] })).toEqual(members);
});

test("handle() attaches for a question and answers it with the first document", () => {
  const play = Play.open();
  expect(play.send(ask("one", { scope: "shared", key: "a" }))).toEqual([{ publish: 3, kind: "attach", device: "one" }]);
  play.acknowledge(3);
  play.tick(500);
  const body = bodyOf('{"a":5}');
  expect(play.do({ kind: "received", inbound: 1, message: { kind: "config", ...named("one"), body } })).toContainEqual({
    deliver: 5,
    kind: "attributesResponse",
    device: "one",
    id: 3,
    value: "5",
    connection: 1,
  });
  expect(play.delivered(5)).toEqual([delivered(1)]);
});

test("handle() answers a question as none found after 5 s without a document, with the upstream down too", () => {
  const play = new Play();
  play.do({ kind: "localConnected", connection: 1 });
  expect(play.send(ask("one", { scope: "shared", key: "a" }))).toEqual([]);
  expect(play.tick(4999)).toEqual([]);
  expect(play.tick(1)).toEqual([{ deliver: 1, kind: "attributesResponse", device: "one", id: 3, connection: 1 }]);
});

test("handle() asks a question once though it comes again when its turn in the spool is there", () => {
  const play = Play.open();
  const question = ask("one", { scope: "shared", key: "a" });
  play.arrive(1, [question], false);
  expect(play.arrive(1, [question], true, "ended")).toEqual([]);
  play.tick(5000);
  expect(play.engine.load).toBe(1);
  expect(play.arrive(1, [question], true, "ended")).toEqual([]);
});

test("handle() drops a question whose connection has ended, waiting or read back", () => {
  const play = Play.open();
  play.send(ask("one", { scope: "shared", key: "a" }));
  expect(play.do({ kind: "localDisconnected", connection: 1 })).toEqual([{ settle: "1.0", fate: "dropped: gone" }]);
  expect(play.arrive(2, [ask("one", { scope: "shared", key: "a" })], true, "ended")).toEqual([
    { settle: "2.0", fate: "dropped: gone" },
  ]);
  const late = known("{}", "{}");
  const [effect] = late.send(ask("one", { scope: "shared", key: "a" })) as { deliver: number }[];
  expect(late.delivered(effect?.deliver ?? 0, "offline")).toEqual([{ settle: "3.0", fate: "dropped: gone" }]);
});

test("handle() answers the gateway's own start-up question with nothing where its configuration is withheld", () => {
  const play = Play.open();
  play.send(state(undefined, '{"Version":"3.8"}'));
  expect(answer(play, undefined, {})).toEqual({});
  expect(answer(play, undefined, { clientKeys: ["Version", "none"], sharedKeys: ["x"] })).toEqual({
    client: '{"Version":"3.8"}',
  });
});

test("handle() answers the gateway's own question from both documents where that is allowed", () => {
  const play = Play.open({ rules: { config: { gateway: "forward" } } });
  play.send(state(undefined, '{"v":1}'));
  play.do({ kind: "received", inbound: undefined, message: { kind: "config", body: bodyOf('{"s":1,"t":2}') } });
  expect(answer(play, undefined, {})).toEqual({ client: '{"v":1}', shared: '{"s":1,"t":2}' });
  expect(answer(play, undefined, { sharedKeys: ["t"] })).toEqual({ shared: '{"t":2}' });
});

test("handle() keeps documents for questions over a restart", () => {
  const play = known('{"s1":1}', '{"c1":2}');
  play.restart();
  play.do({ kind: "localConnected", connection: 1 });
  expect(answer(play, "one", { scope: "shared", key: "s1" })).toEqual({ value: "1" });
  expect(answer(play, "one", { scope: "client", key: "c1" })).toEqual({ value: "2" });
});
