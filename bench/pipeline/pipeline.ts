import { startChild } from "./child.ts";
import { startDragoman } from "./dragoman.ts";
import type { Load, LoadResult } from "./load.ts";
import { closedPort } from "./port.ts";
import type { SinkCount, SinkQuestion } from "./sink.ts";
import { cpuSecondsOf, type RunningSubject, type SubjectOptions, startBaseline } from "./subject.ts";

/** One bridge under one load. */
export interface PipelineFigure extends LoadResult {
  readonly subject: string;
  readonly upstream: "up" | "down";
  /** Readings that reached the sink and were sent while measuring, and how many per second did. A packet has one of each device. */
  readonly arrived: number;
  readonly arrivedPerSecond: number;
  /** From when a message was due to its arrival at the sink, milliseconds. */
  readonly e2eP50?: number;
  readonly e2eP99?: number;
  /** Processor time of the bridge per reading. */
  readonly cpuMicros: number;
  readonly note: string;
}

export type PipelineLoad = Pick<Load, "pace" | "warmUpMs" | "durationMs" | "devices">;

/** The measure of the others: it holds messages in memory only, so nothing it acknowledged survives it. */
export const baselineName = "aedes + MQTT.js, PUBACK from memory";

const subjects: Readonly<Record<string, (options: SubjectOptions) => Promise<RunningSubject>>> = {
  [baselineName]: (options) => startBaseline("received", options),
  "aedes + MQTT.js, PUBACK from plain file": (options) => startBaseline("disk", options),
  "aedes + MQTT.js, PUBACK from upstream": (options) => startBaseline("upstream", options),
  "dragoman run, PUBACK from disk": startDragoman,
};

const tokens = Array.from({ length: 20 }, (_, index) => `gateway-${index}`);
const arrivalPatienceMs = 15_000;

/** Runs the bridges whose name holds `only` under this load, one after the other, and calls `report` after each. */
export async function measurePipeline(
  upstream: "up" | "down",
  load: PipelineLoad,
  { only = "", report }: { readonly only?: string; readonly report: (figure: PipelineFigure) => void },
): Promise<readonly PipelineFigure[]> {
  const figures: PipelineFigure[] = [];
  for (const [subject, start] of Object.entries(subjects)) {
    if (!subject.includes(only)) continue;
    const figure = await measureOne(subject, start, upstream, load);
    report(figure);
    figures.push(figure);
  }
  return figures;
}

async function measureOne(
  subject: string,
  start: (options: SubjectOptions) => Promise<RunningSubject>,
  upstream: "up" | "down",
  load: PipelineLoad,
): Promise<PipelineFigure> {
  const sink = await startChild("./sink.js");
  const generator = await startChild("./load.js");
  let bridge: RunningSubject | undefined;
  try {
    const { port } = (await sink.ask({ kind: "listen" } satisfies SinkQuestion)) as { port: number };
    const upstreamPort = upstream === "up" ? port : await closedPort();
    bridge = await start({ tokens, upstreamPort, awaitUpstream: upstream === "up" });
    const cpuBefore = cpuSecondsOf(bridge.pid);
    const result = (await generator.ask({ ...load, port: bridge.port, tokens } satisfies Load)) as LoadResult;
    const { devices = 1 } = load;
    const total = (result.warmUp + result.sent) * devices;
    const arrival: SinkCount =
      upstream === "up" ? await awaitArrival(sink.ask, total, result.startedMs) : { events: 0, lastMs: Number.NaN };
    const arrived = Math.max(0, arrival.events - result.warmUp * devices);
    return {
      ...result,
      ...(arrival.e2eP50 === undefined ? {} : { e2eP50: arrival.e2eP50 }),
      ...(arrival.e2eP99 === undefined ? {} : { e2eP99: arrival.e2eP99 }),
      subject,
      upstream,
      arrived,
      arrivedPerSecond: arrived / ((arrival.lastMs - result.startedMs) / 1000),
      cpuMicros: ((cpuSecondsOf(bridge.pid) - cpuBefore) * 1e6) / total,
      note: await bridge.note(),
    };
  } finally {
    await Promise.all([bridge?.stop(), generator.stop(), sink.stop()]);
  }
}

/** Waits until the sink has everything, or nothing more comes. */
async function awaitArrival(
  ask: (question: object) => Promise<unknown>,
  total: number,
  sinceMs: number,
): Promise<SinkCount> {
  const deadline = performance.now() + arrivalPatienceMs;
  for (;;) {
    const count = (await ask({ kind: "count" } satisfies SinkQuestion)) as SinkCount;
    if (count.events >= total || performance.now() > deadline) {
      return (await ask({ kind: "count", sinceMs } satisfies SinkQuestion)) as SinkCount;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
