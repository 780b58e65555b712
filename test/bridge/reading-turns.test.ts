import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { ReadingTurns } from "../../src/bridge/reading-turns.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("ReadingTurns has gateways read one after the other, and no more than so much in one turn of the event loop", async () => {
  const turns = new ReadingTurns(() => 0);
  const read: string[] = [];
  const steps = ["a", "b", "c"].map((name) => {
    const step = () => {
      read.push(name);
      if (read.length < 8) turns.enter(step);
      return 128;
    };
    return step;
  });
  for (const step of steps) turns.enter(step);
  for (const step of steps) turns.enter(step);
  expect(read).toEqual([]);
  await turn();
  expect(read).toEqual(["a", "b"]);
  await turn();
  expect(read).toEqual(["a", "b", "c", "a"]);
  await turn();
  await turn();
  await turn();
  expect(read.join("")).toBe("abcabcabca");
});

test("ReadingTurns goes on past those that have nothing to read, and leaves out who has left", async () => {
  const turns = new ReadingTurns();
  const read: string[] = [];
  const stepOf = (name: string) => () => {
    read.push(name);
    return 0;
  };
  const [a, b, c] = ["a", "b", "c"].map(stepOf) as [() => number, () => number, () => number];
  for (const step of [a, b, c]) turns.enter(step);
  turns.leave(b);
  await turn();
  expect(read).toEqual(["a", "c"]);
});

test("ReadingTurns reads for as long as there were other things to do, up to a bound", async () => {
  let nowMs = 0;
  const turns = new ReadingTurns(() => nowMs);
  let read = 0;
  const step = () => {
    nowMs += 2;
    read += 1;
    turns.enter(step);
    return 256;
  };
  turns.enter(step);
  nowMs += 7;
  await turn();
  expect(read).toBe(4);
  nowMs += 1000;
  await turn();
  expect(read).toBe(4 + 10);
  await turn();
  expect(read).toBe(4 + 10 + 1);
  turns.leave(step);
});

test("ReadingTurns lets others have a turn of the event loop where few messages take long", async () => {
  let nowMs = 0;
  const turns = new ReadingTurns(() => nowMs);
  const step = () => {
    nowMs += 8;
    turns.enter(step);
    return 4;
  };
  turns.enter(step);
  await turn();
  expect(nowMs).toBe(24);
  await turn();
  expect(nowMs).toBe(48);
  turns.leave(step);
});

test("ReadingTurns takes no longer because there was nothing to do", async () => {
  const turns = new ReadingTurns();
  let read = 0;
  const step = () => {
    for (const sinceMs = performance.now(); performance.now() - sinceMs < 8; );
    read += 1;
    turns.enter(step);
    return 256;
  };
  // Takes some 40 ms, in which nothing happens here.
  const child = spawn(process.execPath, ["--eval", ""]);
  turns.enter(step);
  await turn();
  turns.leave(step);
  await once(child, "exit");
  read = 0;
  turns.enter(step);
  await turn();
  turns.leave(step);
  expect(read).toBeLessThan(3);
});

test("ReadingTurns has the others read on where a step throws", () => {
  vi.useFakeTimers({ toFake: ["setImmediate"] });
  onTestFinished(() => void vi.useRealTimers());
  const turns = new ReadingTurns(() => 0);
  let read = 0;
  turns.enter(() => {
    throw new Error("damaged");
  });
  turns.enter(() => {
    read += 1;
    return 0;
  });
  expect(() => vi.runOnlyPendingTimers()).toThrow("damaged");
  vi.runOnlyPendingTimers();
  expect(read).toBe(1);
});
