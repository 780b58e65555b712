import { expect, test } from "vitest";
import { Pacing } from "../../src/gateway/pacing.ts";
import { useOf } from "../../src/gateway/quota.ts";
import { readSessionLimits } from "../../src/gateway/session-limits.ts";
import type { JsonText } from "../../src/message/json.ts";
import type { UpMessage } from "../../src/message/message.ts";
import { attach, state, telemetry } from "./play.ts";

const read = (text: string) => readSessionLimits(text as JsonText);
const none = { messages: [], uploads: [], points: [] };

test("readSessionLimits() reads every part of a limit, of the gateway and of its devices", () => {
  expect(
    read(`{"maxPayloadSize":65536,"maxInflightMessages":100,
      "rateLimits":{"messages":"20:1,600:60","telemetryMessages":null,"telemetryDataPoints":""},
      "gatewayRateLimits":{"messages":" 5:1 ","telemetryMessages":"10:1","telemetryDataPoints":"200:1"}}`),
  ).toEqual({
    packetBytes: 65536,
    inFlight: 100,
    own: {
      ...none,
      messages: [
        { count: 20, withinMs: 1000 },
        { count: 600, withinMs: 60_000 },
      ],
    },
    devices: {
      messages: [{ count: 5, withinMs: 1000 }],
      uploads: [{ count: 10, withinMs: 1000 }],
      points: [{ count: 200, withinMs: 1000 }],
    },
  });
});

test("readSessionLimits() holds a gateway's limits for its devices where the server has none for those", () => {
  const own = { ...none, messages: [{ count: 3, withinMs: 1000 }] };
  expect(read('{"rateLimits":{"messages":"3:1"}}')).toEqual({ own, devices: own });
});

test.each(['{"error":"timeout"}', '"timeout"', "null", "{}", "[]"])(
  "readSessionLimits() sees that %s is no answer",
  (text) => {
    expect(read(text)).toBeUndefined();
  },
);

test.each(["x:1", "0:1", "1:0", "-1:1", "1", ":", "99999999999:1"])(
  "readSessionLimits() takes the limit %s for none",
  (rate) => {
    expect(read(`{"rateLimits":{"messages":"${rate}"}}`)?.own).toEqual(none);
  },
);

test.each<[UpMessage, object]>([
  [attach("A"), { isOwn: false, messages: 2, uploads: 0, points: 0 }],
  [telemetry("A", '{"a":1,"b":2}'), { isOwn: false, messages: 0, uploads: 1, points: 2 }],
  [telemetry(undefined, '{"a":1}'), { isOwn: true, messages: 0, uploads: 1, points: 1 }],
  [state("A", '{"a":1,"b":{"c":1,"d":2}}'), { isOwn: false, messages: 0, uploads: 1, points: 2 }],
  [
    { kind: "call", id: 1, method: "getSessionLimits" },
    { isOwn: true, messages: 1, uploads: 0, points: 0 },
  ],
])("useOf() counts %o as the server does", (message, use) => {
  expect(useOf(message)).toEqual(use);
});

test("take() holds the limits the cloud has told, each kind of message by its own", () => {
  const pacing = new Pacing({});
  expect(pacing.isMetered).toBe(false);
  pacing.limit(0, { own: none, devices: { ...none, messages: [{ count: 20, withinMs: 1000 }] } });
  const used = useOf(attach("A"));
  expect([1, 2, 3].map(() => pacing.take(0, 0, used))).toEqual([true, true, false]);
  expect(pacing.readyAtMs(0, 0, used)).toBe(125);
  expect(pacing.take(0, 0, useOf(telemetry("A", '{"a":1}')))).toBe(true);
  expect(pacing.take(0, 0, useOf({ kind: "call", id: 1, method: "m" }))).toBe(true);
  expect(pacing.take(125, 0, used)).toBe(true);
});

test("limit() gives nothing back when the cloud tells the same limits again", () => {
  const pacing = new Pacing({});
  const limits = { own: { ...none, messages: [{ count: 5, withinMs: 60_000 }] }, devices: none };
  const use = useOf({ kind: "call", id: 1, method: "m" });
  pacing.limit(0, limits);
  expect(pacing.take(0, 0, use)).toBe(true);
  pacing.restart(1);
  pacing.limit(1, limits);
  expect(pacing.take(1, 0, use)).toBe(false);
});

test("takeAlong() counts data points, and no second message", () => {
  const pacing = new Pacing({});
  const points = [{ count: 20, withinMs: 1000 }];
  pacing.limit(0, { own: none, devices: { ...none, uploads: [{ count: 5, withinMs: 1000 }], points } });
  const use = useOf(telemetry("A", '{"a":1,"b":2}'));
  expect(pacing.take(0, 0, use)).toBe(true);
  expect([pacing.takeAlong(0, 0, use), pacing.takeAlong(0, 0, use)]).toEqual([true, false]);
});
