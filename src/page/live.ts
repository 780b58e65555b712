import type { BridgeStatus } from "../message/status.ts";
import type { TraceLine } from "../message/trace.ts";
import { ask, TokenWanted } from "./api.ts";
import { readEvents } from "./event-stream.ts";

/** What comes in on the stream of events. */
export interface LiveHandlers {
  readonly status: (status: BridgeStatus) => void;
  readonly trace: (lines: readonly TraceLine[]) => void;
  /** So many packets passed that are not shown. */
  readonly missed: (count: number) => void;
  /** Whether news come in; false from when the stream breaks until it is back. */
  readonly connected: (isConnected: boolean) => void;
  /** The server's clock, less this machine's. */
  readonly clockOffset: (offsetMs: number) => void;
}

const firstRetryMs = 1_000;
const maxRetryMs = 10_000;
/** The server says something every ten seconds at least; a stream that is silent for longer is dead. */
const silenceMs = 30_000;

/**
 * Follows the server's events until the returned function is called, across restarts of the bridge. One stream, and only
 * while the page is seen: browsers allow six connections to one server over all tabs.
 *
 * @param query Asks for more than the status: `?trace=1&gateway=gw-01`.
 */
export function followEvents(query: string, handlers: LiveHandlers): () => void {
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let retryMs = firstRetryMs;
  const restart = () => {
    const last = current;
    current = undefined;
    last?.abort();
    clearTimeout(timer);
    if (document.visibilityState === "hidden") return;
    current = new AbortController();
    void follow(current);
  };
  document.addEventListener("visibilitychange", restart);
  restart();
  return () => {
    document.removeEventListener("visibilitychange", restart);
    const last = current;
    current = undefined;
    last?.abort();
    clearTimeout(timer);
  };

  async function follow(own: AbortController): Promise<void> {
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => own.abort(), silenceMs);
    };
    try {
      alive();
      const { body, ok, headers } = await ask(`events${query}`, { signal: own.signal });
      if (!ok || body === null) throw new Error("no stream");
      const serverMs = Date.parse(headers.get("date") ?? "");
      if (!Number.isNaN(serverMs)) handlers.clockOffset(serverMs - Date.now());
      for await (const { event, data } of readEvents(body)) {
        alive();
        if (own !== current) return;
        retryMs = firstRetryMs;
        handlers.connected(true);
        take(event, data);
      }
    } catch (error) {
      // The page asks for it, and follows anew.
      if (error instanceof TokenWanted) return;
    } finally {
      clearTimeout(watchdog);
    }
    if (own !== current) return;
    handlers.connected(false);
    timer = setTimeout(restart, retryMs);
    retryMs = Math.min(maxRetryMs, retryMs * 2);
  }

  function take(event: string, data: string): void {
    if (event === "status") handlers.status(JSON.parse(data) as BridgeStatus);
    else if (event === "trace") handlers.trace(JSON.parse(data) as TraceLine[]);
    else if (event === "missed") handlers.missed((JSON.parse(data) as { readonly count: number }).count);
  }
}
