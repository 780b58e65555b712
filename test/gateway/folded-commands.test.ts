import { expect, test } from "vitest";
import type { JsonText } from "../../src/message/json.ts";
import type { Command, UpMessage } from "../../src/message/message.ts";
import { changing, delivered, detach, documented, isPublish, named, Play, type Setup } from "./play.ts";

const sides = { local: documented, upstream: changing };
const withReplies: Setup = { ...sides, rules: { commands: { replies: "replies", timeout: 10_000 } } };

/** One with the device attached and nothing to be asked about it. */
function attached(setup: Setup = sides, device = "one"): Play {
  const play = Play.open(setup);
  bring(play, device);
  return play;
}

function bring(play: Play, device: string): void {
  const [attach] = play.send({ kind: "attach", ...named(device) }).filter(isPublish);
  for (const { publish, id } of play.acknowledge(attach?.publish ?? 0).filter(isPublish)) {
    play.acknowledge(publish);
    play.answer({ kind: "attributesResponse", ...named(device), id });
  }
}

function call(play: Play, members: Partial<Command> = {}, inbound?: number): readonly unknown[] {
  const message = { kind: "command", ...named("one"), id: 0, method: "led.set", params: json('{"on":true}') } as const;
  return play.do({ kind: "received", inbound, message: { ...message, ...members } });
}

const json = (text: string) => text as JsonText;
const tokenOf = (effects: readonly unknown[]) =>
  (effects.find((effect) => (effect as { deliver?: number }).deliver !== undefined) as { deliver: number }).deliver;
const answers = (effects: readonly unknown[]) =>
  effects
    .filter(isPublish)
    .filter(({ kind }) => kind === "commandResponse")
    .map(({ id, data }: { id: number; data?: unknown }) => `${id} ${data}`);
const reply = (id: number | string, body: string, device: string | undefined = "one"): UpMessage => ({
  kind: "telemetry",
  ...named(device),
  folder: `replies/${id}`,
  body: Buffer.from(body),
});

test("handle() gives a call as an order, the method as the folder, and answers when the gateway took it", () => {
  const play = attached();
  expect(call(play, {}, 3)).toEqual([
    { deliver: 7, kind: "command", device: "one", folder: "led/set", body: '{"on":true}', connection: 1 },
  ]);
  expect(play.delivered(7)).toEqual([
    { down: "received" },
    { down: "delivered" },
    { acknowledge: 3 },
    { store: "folded/0/one", value: expect.any(String) },
    { publish: 8, kind: "commandResponse", device: "one", id: 0, data: '{"success":true}' },
  ]);
});

test("handle() gives a call as an envelope where that is the form", () => {
  const play = attached({ ...sides, rules: { commands: { form: "envelope" } } });
  expect(call(play)).toEqual([
    expect.objectContaining({ body: '{"id":0,"method":"led.set","params":{"on":true}}', connection: 1 }),
  ]);
  expect(call(play, { id: 1, params: json("null") })[0]).not.toHaveProperty("folder");
});

test("handle() gives a gateway its own calls: they are no orders to a process of its kind", () => {
  const play = Play.open(sides);
  const message = { kind: "command", id: 4, method: "reboot", params: json("5") } as const;
  expect(play.answer(message)).toEqual([expect.objectContaining({ kind: "command", folder: "reboot", body: "5" })]);
});

test.each([
  ["written", '0 {"success":true}'],
  ["unsubscribed", '0 {"error":"offline"}'],
  ["offline", '0 {"error":"offline"}'],
  ["rejected", '0 {"error":"offline"}'],
] as const)("handle() answers a call that was %s", (outcome, answer) => {
  const play = attached();
  expect(answers(play.delivered(tokenOf(call(play)), outcome))).toEqual([answer]);
});

test("handle() answers for a gateway that is not there, and for a method that no topic can carry", () => {
  const play = attached();
  const token = tokenOf(call(play));
  expect(answers(play.do({ kind: "delivered", token, outcome: "unrepresentable" }))).toEqual([
    '0 {"error":"unrepresentable"}',
  ]);
  play.do({ kind: "localDisconnected", connection: 1 });
  expect(call(play, { id: 1 })).toEqual([
    { down: "received" },
    { down: "dropped", reason: "offline" },
    expect.objectContaining({ store: "folded/1/one" }),
    expect.objectContaining({ kind: "commandResponse", id: 1, data: '{"error":"offline"}' }),
  ]);
});

test("handle() keeps equal ids of two devices apart", () => {
  const play = attached();
  bring(play, "two");
  const one = tokenOf(call(play));
  const two = tokenOf(call(play, { ...named("two") }));
  expect(play.delivered(two).filter(isPublish)).toEqual([expect.objectContaining({ device: "two", id: 0 })]);
  expect(play.delivered(one).filter(isPublish)).toEqual([expect.objectContaining({ device: "one", id: 0 })]);
});

