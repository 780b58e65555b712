/** So many messages may be read back in any turn of the event loop, all gateways together: of small ones a few milliseconds of work. */
const messagesPerTurn = 256;
/** After this no other step is begun, milliseconds: of large messages few are much work. */
const longestMs = 20;

/** Reads a step on, and says how many messages that were. */
type ReadStep = () => number;

/**
 * Lets gateways read their backlogs back in turn, in each turn of the event loop so many messages, or for as long as the loop
 * had other things to do since the last time: else what comes would leave no time for what waits.
 *
 * What is read goes out, and is answered, before more is read: what comes meanwhile is not kept waiting, and of a long
 * backlog of many gateways little is in memory at a time.
 */
export class ReadingTurns {
  readonly #waiting = new Set<ReadStep>();
  #reading: NodeJS.Immediate | undefined;
  readonly #now: () => number;
  #endedMs: number;

  /** @param now Milliseconds for which the event loop has been busy. */
  constructor(now: () => number = () => performance.eventLoopUtilization().active) {
    this.#now = now;
    this.#endedMs = now();
  }

  /** Has the step done when it is its turn, once however often it is asked for. */
  enter(step: ReadStep): void {
    this.#waiting.add(step);
    this.#reading ??= setImmediate(() => this.#read());
  }

  /** The step is not to be done any more. */
  leave(step: ReadStep): void {
    this.#waiting.delete(step);
  }

  #read(): void {
    this.#reading = undefined;
    const startedMs = this.#now();
    const fairMs = Math.min(longestMs, startedMs - this.#endedMs);
    let messages = 0;
    try {
      // Who enters again from within its step is behind all that wait.
      for (const step of this.#waiting) {
        this.#waiting.delete(step);
        messages += step();
        const tookMs = this.#now() - startedMs;
        if (tookMs >= longestMs || (messages >= messagesPerTurn && tookMs >= fairMs)) break;
      }
    } finally {
      // Damage that one of them found must not keep the others waiting where the process goes on.
      this.#endedMs = this.#now();
      if (this.#waiting.size > 0) this.#reading ??= setImmediate(() => this.#read());
    }
  }
}
