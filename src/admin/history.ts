import type { Ledger } from "../message/fate.ts";

/** The ledger's sums at one moment; `received`, `delivered` and `dropped` only ever grow. */
export interface HistoryPoint {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly received: number;
  readonly delivered: number;
  readonly pending: number;
  readonly held: number;
  readonly quarantined: number;
  readonly dropped: number;
}

/** What `/history` answers, oldest first. */
export interface HistoryDocument {
  /** From one point to the next, unless the process was stopped in between. */
  readonly stepMs: number;
  readonly points: readonly HistoryPoint[];
}

const fine = { stepMs: 1_000, points: 300 };
const coarse = { stepMs: 10_000, points: 360 };

/** The ledger over time, in memory: a point per second for five minutes, one per ten seconds for an hour. */
export class History {
  readonly #ledger: () => Ledger;
  readonly #now: () => number;
  readonly #fine: HistoryPoint[] = [];
  readonly #coarse: HistoryPoint[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(ledger: () => Ledger, now: () => number = Date.now) {
    this.#ledger = ledger;
    this.#now = now;
    this.note();
    this.#timer = setInterval(() => this.note(), fine.stepMs).unref();
  }

  /** Adds a point; once a second. Of a moment whose ledger cannot be had there is none. */
  note(): void {
    const point = this.#point();
    if (point === undefined) return;
    add(this.#fine, point, fine.points);
    const last = this.#coarse.at(-1);
    if (last === undefined || point.atMs - last.atMs >= coarse.stepMs) add(this.#coarse, point, coarse.points);
  }

  /** The last so many seconds; more than five minutes come in steps of ten seconds. */
  document(seconds: number): HistoryDocument {
    const isFine = seconds * 1000 <= fine.stepMs * fine.points;
    const fromMs = this.#now() - seconds * 1000;
    const points = (isFine ? this.#fine : this.#coarse).filter(({ atMs }) => atMs >= fromMs);
    return { stepMs: isFine ? fine.stepMs : coarse.stepMs, points };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #point(): HistoryPoint | undefined {
    try {
      return pointOf(this.#ledger(), this.#now());
    } catch {
      return undefined;
    }
  }
}

function add(points: HistoryPoint[], point: HistoryPoint, bound: number): void {
  points.push(point);
  if (points.length > bound) points.shift();
}

function pointOf({ received, delivered, pending, held, quarantined, dropped }: Ledger, atMs: number): HistoryPoint {
  const sum = Object.values(dropped).reduce((total, count) => total + count, 0);
  return { atMs, received, delivered, pending, held, quarantined, dropped: sum };
}
