/**
 * How long something took, counted in fixed buckets: one increment per observation and nothing allocated, so it may stand
 * on the path of every message. `counts` has one place more than `bounds`, for what took longer than the last.
 */
export class Histogram {
  /** Upper bounds in seconds, rising; a value that equals one belongs below it. */
  readonly bounds: readonly number[];
  readonly counts: number[];
  /** Seconds. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array<number>(bounds.length + 1).fill(0);
  }

  /** A clock that was set back must not make a sum fall: less than nothing counts as nothing. */
  observeMs(ms: number): void {
    const seconds = ms > 0 ? ms / 1000 : 0;
    const { bounds, counts } = this;
    let place = 0;
    while (place < bounds.length && seconds > (bounds[place] as number)) place++;
    counts[place] = (counts[place] as number) + 1;
    this.sum += seconds;
  }
}

/** The two times that a gateway's operator asks for, over all gateways: per gateway they would be too many series. */
export interface Latency {
  /** From a packet's arrival to the moment its PUBACK may go. Those that get none are not in it. */
  readonly puback: Histogram;
  /** From a message's arrival to its fate `delivered`, time in the spool included. */
  readonly delivery: Histogram;
}

const pubackBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Up to a day: an outage is part of it. */
const deliveryBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400];

export function createLatency(): Latency {
  return { puback: new Histogram(pubackBounds), delivery: new Histogram(deliveryBounds) };
}
