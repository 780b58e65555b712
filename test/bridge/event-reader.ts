import { onTestFinished } from "vitest";
import { serverEvents } from "../../src/cli/server-events.ts";
import type { TraceLine } from "../../src/message/trace.ts";
import { createFeed, type Feed } from "./feed.ts";

/** One server-sent event, its data parsed. */
export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

export interface EventReader {
  readonly response: Response;
  readonly events: Feed<ServerEvent>;
  /** The lines of all `trace` events. */
  readonly lines: Feed<TraceLine>;
  close(): void;
}

/** Reads `/events` as a page does, until the test ends. */
export async function readEvents(
  admin: string,
  query = "",
  headers: Readonly<Record<string, string>> = {},
): Promise<EventReader> {
  const stopped = new AbortController();
  onTestFinished(() => stopped.abort());
  const response = await fetch(`${admin}/events${query}`, { headers, signal: stopped.signal });
  const events = createFeed<ServerEvent>();
  const lines = createFeed<TraceLine>();
  void read();
  return { response, events, lines, close: () => stopped.abort() };

  async function read(): Promise<void> {
    if (response.body === null) return;
    try {
      for await (const { event, data } of serverEvents(response.body)) {
        const parsed: unknown = JSON.parse(data);
        if (event === "trace") for (const line of parsed as TraceLine[]) lines.push(line);
        events.push({ event, data: parsed });
      }
    } catch {
      // Ended by us or by the server.
    }
  }
}
