import { onTestFinished } from "vitest";
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
    let rest = "";
    try {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const blocks = `${rest}${chunk}`.split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) take(block);
      }
    } catch {
      // Ended by us or by the server.
    }
  }

  function take(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
    const event = { event: field("event"), data: JSON.parse(field("data")) as unknown };
    if (event.event === "trace") for (const line of event.data as TraceLine[]) lines.push(line);
    events.push(event);
  }
}
