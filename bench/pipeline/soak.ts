import { median } from "../timing.ts";
import { startChild } from "./child.ts";
import { startDragoman } from "./dragoman.ts";
import type { Load, LoadResult } from "./load.ts";
import type { SinkCount, SinkQuestion } from "./sink.ts";
import { type RunningSubject, residentBytesOf } from "./subject.ts";

/** What becomes of the memory of `dragoman run` under a load that it can stand. */
export interface SoakFigure {
  readonly sent: number;
  readonly acknowledged: number;
  readonly arrived: number;
  /** Medians of the second quarter of the time, when it has warmed up, and of the last. */
  readonly earlyBytes: number;
  readonly lateBytes: number;
  readonly note: string;
}

const tokens = Array.from({ length: 20 }, (_, index) => `gateway-${index}`);
const arrivalMs = 3000;

/** Sends so many messages per second for so long, and looks at the memory every second. */
export async function measureSoak(rate: number, seconds: number): Promise<SoakFigure> {
  const sink = await startChild("./sink.js");
  const generator = await startChild("./load.js");
  let bridge: RunningSubject | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const { port } = (await sink.ask({ kind: "listen" } satisfies SinkQuestion)) as { port: number };
    const running = await startDragoman({ tokens, upstreamPort: port, awaitUpstream: true });
    bridge = running;
    const samples: number[] = [];
    timer = setInterval(() => samples.push(residentBytesOf(running.pid)), 1000);
    const load: Load = { port: bridge.port, tokens, pace: { rate }, warmUpMs: 0, durationMs: seconds * 1000 };
    const { sent, acknowledged } = (await generator.ask(load)) as LoadResult;
    clearInterval(timer);
    await new Promise((resolve) => setTimeout(resolve, arrivalMs));
    const { events } = (await sink.ask({ kind: "count" } satisfies SinkQuestion)) as SinkCount;
    const quarter = Math.floor(samples.length / 4);
    return {
      ...{ sent, acknowledged, arrived: events },
      earlyBytes: median(samples.slice(quarter, 2 * quarter)),
      lateBytes: median(samples.slice(-quarter)),
      note: await bridge.note(),
    };
  } finally {
    clearInterval(timer);
    await Promise.all([bridge?.stop(), generator.stop(), sink.stop()]);
  }
}