test("handle() answers a repeated call the same, without giving it to the gateway again", () => {
  const play = attached();
  play.delivered(tokenOf(call(play)), "unsubscribed");
  expect(call(play, {}, 9)).toEqual([
    { down: "received" },
    { down: "dropped", reason: "superseded" },
    { acknowledge: 9 },
    { publish: 9, kind: "commandResponse", device: "one", id: 0, data: '{"error":"offline"}' },
  ]);
  play.restart();
  play.do({ kind: "localConnected", connection: 2 });
  play.openUpstream();
  expect(call(play)).not.toContainEqual(expect.objectContaining({ kind: "command" }));
});

test.each<[string, Partial<Command>, number]>([
  ["params", { params: json('{"on":false}') }, 0],
  ["method", { method: "led.get" }, 0],
  ["time", {}, 600_000],
])("handle() takes for a new call what has the same id and another %s", (_what, members, afterMs) => {
  const play = attached();
  play.delivered(tokenOf(call(play)));
  play.tick(afterMs);
  expect(call(play, members)).toContainEqual(expect.objectContaining({ kind: "command" }));
});

test("handle() says nothing about a repeat while the first is under way", () => {
  const play = attached();
  const token = tokenOf(call(play));
  expect(answers(call(play))).toEqual([]);
  expect(answers(play.delivered(token))).toEqual(['0 {"success":true}']);
});

test.each([
  ['{"ok":1}', '{"ok":1}'],
  ["5", "5"],
  ["done", '"done"'],
  ["", '""'],
])("handle() takes the telemetry %o in the folder of replies for the answer", (body, data) => {
  const play = attached(withReplies);
  expect(answers(play.delivered(tokenOf(call(play))))).toEqual([]);
  const [publish] = play.send(reply(0, body)).filter(isPublish);
  expect(publish).toMatchObject({ kind: "commandResponse", device: "one", id: 0, data });
  expect(play.acknowledge(publish?.publish ?? 0)).toEqual([delivered(2)]);
  expect(answers(play.tick(10_000))).toEqual([]);
});

test("handle() takes a reply that overtakes the acknowledgement", () => {
  const play = attached(withReplies);
  const token = tokenOf(call(play));
  expect(answers(play.send(reply(0, "1")))).toEqual(["0 1"]);
  expect(answers(play.delivered(token))).toEqual([]);
});

test("handle() takes a reply when it comes again, after the disk did not take it", () => {
  const play = attached(withReplies);
  play.delivered(tokenOf(call(play)));
  expect(answers(play.send(reply(0, "1")))).toEqual(["0 1"]);
  play.do({ kind: "refused", seq: 2 });
  expect(answers(play.send(reply(0, "1")))).toEqual(["0 1"]);
  play.do({ kind: "refused", seq: 3 });
  expect(answers(play.tick(10_000))).toEqual(['0 {"error":"timeout"}']);
});

test("handle() answers that no reply came in time, and drops one that comes too late", () => {
  const play = attached(withReplies);
  play.delivered(tokenOf(call(play)));
  expect(answers(play.tick(9999))).toEqual([]);
  expect(answers(play.tick(1))).toEqual(['0 {"error":"timeout"}']);
  expect(play.send(reply(0, "1"))).toEqual([{ settle: "2.0", fate: "dropped: unmatched" }]);
});

test("handle() takes for telemetry what is in another folder, and drops an answer to nothing", () => {
  const play = attached(withReplies);
  expect(play.send(reply("x", "1"))).toEqual([expect.objectContaining({ kind: "telemetry" })]);
  expect(play.send(reply(7, "1"))).toEqual([{ settle: "3.0", fate: "dropped: unmatched" }]);
});

test("handle() knows a call that waits for its reply, and its time, after a restart", () => {
  const play = attached(withReplies);
  play.delivered(tokenOf(call(play)));
  play.delivered(tokenOf(call(play, { id: 1 })));
  play.restart();
  play.do({ kind: "localConnected", connection: 1 });
  play.openUpstream();
  const attach = 5;
  play.acknowledge(attach);
  expect(answers(play.send(reply(0, "1")))).toEqual(["0 1"]);
  expect(answers(play.tick(10_000))).toEqual(['1 {"error":"timeout"}']);
});

test("handle() keeps a reply for its turn where a backlog is before it, and does not let the call time out meanwhile", () => {
  const play = attached(withReplies);
  play.delivered(tokenOf(call(play)));
  expect(answers(play.arrive(2, [reply(0, "1")], false))).toEqual([]);
  expect(answers(play.tick(60_000))).toEqual([]);
  expect(answers(play.arrive(2, [reply(0, "1")], true, "ended"))).toEqual(["0 1"]);
});

test("handle() has nothing to say any more for a device that is detached", () => {
  const play = attached(withReplies);
  play.delivered(tokenOf(call(play)));
  const [publish] = play.send(detach("one")).filter(isPublish);
  play.acknowledge(publish?.publish ?? 0);
  expect(play.facts.has("folded/0/one")).toBe(false);
  expect(play.tick(10_000)).toEqual([]);
});

test("handle() answers for a reply that no packet can carry", () => {
  const play = attached(withReplies);
  play.delivered(tokenOf(call(play)));
  const effects = play.send(reply(0, `"${"x".repeat(70_000)}"`));
  expect(effects).toContainEqual({ settle: "2.0", fate: "quarantined: oversize" });
  expect(answers(effects)).toEqual(['0 {"error":"oversize"}']);
});
