import { useEffect, useRef, useState } from "preact/hooks";
import type { BridgeStatus } from "../message/status.ts";
import { followEvents } from "./live.ts";
import { type TraceLog, traceLog } from "./trace-log.ts";

/** What is known of the bridge at the moment. */
export interface Live {
  readonly status: BridgeStatus | undefined;
  readonly isConnected: boolean;
  /** The server's time, Unix milliseconds. */
  readonly nowMs: number;
  readonly trace: TraceLog;
}

/** Clocks this close are taken to be the same: the server tells its time in whole seconds. */
const smallOffsetMs = 3_000;
/** Packets are drawn together, so that those who pass by the thousand leave time for a click. */
const drawEveryMs = 300;

/**
 * Follows the bridge.
 *
 * @param query What to ask for besides the status; a change begins a new stream.
 * @param attempt Raised to try again at once.
 */
export function useLive(query: string, attempt: number): Live {
  const [status, setStatus] = useState<BridgeStatus>();
  const [isConnected, setConnected] = useState(true);
  const [offsetMs, setOffset] = useState(0);
  const [now, setNow] = useState(Date.now);
  const [, redraw] = useState(0);
  const trace = useRef(traceLog()).current;
  const drawing = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const drawSoon = () => {
    drawing.current ??= setTimeout(() => {
      drawing.current = undefined;
      redraw((times) => times + 1);
    }, drawEveryMs);
  };
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  useEffect(
    () =>
      followEvents(query, {
        status: setStatus,
        connected: setConnected,
        clockOffset: (offset) => setOffset(Math.abs(offset) < smallOffsetMs ? 0 : offset),
        trace(lines) {
          trace.add(lines);
          drawSoon();
        },
        missed(count) {
          trace.miss(count);
          drawSoon();
        },
      }),
    [query, attempt],
  );
  return { status, isConnected, nowMs: now + offsetMs, trace };
}
