import { type EventLoopUtilization, performance } from "node:perf_hooks";

/** How long a look at the event loop counts, milliseconds. */
const lookMs = 10;

/** After so long it says nothing of the present, milliseconds. */
const staleMs = 1000;

/** The share of its time that counts as all. */
const full = 0.95;

/** Whether the event loop has more to do than it has time: then what one gateway gets another does not. */
export class EventLoopLoad {
  #since: EventLoopUtilization = performance.eventLoopUtilization();
  #lookedMs = performance.now();
  #isFull = false;

  /** Since the last look, if that is not long ago: whoever wants to know asks again and again. */
  get isFull(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs < lookMs) return this.#isFull;
    const now = performance.eventLoopUtilization();
    const isRecent = nowMs - this.#lookedMs < staleMs;
    this.#isFull = isRecent && performance.eventLoopUtilization(now, this.#since).utilization >= full;
    this.#since = now;
    this.#lookedMs = nowMs;
    return this.#isFull;
  }
}
