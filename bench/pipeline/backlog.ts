import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSpool } from "../../src/spool/open-spool.ts";
import { startChild } from "./child.ts";
import { startDragoman } from "./dragoman.ts";
import type { Load, LoadResult } from "./load.ts";
import { closedPort } from "./port.ts";
import type { SinkCount, SinkQuestion } from "./sink.ts";

/** What `dragoman run` does with a backlog that waits when it starts. */
export interface BacklogFigure {
  readonly upstream: string;
  /** From the start of the process until gateways can connect. */
  readonly readyMs: number;
  /** The most memory that the process ever had. */
  readonly peakBytes: number;
  /** Messages per second that arrived upstream. */
  readonly drainedPerSecond: number;
  /** Of live messages meanwhile; absent where there were none. */
  readonly p99?: number;
}

const tokens = Array.from({ length: 20 }, (_, index) => `gateway-${index}`);
const atOnce = 5000;
/** Messages that gateways send meanwhile, per second over all of them. */
const liveRate = 200;
const liveMs = 10_000;
const drainMs = 20_000;

/** Fills a spool with so many messages and runs the program on copies of nothing: each run goes on where the last ended. */
export async function measureBacklog(
  messages: number,
  report: (figure: BacklogFigure) => void,
): Promise<readonly BacklogFigure[]> {
  const folder = mkdtempSync(join(fileURLToPath(new URL("../../", import.meta.url)), "backlog-"));
  try {
    const spoolDirectory = join(folder, "spool");
    await fill(spoolDirectory, messages);
    const figures: BacklogFigure[] = [];
    for (const upstream of ["down", "100 messages/s", "as fast as it goes"] as const) {
      const figure = await measureOne(spoolDirectory, upstream);
      report(figure);
      figures.push(figure);
    }
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As gateways would have left it, in seconds instead of minutes. */
async function fill(directory: string, messages: number): Promise<void> {
  const spool = await openSpool({ directory, maxBytes: 2 ** 30, whenFull: "refuse" });
  const values = { temperature: 21.5, humidity: 48, pressure: 1013.25, serial: 9007199254740993n.toString() };
  for (let done = 0; done < messages; done += atOnce) {
    const appends = Array.from({ length: Math.min(atOnce, messages - done) }, (_, more) => {
      const index = (done + more) % tokens.length;
      const payload = Buffer.from(
        JSON.stringify({ [`Device-${index}`]: [{ ts: 1_700_000_000_000 + done + more, values }] }),
      );
      const packet = { topic: "v1/gateway/telemetry", payload, qos: 1 } as const;
      const arrival = { packet, arrivedMs: Date.now(), dialect: "thingsboard", count: 1, priority: "data" } as const;
      return new Promise<void>((resolve, reject) => {
        spool
          .gateway(tokens[index] as string)
          .append(arrival, (error) => (error === undefined ? resolve() : reject(error)));
      });
    });
    await Promise.all(appends);
  }
  await spool.close();
}

async function measureOne(
  spoolDirectory: string,
  upstream: "down" | "100 messages/s" | "as fast as it goes",
): Promise<BacklogFigure> {
  const sink = await startChild("./sink.js");
  const generator = await startChild("./load.js");
  const { port } = (await sink.ask({ kind: "listen" } satisfies SinkQuestion)) as { port: number };
  const counted = async () => (await sink.ask({ kind: "count" } satisfies SinkQuestion)) as SinkCount;
  const bridge = await startDragoman({
    ...{ tokens, spoolDirectory, awaitUpstream: upstream !== "down" },
    upstreamPort: upstream === "down" ? await closedPort() : port,
    // Over all gateways.
    ...(upstream === "100 messages/s" ? { messagesPerSecond: 100 / tokens.length } : {}),
  });
  try {
    const before = await counted();
    const startedMs = performance.timeOrigin + performance.now();
    let live: LoadResult | undefined;
    if (upstream === "as fast as it goes") await new Promise((resolve) => setTimeout(resolve, drainMs));
    else {
      const load: Load = { port: bridge.port, tokens, pace: { rate: liveRate }, warmUpMs: 1000, durationMs: liveMs };
      live = (await generator.ask(load)) as LoadResult;
    }
    const after = await counted();
    const arrived = after.events - before.events;
    return {
      upstream,
      readyMs: bridge.readyMs,
      peakBytes: peakOf(bridge.pid),
      drainedPerSecond: arrived === 0 ? 0 : arrived / ((after.lastMs - startedMs) / 1000),
      ...(live?.p99 === undefined ? {} : { p99: live.p99 }),
    };
  } finally {
    await Promise.all([bridge.stop(), generator.stop(), sink.stop()]);
  }
}

/** Peak resident set of a process; NaN where the system does not say (not Linux). */
function peakOf(pid: number): number {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kibibytes) * 1024;
  } catch {
    return Number.NaN;
  }
}
