import { collectDefaultMetrics, Registry } from "prom-client";

let registry: Registry | undefined;

/** Gauges that are named like counters, which Prometheus' linter objects to; without `_total` there is one by type. */
const misnamed = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

/**
 * Figures of this process: CPU, memory, file descriptors, garbage collection, event loop delay, under the names that
 * prom-client gives them everywhere.
 *
 * One registry for the whole process, made when first asked for: its observers can not be taken down again, so one for
 * each server would leak.
 */
export function processMetrics(): Promise<string> {
  if (registry === undefined) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
    for (const name of misnamed) registry.removeSingleMetric(name);
  }
  return registry.metrics();
}
