import { createInterface } from "node:readline";
import type { OrderResult } from "./cloud-order.ts";
import type { Io } from "./io.ts";
import type { openLog } from "./log.ts";

/** A stand-in cloud that is open, and how it is given orders. */
export interface StandIn {
  readonly cloud: { readonly urls: readonly string[]; readonly close: () => Promise<void> };
  /** What the log says of it when it is ready, beside its addresses. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Where to take orders over HTTP. */
  readonly http?: string;
  readonly serveHttp: (url: string) => Promise<{ readonly url: string; readonly close: () => Promise<void> }>;
  /** Does what one line on stdin asks for. */
  readonly runOrder: (line: string) => OrderResult | Promise<OrderResult>;
}

/** Runs a stand-in cloud until a signal comes, then closes it. */
export async function runStandIn(
  { cloud, ready, http: httpUrl, serveHttp, runOrder }: StandIn,
  { log, io }: { readonly log: ReturnType<typeof openLog>; readonly io: Io },
): Promise<void> {
  const orders = createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const stops: (() => void)[] = [];
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) stops.push(io.onSignal(signal, resolve));
  });
  let http: Awaited<ReturnType<StandIn["serveHttp"]>> | undefined;
  try {
    if (httpUrl !== undefined) http = await serveHttp(httpUrl);
    const run = async (line: string) => {
      const { level, fields, event } = await runOrder(line);
      log[level](fields, event);
    };
    orders.on("line", (line) => {
      if (line.trim() !== "") void run(line);
    });
    log.info({ listen: cloud.urls, http: http?.url, ...ready }, "ready");
    await stopped;
  } finally {
    orders.close();
    await http?.close();
    await cloud.close();
    for (const stop of stops) stop();
  }
  io.exitCode = 0;
}
