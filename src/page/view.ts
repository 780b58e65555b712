import type { BridgeStatus } from "../message/status.ts";
import type { Route } from "./route.ts";
import type { Live } from "./use-live.ts";

/** What every view is given. */
export interface ViewProps {
  readonly route: Route;
  readonly live: Live;
  readonly status: BridgeStatus;
  readonly trace: TraceControl;
}

/** Which packets are traced, if any. */
export interface TraceControl {
  readonly isPaused: boolean;
  readonly onPause: (isPaused: boolean) => void;
  readonly filter: TraceFilter;
}

export interface TraceFilter {
  readonly gateway: string;
  readonly device: string;
  readonly kind: string;
}

export function traceFilterOf({ query }: Route): TraceFilter {
  const named = (name: keyof TraceFilter) => query.get(name) ?? "";
  return { gateway: named("gateway"), device: named("device"), kind: named("kind") };
}
