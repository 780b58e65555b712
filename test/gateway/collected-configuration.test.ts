import { expect, test } from "vitest";
import type { Heard } from "../../src/gateway/event.ts";
import type { JsonText } from "../../src/message/json.ts";
import type { AttributesResponse, Config, DeviceId, UpMessage } from "../../src/message/message.ts";
import { changing, documented, isPublish, named, Play, type Setup } from "./play.ts";

const sides = { local: documented, upstream: changing };
const keyed = (...keys: string[]): Setup => ({ ...sides, rules: { config: { keys } } });

/** A play with the device attached; gives the ids of what was asked about it, in order. */
function attached(setup: Setup = sides): { play: Play; asked: readonly { readonly id: number }[] } {
  const play = Play.open(setup);
  const [publish] = play.send({ kind: "attach", device: "one" as DeviceId }).filter(isPublish);
  const asked = play.acknowledge(publish?.publish ?? 0).filter(isPublish);
  return { play, asked };
}

function hear(play: Play, device: string | undefined = "one"): readonly unknown[] {
  const heard: Heard[] = [{ kind: "config", ...named(device) }];
  return play.do({ kind: "localSubscribed", connection: 1, heard });
}

function answer(play: Play, id: number | undefined, members: Partial<AttributesResponse>, device = "one") {
  return play.answer({ kind: "attributesResponse", ...named(device), id: id ?? 0, ...members });
}

function update(play: Play, message: Partial<Config>, inbound?: number) {
  return play.do({ kind: "received", inbound, message: { kind: "config", ...named("one"), ...message } });
}

const json = (text: string) => text as JsonText;
const document = (body: string, device = "one") => expect.objectContaining({ kind: "config", device, body });
const isDeliver = (effect: unknown): effect is { deliver: number; body: string } =>
  typeof effect === "object" && effect !== null && "deliver" in effect;
const bodies = (effects: readonly unknown[]) => effects.filter(isDeliver).map(({ body }) => body);

test("handle() asks for the attributes that make up the configuration, by name, when a device is attached", () => {
  const { asked } = attached(keyed("interval", "mode"));
  expect(asked).toEqual([
    {
      publish: 6,
      kind: "attributesRequest",
      device: "one",
      id: 0x7ffffffd,
      scope: "shared",
      keys: ["interval", "mode"],
    },
  ]);
  expect(attached(keyed("interval")).asked).toEqual([expect.objectContaining({ scope: "shared", key: "interval" })]);
});

test("handle() asks for all there is where no names are given", () => {
  expect(attached().asked).toEqual([expect.objectContaining({ scope: "shared", keys: [] })]);
});

test("handle() asks for its own attributes by scope as soon as it is connected", () => {
  const play = new Play({ ...sides, rules: { config: { keys: ["a"] } } });
  play.do({ kind: "localConnected", connection: 1 });
  play.do({ kind: "upstreamOpened" });
  expect(play.tick(2000)).toEqual([{ publish: 4, kind: "attributesRequest", id: 0x7ffffffe, sharedKeys: ["a"] }]);
  play.do({ kind: "localSubscribed", connection: 1, heard: [{ kind: "config" }] });
  expect(
    bodies(
      play.answer({ kind: "attributesResponse", id: 0x7ffffffe, shared: json('{"a":1}'), client: json('{"b":2}') }),
    ),
  ).toEqual(['{"a":1}']);
});

test("handle() gives a subscription the document as soon as it is answered, once", () => {
  const { play, asked } = attached(keyed("b", "a"));
  expect(hear(play)).toEqual([]);
  expect(bodies(answer(play, asked[0]?.id, { values: json('{"a":1,"b":{"c":[2]}}') }))).toEqual([
    '{"b":{"c":[2]},"a":1}',
  ]);
  expect(play.delivered(7)).toEqual([]);
  expect(bodies(hear(play))).toEqual([]);
  play.tick(1000);
});

test("handle() gives an empty document after 5 s without an answer, and the real one when it comes", () => {
  const { play, asked } = attached(keyed("a"));
  hear(play);
  expect(play.tick(4999)).toEqual([]);
  const [given] = play.tick(1).filter(isDeliver);
  expect(given).toMatchObject({ kind: "config", device: "one", body: "" });
  play.delivered(given?.deliver ?? 0);
  play.tick(1000);
  expect(bodies(answer(play, asked[0]?.id, { value: json("5") }))).toEqual(['{"a":5}']);
});

test("handle() gives an empty document where there are no attributes, and none where nobody subscribed", () => {
  const { play, asked } = attached(keyed("a", "b"));
  expect(answer(play, asked[0]?.id, {}).filter(isDeliver)).toEqual([]);
  expect(bodies(hear(play))).toEqual([""]);
});

test("handle() merges changes and deletions, at most one document a second, the newest wins", () => {
  const { play, asked } = attached(keyed("a", "b"));
  hear(play);
  const [first] = answer(play, asked[0]?.id, { values: json('{"a":1,"b":2}') }).filter(isDeliver);
  play.delivered(first?.deliver ?? 0);
  expect(bodies(update(play, { values: json('{"a":3}') }, 21))).toEqual([]);
  expect(update(play, { deleted: ["b"] }, 22)).toEqual([
    expect.objectContaining({ store: "collected/one" }),
    { acknowledge: 21 },
  ]);
  expect(play.tick(999)).toEqual([]);
  const [second] = play.tick(1).filter(isDeliver);
  expect(second?.body).toBe('{"a":3}');
  expect(play.delivered(second?.deliver ?? 0)).toEqual([
    { down: "received" },
    { down: "delivered" },
    { down: "received" },
    { down: "delivered" },
    { acknowledge: 22 },
  ]);
  expect(bodies(play.tick(10_000))).toEqual([]);
});

