import { expect, test, vi } from "vitest";
import { EventLoopLoad } from "../../src/bridge/event-loop-load.ts";

test("EventLoopLoad tells whether the event loop is left with nothing to wait for", async () => {
  const load = new EventLoopLoad();
  const calm = () => vi.waitFor(() => expect(load.isFull).toBe(false), { timeout: 60_000 });
  await calm();
  const until = performance.now() + 1000;
  while (performance.now() < until && !load.isFull);
  expect(load.isFull).toBe(true);
  await calm();
});
