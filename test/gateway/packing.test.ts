import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOfPoints, fitInto } from "../../src/gateway/fitting.ts";
import { type JsonText, membersOf } from "../../src/message/json.ts";
import type { DeviceId, Point, UpMessage } from "../../src/message/message.ts";
import { attach, changing, delivered, documented, isPublish, Play, reply, state, telemetry } from "./play.ts";

const small = { ...changing, limits: { packetBytes: 1024 } };

/** One whose upstream was away while `messages` came. */
function backlog(messages: readonly UpMessage[], setup = { upstream: changing }): Play {
  const play = Play.open(setup);
  play.bring("one");
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  for (const message of messages) play.send(message);
  play.openUpstream();
  return play;
}

function timesIn(effect: unknown): readonly (number | undefined)[] {
  return ((effect as { points?: readonly Point[] }).points ?? []).map(({ ts }) => ts);
}

test("handle() puts what waits for one device into one publish, in order, each delivered with it", () => {
  const play = backlog([1, 2, 3].map((ts) => telemetry("one", `{"n":${ts}}`, ts)));
  const [publish] = play.acknowledge(8).filter(isPublish);
  expect(timesIn(publish)).toEqual([1, 2, 3]);
  expect(play.acknowledge(publish?.publish ?? 0)).toEqual([delivered(2), delivered(3), delivered(4)]);
});

test("handle() packs no more than one packet holds, and nothing across another kind of message", () => {
  const wide = (ts: number) => telemetry("one", `{"text":"${"x".repeat(300)}"}`, ts);
  const play = backlog([wide(1), wide(2), wide(3), state("one", '{"a":1}'), wide(4), wide(5)], { upstream: small });
  const effects = play.acknowledge(8).filter(isPublish);
  expect(effects.map(timesIn)).toEqual([[1, 2], [3], [], [4, 5]]);
});

test("handle() packs what only came to wait because the window was full", () => {
  const play = Play.open({ upstream: changing, inFlight: 1 });
  play.bring("one");
  const effects = [1, 2, 3].map((ts) => play.send(telemetry("one", "{}", ts)));
  expect(effects.map(([effect]) => timesIn(effect ?? {}))).toEqual([[1], [], []]);
  expect(play.acknowledge(5).filter(isPublish).map(timesIn)).toEqual([[2, 3]]);
});

test("handle() finds the bad message of a refused publish by sending each by itself", () => {
  const play = backlog([1, 2, 3].map((ts) => telemetry("one", `{"n":${ts}}`, ts)));
  const [packed] = play.acknowledge(8).filter(isPublish);
  const apart = play.acknowledge(packed?.publish ?? 0, 0x99).filter(isPublish);
  expect(apart.map(timesIn)).toEqual([[1], [2], [3]]);
  const [first, second, third] = apart.map(({ publish }) => publish);
  expect(play.acknowledge(first as number)).toEqual([delivered(2)]);
  expect(play.acknowledge(second as number, 0x99)).toEqual([
    { settle: "3.0", fate: "quarantined: refused: code 0x99" },
  ]);
  expect(play.acknowledge(third as number)).toEqual([delivered(4)]);
});

test("handle() packs again what was in a publish that got lost", () => {
  const play = backlog([1, 2].map((ts) => telemetry("one", "{}", ts)));
  const [packed] = play.acknowledge(8).filter(isPublish);
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [packed?.publish ?? 0] });
  play.openUpstream();
  const attached = play.acknowledge(13).filter(isPublish);
  expect(attached.map(timesIn)).toEqual([[1, 2]]);
});

test("handle() makes points of opaque bodies for one publish", () => {
  const play = Play.open({ local: documented, upstream: changing, inFlight: 1 });
  play.send(attach("one"));
  play.acknowledge(5);
  play.acknowledge(6);
  const body = (text: string): UpMessage => ({ kind: "telemetry", device: "one" as DeviceId, body: Buffer.from(text) });
  play.send(body('{"a":1}'));
  play.send(body("text"));
  play.send(body(""));
  play.send(body('[{"ts":5,"values":{"b":1}}]'));
  const [publish] = play.acknowledge(7).filter(isPublish);
  expect(publish).toMatchObject({ points: [{ ts: play.now, values: '{"raw":"dGV4dA=="}' }] });
  expect(play.acknowledge(8)).toEqual([delivered(3), { settle: "4.0", fate: "dropped: empty" }, expect.anything()]);
});

test("handle() quarantines a reply that no packet can carry", () => {
  const play = Play.open({ upstream: small });
  play.bring("one");
  expect(play.send(reply("one", 1, `"${"x".repeat(1024)}"`))).toEqual([
    { settle: "2.0", fate: "quarantined: oversize" },
  ]);
});

test("fitInto() splits points and keys into as few packets as hold them, in order, and loses only what is too large", () => {
  const value = fc.nat(1500).map((length) => `"${"ä".repeat(length / 2)}"`);
  fc.assert(
    fc.property(fc.array(value, { maxLength: 20 }), (texts) => {
      const points = texts.map((text, ts) => ({ ts, values: `{"v":${text}}` as JsonText }));
      const fitting = points.filter((point) => bytesOfPoints([point]) <= 1000 - 160 - 3);
      const made = fitInto(1000, { kind: "telemetry", device: "A" as DeviceId, points });
      const parts = made.kind === "pieces" ? made.pieces : [made];
      const all = parts.flatMap((part) => (part.kind === "telemetry" ? (part.points ?? []) : []));
      expect(all).toEqual(fitting);
      for (const part of parts) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(2000);
      expect(made.kind === "pieces" ? made.fate : undefined).toEqual(
        fitting.length === points.length ? undefined : { kind: "quarantined", reason: "oversize" },
      );
    }),
  );
  const values = `{${Array.from({ length: 50 }, (_, i) => `"k${i}":"${"x".repeat(40)}"`).join(",")}}` as JsonText;
  const made = fitInto(1000, { kind: "state", device: "A" as DeviceId, values });
  const parts = made.kind === "pieces" ? made.pieces : [made];
  expect(parts.length).toBe(3);
  const keys = parts.flatMap((part) => (part.kind === "state" ? [...membersOf(part.values as JsonText).keys()] : []));
  expect(keys).toEqual([...membersOf(values).keys()]);
});
