import { setImmediate as nextTurn } from "node:timers/promises";
import { Counter, Gauge, Registry } from "prom-client";
import type { Histogram, Latency } from "../message/latency.ts";
import type { BridgeStatus } from "../message/status.ts";
import { type Family, families, type Sample } from "./metric-families.ts";
import { processMetrics } from "./process-metrics.ts";

/** Prometheus text exposition format 0.0.4. */
export const metricsContentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** The histograms, by the member of `Latency` they show. */
export const histograms: Readonly<Record<keyof Latency, { readonly name: string; readonly help: string }>> = {
  puback: {
    name: "dragoman_puback_duration_seconds",
    help: "From the arrival of a gateway's packet until its PUBACK may go, over all gateways.",
  },
  delivery: {
    name: "dragoman_delivery_duration_seconds",
    help: "From the arrival of a message until the cloud has acknowledged it, over all gateways.",
  },
};

/**
 * Prints what `/metrics` answers: the status as Prometheus metrics, how long things took, then the figures of the process.
 *
 * Everything is made anew for each scrape, so a gateway that is gone from the configuration leaves no series. The figures
 * are taken in one turn, so that they add up; printing them, most of a second with 10,000 gateways, lets other work in.
 */
export async function renderMetrics(status: BridgeStatus, latency?: Latency): Promise<string> {
  const texts: string[] = [];
  const taken = families.map((family) => ({ family, samples: [...family.samples(status)] }));
  for (const { family, samples } of taken) {
    texts.push(await textOf(family, samples));
    await nextTurn();
  }
  if (latency !== undefined) {
    for (const kind of ["puback", "delivery"] as const) texts.push(histogramText(kind, latency[kind]));
  }
  texts.push(await processMetrics());
  return texts.join("\n");
}

function textOf({ name, help, kind, labels }: Family, samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  const options = { name, help, labelNames: labels, registers: [registry] };
  if (kind === "gauge") {
    const gauge = new Gauge(options);
    for (const [values, value] of samples) gauge.set(values, value);
  } else {
    const counter = new Counter(options);
    for (const [values, value] of samples) counter.inc(values, value);
  }
  return registry.metrics();
}

/** By hand, because the histograms of prom-client take no counts that were made elsewhere. */
function histogramText(kind: keyof Latency, { bounds, counts, sum }: Histogram): string {
  const { name, help } = histograms[kind];
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  let total = 0;
  for (const [place, count] of counts.entries()) {
    total += count;
    lines.push(`${name}_bucket{le="${bounds[place] ?? "+Inf"}"} ${total}`);
  }
  return `${[...lines, `${name}_sum ${sum}`, `${name}_count ${total}`].join("\n")}\n`;
}
