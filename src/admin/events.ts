import type { Context } from "hono";
import type { BridgeStatus } from "../message/status.ts";
import type { TraceFilter, TraceSource } from "../message/trace.ts";
import { EventStream } from "./event-stream.ts";
import { StatusTicker } from "./status-ticker.ts";

/** Each costs a status per second. */
const maxStreams = 16;

const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  // Nothing comes behind it, and a server that ends waits for no idle connection.
  connection: "close",
  // A proxy that collects answers would hold events back.
  "x-accel-buffering": "no",
};

export interface EventsSource {
  status(): BridgeStatus;
  readonly trace?: TraceSource;
}

/** What a reader of `/events` asks for. */
export interface EventsQuestion {
  /** Absent: no trace. */
  readonly trace?: TraceFilter;
}

/**
 * The readers of `/events`: the status at once and as it changes, and the trace if asked for.
 *
 * A reader that does not keep up misses trace lines and is told how many; one that does not read at all is cut off.
 */
export class Events {
  readonly #source: EventsSource;
  readonly #ticker: StatusTicker;
  readonly #streams = new Set<EventStream>();

  constructor(source: EventsSource) {
    this.#source = source;
    this.#ticker = new StatusTicker(() => source.status());
  }

  /** How many are reading. */
  get size(): number {
    return this.#streams.size;
  }

  answer(context: Context, { trace }: EventsQuestion): Response {
    // Its body would be read by nobody, and end by nobody.
    if (context.req.method === "HEAD") return context.body(null, 200, headers);
    if (this.#streams.size >= maxStreams) {
      return context.json({ error: `wanted at most ${maxStreams} readers of events at a time` }, 503);
    }
    const stream = new EventStream({ cutOff: () => socketOf(context)?.destroy() });
    this.#streams.add(stream);
    const endStatus = this.#ticker.listen((status) => stream.status(status));
    const endTrace =
      trace === undefined
        ? undefined
        : this.#source.trace?.listen(trace, { line: (line) => stream.line(line), missed: () => stream.missed() });
    stream.onEnd(() => {
      endStatus();
      endTrace?.();
      this.#streams.delete(stream);
    });
    return context.body(stream.body, 200, headers);
  }

  /** Ends all streams. */
  close(): void {
    for (const stream of [...this.#streams]) stream.end();
    this.#ticker.close();
  }
}

interface Bindings {
  readonly incoming?: { readonly socket: { destroy(): void } };
}

function socketOf({ env }: Context): { destroy(): void } | undefined {
  return (env as Bindings | undefined)?.incoming?.socket;
}
