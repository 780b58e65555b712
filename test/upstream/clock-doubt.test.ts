import { expect, test } from "vitest";
import { ClockDoubt, certificateAdvice } from "../../src/upstream/clock-doubt.ts";

/** Plays a cloud that takes tokens which reach to its own time; returns what was tried until the connection was used. */
function play(doubt: ClockDoubt, takes: ReadonlySet<string>, attempts = 10): readonly string[] {
  const tried: string[] = [];
  for (let i = 0; i < attempts; i++) {
    tried.push(doubt.reach);
    if (!takes.has(doubt.reach)) doubt.ended("connack-5");
    else if (doubt.taken()) return tried;
  }
  return tried;
}

test("ClockDoubt names a clock that is ahead, once a token for now is refused again", () => {
  const doubt = new ClockDoubt();
  expect(play(doubt, new Set(["back"]))).toEqual(["now", "now", "back", "now", "back"]);
  expect(doubt.finding).toMatch(/^this machine's clock is ahead, by more than 10 min/);
  expect(doubt.advice("connack-5", 0)).toContain("clock is ahead");
});

test("ClockDoubt names a clock that is behind", () => {
  const doubt = new ClockDoubt();
  expect(play(doubt, new Set(["ahead"]))).toEqual(["now", "now", "back", "ahead", "now", "ahead"]);
  expect(doubt.finding).toMatch(/^this machine's clock is behind/);
});

test("ClockDoubt looks at each renewal whether the clock is mended", () => {
  const doubt = new ClockDoubt();
  play(doubt, new Set(["back"]));
  expect(play(doubt, new Set(["back"]))).toEqual(["now", "back"]);
  expect(doubt.finding).toContain("ahead");
  expect(play(doubt, new Set(["now", "back"]))).toEqual(["now"]);
  expect(doubt.finding).toBeUndefined();
});

test("ClockDoubt does not blame the clock where the credentials were mended meanwhile", () => {
  const doubt = new ClockDoubt();
  play(doubt, new Set(), 2);
  expect(play(doubt, new Set(["now", "back", "ahead"]))).toEqual(["back", "now"]);
  expect(doubt.finding).toBeUndefined();
});

test("ClockDoubt does not blame the clock where tokens for any time are refused, and says so", () => {
  const doubt = new ClockDoubt();
  expect(play(doubt, new Set(), 7)).toEqual(["now", "now", "back", "ahead", "now", "now", "now"]);
  expect(doubt.finding).toBeUndefined();
  expect(doubt.advice("connack-5", 0)).toContain("an id, the audience or the key is wrong");
  expect(play(doubt, new Set(["now"]))).toEqual(["now"]);
});

test("ClockDoubt leaves other refusals alone, and shows this machine's time with those that may be its fault", () => {
  const doubt = new ClockDoubt();
  for (let i = 0; i < 5; i++) doubt.ended("connack-3");
  expect(doubt.reach).toBe("now");
  expect(doubt.advice("connack-3", 0)).toBe("");
  expect(doubt.advice("connack-4", Date.UTC(2026, 0, 2))).toContain("2026-01-02T00:00:00.000Z");
});

test.each([
  ["certificate is not yet valid", ": this machine's clock is behind, it says 1970-01-01T00:00:00.000Z"],
  ["certificate has expired", ", or this machine's clock is ahead: it says 1970-01-01T00:00:00.000Z"],
  ["self-signed certificate", ""],
])("certificateAdvice() about %j", (detail, advice) => {
  expect(certificateAdvice("tls", `the TLS handshake failed: ${detail}`, 0)).toBe(advice);
});
