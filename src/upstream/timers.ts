import { performance } from "node:perf_hooks";

/** How the connection measures and awaits time; tests hold their own. */
export interface Timers {
  /** Milliseconds since some moment, never set back: unlike a machine's clock. */
  elapsedMs(): number;
  /** Runs `run` once after `delayMs` unless what it returns is called before. */
  after(delayMs: number, run: () => void): () => void;
}

/** The machine's own timers. */
export const systemTimers: Timers = {
  elapsedMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(0, Math.ceil(delayMs)), 0x7fffffff));
    return () => clearTimeout(timer);
  },
};
