/** So many messages are read back in one turn of the event loop, all gateways together: a few milliseconds of work. */
const messagesPerTurn = 256;

/** Reads a step on, and says how many messages that were. */
type ReadStep = () => number;

/**
 * Lets gateways read their backlogs back in turn, a bounded number of messages in each turn of the event loop.
 *
 * What is read goes out, and is answered, before more is read: what comes meanwhile is not kept waiting, and of a long
 * backlog of many gateways little is in memory at a time.
 */
export class ReadingTurns {
  readonly #waiting = new Set<ReadStep>();
  #reading: NodeJS.Immediate | undefined;

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
    let messages = 0;
    // Who enters again from within its step is behind all that wait.
    for (const step of this.#waiting) {
      this.#waiting.delete(step);
      messages += step();
      if (messages >= messagesPerTurn) break;
    }
    if (this.#waiting.size > 0) this.#reading ??= setImmediate(() => this.#read());
  }
}
