import type { LogControl } from "../message/log.ts";
import type { TraceFilter, TraceLine, TraceSource } from "../message/trace.ts";

/** Packets that are logged one by one until a moment, Unix milliseconds. */
export interface Followed extends TraceFilter {
  readonly untilMs: number;
}

/** More filters than this at once are a mistake. */
const maxFollowed = 16;

/**
 * Writes the packets of a device, or of what else a filter says, to the log for a while, whatever its level. Only what they
 * are is logged, never what they hold: `dragoman tail` shows that, masked, and keeps nothing.
 */
export class PacketLog {
  readonly #log: LogControl;
  readonly #trace: TraceSource;
  readonly #ends = new Map<Followed, () => void>();

  constructor(log: LogControl, trace: TraceSource) {
    this.#log = log;
    this.#trace = trace;
  }

  get followed(): readonly Followed[] {
    return [...this.#ends.keys()];
  }

  /** Whether there was room for one more. */
  follow(filter: TraceFilter, forMs: number): boolean {
    if (this.#ends.size >= maxFollowed) return false;
    const one = { ...filter, untilMs: Date.now() + forMs };
    let missed = 0;
    const stop = this.#trace.listen(filter, {
      line: (line) => {
        this.#log.insist({ ...fieldsOf(line), ...(missed > 0 ? { missed } : {}) }, "packet");
        missed = 0;
      },
      missed: () => {
        missed += 1;
      },
    });
    const timer = setTimeout(() => this.#ends.get(one)?.(), forMs).unref();
    this.#ends.set(one, () => {
      this.#ends.delete(one);
      clearTimeout(timer);
      stop();
    });
    return true;
  }

  close(): void {
    for (const end of this.#ends.values()) end();
  }
}

function fieldsOf({ gateway, side, direction, topic, bytes, qos, rule, messages, records, unread }: TraceLine): object {
  return {
    ...{ gateway, side, direction, topic, bytes, qos },
    ...(rule === undefined ? {} : { rule: `${rule.file}:${rule.line}` }),
    messages: messages.map(({ kind, device }) => (device === undefined ? kind : `${kind} ${device}`)),
    ...(records === undefined ? {} : { records }),
    ...(unread === undefined ? {} : { unread: unread.reason }),
  };
}
