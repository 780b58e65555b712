import { expect, test } from "vitest";
import type { Call } from "../../src/message/message.ts";
import { changing, delivered, documented, named, Play } from "./play.ts";

const call = (method: string, id = 1): Call => ({ kind: "call", id, method, params: "{}" as never });

test("handle() answers getSessionLimits with limits made from the upstream's, upstream up or down", () => {
  const upstream = { ...documented, limits: { messagesPerSecond: 100, pace: 0.8 } };
  const play = new Play({ upstream, inFlight: 50 });
  play.do({ kind: "localConnected", connection: 4 });
  expect(play.arrive(1, [call("getSessionLimits")], true, 4)).toEqual([
    {
      deliver: 1,
      kind: "callResult",
      id: 1,
      data: '{"maxPayloadSize":65536,"maxInflightMessages":50,"rateLimits":{"messages":"80:1"},"gatewayRateLimits":{"messages":"80:1"}}',
      connection: 4,
    },
  ]);
  expect(play.delivered(1)).toEqual([delivered(1)]);
});

test("handle() names no limit that the upstream does not have, and leaves both objects there", () => {
  const [effect] = Play.open().send(call("getSessionLimits"));
  expect(effect).toEqual(
    expect.objectContaining({
      data: '{"maxPayloadSize":65536,"maxInflightMessages":256,"rateLimits":{},"gatewayRateLimits":{}}',
    }),
  );
});

test.each([
  ["getServerTime", '{"time":1000000}'],
  ["getCurrentTime", '{"time":1000000}'],
  ["anything", '{"error":"unsupported"}'],
])("handle() answers %s", (method, data) => {
  expect(Play.open().send(call(method))).toEqual([{ deliver: 3, kind: "callResult", id: 1, data, connection: 1 }]);
});

test("handle() answers a call out of line once, and not when its connection has ended", () => {
  const play = Play.open();
  expect(play.arrive(1, [call("x")], false)).toHaveLength(1);
  expect(play.arrive(1, [call("x")], true, "ended")).toEqual([]);
  expect(play.delivered(3, "offline")).toEqual([{ settle: "1.0", fate: "dropped: gone" }]);
  expect(play.arrive(2, [call("x")], true, "ended")).toEqual([{ settle: "2.0", fate: "dropped: gone" }]);
});

test("handle() passes other calls to a cloud that has them, and their answers to who asked", () => {
  const play = Play.open({ upstream: changing });
  expect(play.send(call("getSessionLimits"))).toContainEqual(expect.objectContaining({ kind: "callResult" }));
  expect(play.send(call("anything", 7))).toEqual([
    { publish: 5, kind: "call", id: 7, method: "anything", params: "{}" },
  ]);
  expect(play.acknowledge(5)).toEqual([delivered(2)]);
  const result = { kind: "received", inbound: 4, message: { kind: "callResult", id: 7, data: "5" as never } } as const;
  expect(play.do(result)).toEqual([
    { deliver: 6, kind: "callResult", id: 7, data: "5", connection: 1 },
    { acknowledge: 4 },
  ]);
  expect(play.do(result)).toEqual([{ acknowledge: 4 }]);
});

test("handle() passes questions for attributes to a cloud that has them, for the connection that asked only", () => {
  const play = Play.open({ upstream: changing });
  play.bring("one");
  const question = { kind: "attributesRequest", ...named("one"), id: 3, scope: "shared", key: "a" } as const;
  expect(play.send(question)).toEqual([{ publish: 5, ...question }]);
  const answer = { kind: "attributesResponse", ...named("one"), id: 3, value: "1" as never } as const;
  expect(play.do({ kind: "received", inbound: undefined, message: answer })).toEqual([
    { deliver: 6, ...answer, connection: 1 },
  ]);
  play.send(question);
  play.do({ kind: "localConnected", connection: 2 });
  expect(play.do({ kind: "received", inbound: undefined, message: answer })).toEqual([]);
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [5, 7] });
  play.openUpstream();
  play.acknowledge(11);
  expect(play.do({ kind: "tick" })).toEqual([]);
  expect(play.engine.load).toBe(0);
});
