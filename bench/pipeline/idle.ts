import { startChild } from "./child.ts";
import { startDragoman } from "./dragoman.ts";
import type { IdleLoad } from "./idle-load.ts";
import type { SinkQuestion } from "./sink.ts";
import { cpuSecondsOf, type RunningSubject, residentBytesOf, startBaseline } from "./subject.ts";

/** What a gateway costs that is connected and says nothing, with its connection upstream. */
export interface IdleFigure {
  readonly subject: string;
  readonly gateways: number;
  /** Resident memory per gateway, over what the process has without any. */
  readonly bytesPerGateway: number;
  /** Share of one core. */
  readonly cpuShare: number;
}

const idleMs = 10_000;
const subjects = { "aedes + MQTT.js": startIdleBaseline, "dragoman run": startDragoman } as const;
export const idleBaselineName = "aedes + MQTT.js";

/** Connects so many gateways to one bridge after the other, with a keep-alive of 60 s, and lets them be. */
export async function measureIdle(
  gateways: number,
  report: (figure: IdleFigure) => void,
): Promise<readonly IdleFigure[]> {
  const figures: IdleFigure[] = [];
  for (const [subject, start] of Object.entries(subjects)) {
    const one = await measureOne(start, 1);
    const all = await measureOne(start, gateways);
    const figure = {
      ...{ subject, gateways, cpuShare: all.cpuShare },
      bytesPerGateway: (all.bytes - one.bytes) / (gateways - 1),
    };
    report(figure);
    figures.push(figure);
  }
  return figures;
}

type Start = (typeof subjects)[keyof typeof subjects];

async function measureOne(start: Start, gateways: number): Promise<{ bytes: number; cpuShare: number }> {
  const tokens = Array.from({ length: gateways }, (_, index) => `gateway-${index}`);
  const sink = await startChild("./sink.js");
  const load = await startChild("./idle-load.js");
  let bridge: RunningSubject | undefined;
  try {
    const { port } = (await sink.ask({ kind: "listen" } satisfies SinkQuestion)) as { port: number };
    bridge = await start({ tokens, upstreamPort: port, awaitUpstream: true });
    await load.ask({ port: bridge.port, tokens } satisfies IdleLoad);
    // What connecting left behind may be collected.
    await pause(idleMs / 2);
    const before = cpuSecondsOf(bridge.pid);
    await pause(idleMs);
    return { bytes: residentBytesOf(bridge.pid), cpuShare: (cpuSecondsOf(bridge.pid) - before) / (idleMs / 1000) };
  } finally {
    await Promise.all([bridge?.stop(), load.stop(), sink.stop()]);
  }
}

function startIdleBaseline(options: Parameters<typeof startDragoman>[0]): Promise<RunningSubject> {
  return startBaseline("received", options);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
