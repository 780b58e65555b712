import type { LogEvent, LogLevel } from "../message/log.ts";

/** One line of the log before it is written. */
export interface Line {
  readonly level: LogLevel;
  readonly event: LogEvent;
  readonly fields: object;
}

/** Lines of one event and gateway. */
interface Streak {
  /** How many may still pass. */
  left: number;
  suppressed: number;
  last: Line | undefined;
}

/** The first so many of an event and gateway pass, then one in each interval, until one passes without any. */
const burst = 10;
const intervalMs = 10_000;

/**
 * Lets the first lines of an event and gateway through, and of those that keep coming one per interval, with the count
 * that it stands for as `repeated`: a gateway that sends nonsense a thousand times a second must fill no disk. What is about
 * the program itself always passes.
 */
export class Repeats {
  readonly #write: (line: Line) => void;
  readonly #streaks = new Map<string, Streak>();
  readonly #suppressed: Partial<Record<LogEvent, number>> = {};
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (line: Line) => void) {
    this.#write = write;
  }

  /** Lines that were not written since the start, by event; those that `repeated` tells of included. */
  get suppressed(): Readonly<Partial<Record<LogEvent, number>>> {
    return this.#suppressed;
  }

  take(line: Line): void {
    const { event, fields } = line;
    const about = aboutWhom(fields);
    if (about === undefined) {
      this.#write(line);
      return;
    }
    const key = `${event} ${about}`;
    const streak = this.#streaks.get(key) ?? this.#begin(key);
    if (streak.left > 0) {
      streak.left -= 1;
      this.#write(line);
      return;
    }
    streak.suppressed += 1;
    streak.last = line;
    this.#suppressed[event] = (this.#suppressed[event] ?? 0) + 1;
  }

  /** Writes what is due: the last line of each streak that goes on, for all of them. */
  flush(): void {
    for (const [key, streak] of this.#streaks) {
      const { last, suppressed } = streak;
      if (last === undefined) {
        this.#streaks.delete(key);
        continue;
      }
      streak.suppressed = 0;
      streak.last = undefined;
      this.#write({ ...last, fields: { ...last.fields, repeated: suppressed } });
    }
    if (this.#streaks.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #begin(key: string): Streak {
    const streak: Streak = { left: burst, suppressed: 0, last: undefined };
    this.#streaks.set(key, streak);
    this.#timer ??= setInterval(() => this.flush(), intervalMs).unref();
    return streak;
  }
}

/** The gateway, or one name for all who would be one. */
function aboutWhom(fields: object): string | undefined {
  if ("gateway" in fields) return String(fields.gateway);
  return "address" in fields ? "" : undefined;
}
