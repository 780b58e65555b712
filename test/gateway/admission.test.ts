import { expect, test } from "vitest";
import { createGateway } from "../../src/gateway/gateway.ts";
import type { Decoded, Misfit } from "../../src/message/decoded.ts";
import type { Message } from "../../src/message/message.ts";
import { changing, claim, documented, optionsOf, reply, type Setup, telemetry } from "./play.ts";

const rule = { name: "telemetry", file: "thingsboard.yaml", line: 1 };
const misfit: Misfit = { path: "/B/0", wanted: "an object", got: "a string" };
const admit = (decoded: Decoded, protocol: 3 | 4 | 5 = 5, setup: Setup = {}) =>
  createGateway(optionsOf(setup)).admit(decoded, protocol);
const messages = (list: readonly Message[], misfits: readonly Misfit[] = []): Decoded => ({
  kind: "messages",
  rule,
  messages: list,
  misfits,
});
const unreadable = (cause: "syntax" | "shape"): Decoded => ({
  kind: "unreadable",
  rule,
  cause,
  reason: "wanted a value at 1",
  misfits: cause === "shape" ? [misfit] : [],
});
const acknowledge = { kind: "acknowledge" };

test("admit() keeps what can be read", () => {
  expect(admit(messages([telemetry("A", "{}"), telemetry("B", "{}")]))).toEqual({
    verdict: acknowledge,
    journal: true,
    count: 2,
    fates: new Map(),
    priority: "data",
  });
});

test("admit() marks replies, which are the last to go when the spool is full", () => {
  expect(admit(messages([reply("A", 1, "1")])).priority).toBe("reply");
});

test("admit() acknowledges an unknown topic and keeps nothing of it", () => {
  expect(admit({ kind: "unknownTopic", topic: "v2/x" })).toEqual({
    verdict: acknowledge,
    journal: false,
    count: 1,
    fates: new Map([[0, { kind: "dropped", reason: "unknownTopic" }]]),
    priority: "data",
  });
});

test.each([
  ["syntax", "unparseable: wanted a value at 1"],
  ["shape", 'wrong shape: at "/B/0" wanted an object, got a string'],
] as const)("admit() quarantines a packet of bad %s and says so where MQTT can", (cause, reason) => {
  const kept = { journal: true, count: 1, fates: new Map([[0, { kind: "quarantined", reason }]]), priority: "data" };
  expect(admit(unreadable(cause), 5)).toEqual({ verdict: { kind: "reject", code: 0x99 }, ...kept });
  expect(admit(unreadable(cause), 4)).toEqual({ verdict: acknowledge, ...kept });
  expect(admit(unreadable(cause), 3)).toEqual({ verdict: acknowledge, ...kept });
});

test("admit() closes where the server would, if it is to be strict", () => {
  const closed = { journal: false, count: 0, fates: new Map(), priority: "data" };
  expect(admit(unreadable("syntax"), 4, { strict: true })).toEqual({ verdict: { kind: "close" }, ...closed });
  expect(admit(unreadable("shape"), 3, { strict: true })).toEqual({ verdict: { kind: "close" }, ...closed });
  expect(admit(unreadable("shape"), 5, { strict: true })).toEqual({
    verdict: { kind: "close", code: 0x83 },
    ...closed,
  });
  expect(admit(unreadable("syntax"), 5, { strict: true }).verdict).toEqual({ kind: "reject", code: 0x99 });
});

test("admit() keeps the fine part of a packet, and the packet once more for the rest", () => {
  expect(admit(messages([telemetry("A", "{}")], [misfit, misfit]))).toEqual({
    verdict: acknowledge,
    journal: true,
    count: 2,
    fates: new Map([
      [1, { kind: "quarantined", reason: 'wrong shape: at "/B/0" wanted an object, got a string and 1 more' }],
    ]),
    priority: "data",
  });
});

test("admit() drops what is empty, alone or among others", () => {
  const empty = { ...telemetry("A", "{}"), points: [] };
  const dropped = { kind: "dropped", reason: "empty" };
  expect(admit(messages([empty, empty]))).toEqual({
    verdict: acknowledge,
    journal: false,
    count: 2,
    fates: new Map([
      [0, dropped],
      [1, dropped],
    ]),
    priority: "data",
  });
  expect(admit(messages([telemetry("B", "{}"), empty]))).toMatchObject({
    journal: true,
    count: 2,
    fates: new Map([[1, dropped]]),
  });
  const nothing = messages([{ kind: "telemetry", body: new Uint8Array() }]);
  expect(admit(nothing, 4, { local: documented, upstream: changing })).toMatchObject({
    journal: false,
    fates: new Map([[0, dropped]]),
  });
  expect(admit(nothing, 4, { local: documented })).toMatchObject({ journal: true, fates: new Map() });
  expect(admit(messages([]))).toMatchObject({ journal: false, count: 1, fates: new Map([[0, dropped]]) });
});

test("admit() drops claims that the cloud does not know, and forwards no secret", () => {
  const unsupported = new Map([[0, { kind: "dropped", reason: "unsupported" }]]);
  expect(admit(messages([claim("A", "secret")]))).toMatchObject({ journal: false, fates: unsupported });
  expect(admit(messages([claim("A", "secret")]), 5, { upstream: changing })).toMatchObject({
    journal: true,
    fates: new Map(),
  });
  const rules = { claims: { folder: "claims" } };
  expect(admit(messages([claim("A", "secret")]), 5, { rules })).toMatchObject({ journal: true, fates: new Map() });
});
