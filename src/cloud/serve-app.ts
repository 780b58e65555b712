import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { DragomanError } from "../errors.ts";

/** Where an app listens, with the real port, and how to stop it. */
export interface Served {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/**
 * Serves an app on `http://host:port`; port 0 takes a free one.
 *
 * @throws {DragomanError} `ERR_LISTEN`.
 */
export async function serveApp(app: Hono, url: string): Promise<Served> {
  const failed = (state: string, cause?: unknown) =>
    new DragomanError("ERR_LISTEN", `Cannot listen on "${url}": ${state}`, cause === undefined ? undefined : { cause });
  const listen = URL.canParse(url) ? new URL(url) : undefined;
  if (listen?.protocol !== "http:") throw failed("not a URL of the form http://HOST:PORT");
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(failed(error.code === "EADDRINUSE" ? "port is taken" : error.message, error)),
    );
    server.listen(Number(listen.port || 80), listen.hostname.replace(/^\[|\]$/g, ""), resolve);
  });
  return {
    url: `http://${listen.hostname}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whether a page of another site asks: a browser names the page's origin with every request that could change something. */
export function isForeignPage(context: Context): boolean {
  const origin = context.req.header("origin");
  return origin !== undefined && origin !== new URL(context.req.url).origin;
}

/** The levels of the path, escaped as they came. */
export function segmentsOf(context: Context): string[] {
  return new URL(context.req.url).pathname.split("/").slice(1);
}

/** What a level says; as it is where its escapes are no escapes. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The body of a request; `undefined` if it is longer than `maxBytes`, of which no more is read then. */
export async function readBody(context: Context, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(context.req.header("content-length") ?? 0) > maxBytes) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of context.req.raw.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
