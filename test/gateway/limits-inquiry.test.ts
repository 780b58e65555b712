import { expect, test } from "vitest";
import type { JsonText } from "../../src/message/json.ts";
import { attach, changing, delivered, documented, isPublish, named, Play, telemetry } from "./play.ts";

const limits = (id: number, messages: string) =>
  ({
    kind: "callResult",
    id,
    data: `{"maxInflightMessages":2,"rateLimits":{},"gatewayRateLimits":{"messages":"${messages}"}}` as JsonText,
  }) as const;

/** The id of the question for limits. */
function openUpstream(play: Play): number {
  return play.do({ kind: "upstreamOpened" }).find(isPublish)?.id ?? 0;
}

test("handle() subscribes for all devices and asks for limits as soon as it is connected", () => {
  const play = new Play({ upstream: changing });
  expect(play.do({ kind: "upstreamOpened" })).toEqual([
    { subscribe: 1, kinds: "config command attributesResponse callResult removed renamed" },
    { subscribe: 2, isForAll: true, kinds: "config command attributesResponse detached" },
    { publish: 3, kind: "call", id: 0x7fffffff, method: "getSessionLimits", params: '{"timeout":5000}' },
  ]);
});

test("handle() sends nothing before it knows the limits, and then as much as they allow: an attach counts twice", () => {
  const play = new Play({ upstream: changing });
  play.do({ kind: "localConnected", connection: 1 });
  const id = openUpstream(play);
  for (const name of ["one", "two", "three"]) expect(play.send(attach(name))).toEqual([]);
  play.acknowledge(3);
  expect(play.answer(limits(id, "10:1"))).toEqual([{ publish: 4, kind: "attach", device: "one" }]);
  expect(play.acknowledge(4)).toEqual([{ store: "attached/one", value: "" }, delivered(1)]);
  expect(play.tick(249)).toEqual([]);
  expect(play.tick(1)).toEqual([{ publish: 5, kind: "attach", device: "two" }]);
});

test("handle() keeps to the window that the cloud takes", () => {
  const play = new Play({ upstream: changing });
  play.do({ kind: "localConnected", connection: 1 });
  const id = openUpstream(play);
  play.acknowledge(3);
  play.answer(limits(id, "100:1"));
  play.bring("one");
  for (let ts = 1; ts <= 3; ts++) play.send(telemetry("one", "{}", ts));
  expect(play.engine.status(play.now).inFlight).toBe(2);
});

test("handle() counts an opaque body by the points that it becomes", () => {
  const play = new Play({ local: documented, upstream: changing });
  play.do({ kind: "localConnected", connection: 1 });
  const id = openUpstream(play);
  const data = '{"gatewayRateLimits":{"telemetryDataPoints":"10:1"}}' as JsonText;
  play.answer({ kind: "callResult", id, data });
  play.send(attach("one"));
  play.acknowledge(5);
  const body = (text: string) => ({ kind: "telemetry", ...named("one"), body: Buffer.from(text) }) as const;
  expect(play.send(body('{"a":1,"b":2}')).filter(isPublish)).toHaveLength(1);
  expect(play.send(body("5")).filter(isPublish)).toEqual([]);
  expect(play.tick(125).filter(isPublish)).toHaveLength(1);
});

test("handle() goes on after 2 s with a cloud that does not know the question, and takes a late answer", () => {
  const play = new Play({ upstream: changing });
  play.do({ kind: "localConnected", connection: 1 });
  const id = openUpstream(play);
  play.send(attach("one"));
  expect(play.tick(1999)).toEqual([]);
  expect(play.tick(1)).toEqual([{ publish: 4, kind: "attach", device: "one" }]);
  play.answer(limits(id, "10:1"));
  expect(play.engine.wakeAtMs).toBeGreaterThan(play.now);
});

test("handle() does not wait on later connections: what it was told before still holds", () => {
  const play = new Play({ upstream: changing });
  play.do({ kind: "localConnected", connection: 1 });
  play.answer(limits(openUpstream(play), "10:1"));
  play.bring("one");
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [3] });
  play.tick(1000);
  expect(play.do({ kind: "upstreamOpened" })).toContainEqual({ publish: 8, kind: "attach", device: "one" });
});

test("handle() takes the answer to its own question for itself, and gives others to the gateway", () => {
  const play = Play.open({ upstream: changing });
  play.send({ kind: "call", id: 1, method: "anything" });
  expect(play.answer({ kind: "callResult", id: 1, data: "1" as JsonText })).toEqual([
    { deliver: 5, kind: "callResult", id: 1, data: "1", connection: 1 },
  ]);
  expect(play.answer(limits(0x7fffffff, "1:1"))).toEqual([]);
});