test("handle() says nothing about an attribute that is no part of the configuration", () => {
  const { play, asked } = attached(keyed("a"));
  hear(play);
  const [first] = answer(play, asked[0]?.id, { value: json("1") }).filter(isDeliver);
  play.delivered(first?.deliver ?? 0);
  play.tick(1000);
  expect(update(play, { values: json('{"fw_title":"x"}') }, 9)).toEqual([
    { down: "received" },
    { down: "delivered" },
    { acknowledge: 9 },
  ]);
});

test("handle() waits with a change for the gateway's subscription, and for the gateway", () => {
  const { play, asked } = attached(keyed("a"));
  answer(play, asked[0]?.id, {});
  const [attempt] = update(play, { values: json('{"a":1}') }, 9).filter(isDeliver);
  expect(play.delivered(attempt?.deliver ?? 0, "unsubscribed")).toEqual([]);
  play.do({ kind: "localDisconnected", connection: 1 });
  play.tick(60_000);
  const [early] = play.do({ kind: "localConnected", connection: 2 }).filter(isDeliver);
  play.delivered(early?.deliver ?? 0, "unsubscribed");
  play.tick(10_000);
  const heard: Heard[] = [{ kind: "config", ...named("one") }];
  const [again] = play.do({ kind: "localSubscribed", connection: 2, heard }).filter(isPublish);
  const [given] = answer(play, again?.id, { value: json("1") }).filter(isDeliver);
  expect(given?.body).toBe('{"a":1}');
  expect(play.delivered(given?.deliver ?? 0)).toContainEqual({ acknowledge: 9 });
});

test("handle() takes for shared what an update named, and asks for it by name next time", () => {
  const { play, asked } = attached();
  answer(play, asked[0]?.id, {});
  update(play, { values: json('{"mode":"eco"}') });
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  play.restart();
  play.do({ kind: "localConnected", connection: 1 });
  play.openUpstream();
  const publishes = play.acknowledge(6).filter(isPublish);
  expect(publishes).toEqual([
    expect.objectContaining({ scope: "shared", key: "mode" }),
    expect.objectContaining({ scope: "shared", keys: [] }),
  ]);
});

test("handle() leaves out of an answer for everything what the device reported, and a value without a name", () => {
  const { play, asked } = attached();
  const reported: UpMessage = { kind: "state", ...named("one"), body: Buffer.from('{"serial":"S"}') };
  play.send(reported);
  hear(play);
  expect(bodies(answer(play, asked[0]?.id, { value: json("7"), values: json('{"serial":"S","mode":"eco"}') }))).toEqual(
    ['{"mode":"eco"}'],
  );
});

test("handle() learns of deletions while nobody listened, but not of one that a lone attribute only looks like", () => {
  const { play, asked } = attached();
  answer(play, asked[0]?.id, { values: json('{"a":1,"b":2}') });
  const again = () => {
    play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
    const effects = play.do({ kind: "upstreamOpened" }).filter(isPublish);
    const attach = effects.find((effect) => "device" in effect);
    return play.acknowledge(attach?.publish ?? 0).filter(isPublish);
  };
  answer(play, again()[0]?.id, { value: json("2") });
  expect(play.engine.status(play.now).devices[0]?.desired).toBe('{"b":2}');
  answer(play, again()[0]?.id, { value: json("3") });
  expect(play.engine.status(play.now).devices[0]?.desired).toBe("{}");
});

test("handle() keeps what it knows where an answer is none: several names and one bare value", () => {
  const { play, asked } = attached(keyed("a", "b"));
  update(play, { values: json('{"a":1}') });
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  answer(play, asked[0]?.id, { value: json("5") });
  expect(play.engine.status(play.now).devices[0]?.desired).toBe('{"a":1}');
});

test("handle() lets an update win over an answer that was asked for before it", () => {
  const { play, asked } = attached(keyed("a"));
  hear(play);
  expect(update(play, { values: json('{"a":2}') }).filter(isDeliver)).toEqual([]);
  expect(bodies(answer(play, asked[0]?.id, { value: json("1") }))).toEqual(['{"a":2}']);
});

test.each([
  ['{"text":"a: 1\\n"}', "a: 1\n"],
  ['{"text":{"a":1}}', '{"a":1}'],
  ['{"text":""}', ""],
])("handle() gives the one attribute %s as the body %o", (values, body) => {
  const { play, asked } = attached({ ...sides, rules: { config: { document: "text" } } });
  expect(asked).toEqual([expect.objectContaining({ scope: "shared", key: "text" })]);
  hear(play);
  const value = json(values.slice('{"text":'.length, -1));
  expect(bodies(answer(play, asked[0]?.id, { value }))).toEqual([body]);
});

test("handle() gives back the body that became a lone value", () => {
  const { play, asked } = attached(keyed("value"));
  hear(play);
  expect(answer(play, asked[0]?.id, { value: json("5") })).toContainEqual(document("5"));
});

test("handle() offers a document again that the gateway refused", () => {
  const { play, asked } = attached(keyed("a"));
  hear(play);
  const [first] = answer(play, asked[0]?.id, { value: json("1") }).filter(isDeliver);
  play.delivered(first?.deliver ?? 0, "rejected");
  expect(bodies(play.tick(5000))).toEqual(['{"a":1}']);
});

test("handle() goes on without an answer that the cloud refuses to give", () => {
  const { play, asked } = attached(keyed("a"));
  hear(play);
  expect(play.acknowledge((asked[0] as unknown as { publish: number }).publish, 0x83).filter(isDeliver)).toHaveLength(
    1,
  );
});
