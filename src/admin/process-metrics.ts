import { collectDefaultMetrics, Registry } from "prom-client";

let registry: Registry | undefined;

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
  }
  return registry.metrics();
}
