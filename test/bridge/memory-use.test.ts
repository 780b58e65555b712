import { expect, test } from "vitest";
import { MemoryUse } from "../../src/bridge/memory-use.ts";

test("bytes counts a record from its first message to the last fate of them", () => {
  const memory = new MemoryUse();
  memory.add(1, 2, { bytes: 100, arrivedMs: 5 });
  memory.add(2, 1, { bytes: 50, arrivedMs: 5 });
  expect(memory.bytes).toBe(150);
  memory.settled(1);
  expect(memory.bytes).toBe(150);
  memory.settled(1);
  expect(memory.bytes).toBe(50);
  memory.settled(2);
  expect(memory.bytes).toBe(0);
});

test("bytes counts a record once, however often messages of it are handed over", () => {
  const memory = new MemoryUse();
  memory.add(7, 1, { bytes: 100, arrivedMs: 5 });
  memory.add(7, 1, { bytes: 100, arrivedMs: 5 });
  memory.settled(7);
  expect(memory.bytes).toBe(100);
  memory.settled(7);
  expect(memory.bytes).toBe(0);
});

test("bytes takes no notice of records without open messages, or never handed over", () => {
  const memory = new MemoryUse();
  memory.add(1, 0, { bytes: 100, arrivedMs: 5 });
  memory.settled(1);
  memory.settled(9);
  expect(memory.bytes).toBe(0);
});
