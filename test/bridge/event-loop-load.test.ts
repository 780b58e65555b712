import { expect, test, vi } from "vitest";
import { EventLoopLoad } from "../../src/bridge/event-loop-load.ts";

test("EventLoopLoad tells whether the event loop is left with nothing to wait for", async () => {
  const load = new EventLoopLoad();
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(load.isFull).toBe(false);
  const until = performance.now() + 50;
  while (performance.now() < until && !load.isFull);
  expect(load.isFull).toBe(true);
  await vi.waitFor(() => expect(load.isFull).toBe(false), { timeout: 60_000 });
});
