import type { TraceLine } from "../message/trace.ts";

const flushMs = 200;
/** What may wait for a reader; beyond it lines are left out. */
const maxLines = 500;
const maxWaitingBytes = 1024 * 1024;
/** What may be under way to a reader before it counts as behind. */
const highWaterBytes = 64 * 1024;
/** A reader that takes nothing for so long is not there any more. */
const patienceMs = 30_000;

export interface EventStreamOptions {
  /** Ends the connection of a reader that does not read. */
  readonly cutOff: () => void;
  readonly now?: () => number;
}

/**
 * One answer of server-sent events (HTML Living Standard, 9.2). Never has more in memory than its bounds, however slow the
 * reader: of statuses the newest, of trace lines so many, and a count of the rest.
 */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #cutOff: () => void;
  readonly #now: () => number;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #status: string | undefined;
  #lines: string[] = [];
  #bytes = 0;
  #missed = 0;
  #blockedSinceMs: number | undefined;
  #onEnd: () => void = () => undefined;
  #hasEnded = false;
  readonly #timer: NodeJS.Timeout;

  constructor({ cutOff, now = Date.now }: EventStreamOptions) {
    this.#cutOff = cutOff;
    this.#now = now;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.end(),
      },
      { highWaterMark: highWaterBytes, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    this.#timer = setInterval(() => this.#flush(), flushMs).unref();
  }

  /** A status as JSON; a newer one takes the place of one that has not gone yet. */
  status(json: string): void {
    const isFirst = this.#status === undefined && this.#blockedSinceMs === undefined;
    this.#status = json;
    if (isFirst && this.#hasRoom) this.#flush();
  }

  line(line: TraceLine): void {
    const text = JSON.stringify(line);
    if (this.#lines.length >= maxLines || this.#bytes + text.length > maxWaitingBytes) {
      this.#missed += 1;
      return;
    }
    this.#lines.push(text);
    this.#bytes += text.length;
  }

  /** A line was not made for this reader. */
  missed(): void {
    this.#missed += 1;
  }

  onEnd(then: () => void): void {
    this.#onEnd = then;
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#timer);
    this.#lines = [];
    this.#status = undefined;
    try {
      this.#controller?.close();
    } catch {
      // The reader has gone, and the stream with it.
    }
    this.#onEnd();
  }

  get #hasRoom(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  #flush(): void {
    if (!this.#hasRoom) {
      this.#blockedSinceMs ??= this.#now();
      if (this.#now() - this.#blockedSinceMs < patienceMs) return;
      this.end();
      this.#cutOff();
      return;
    }
    this.#blockedSinceMs = undefined;
    let text = "";
    if (this.#status !== undefined) text += eventText("status", this.#status);
    if (this.#lines.length > 0) text += eventText("trace", `[${this.#lines.join(",")}]`);
    if (this.#missed > 0) text += eventText("missed", JSON.stringify({ count: this.#missed }));
    this.#status = undefined;
    this.#lines = [];
    this.#bytes = 0;
    this.#missed = 0;
    if (text !== "") this.#controller?.enqueue(Buffer.from(text));
  }
}

/** JSON has no line breaks of its own, so one `data` line holds it. */
function eventText(event: string, json: string): string {
  return `event: ${event}\ndata: ${json}\n\n`;
}
