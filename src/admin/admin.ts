import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { DragomanError } from "../errors.ts";
import { type AdminSource, createApp } from "./app.ts";
import { Live } from "./live.ts";
import type { AdminOptions } from "./options.ts";

export type { AdminSource } from "./app.ts";

/** The running admin server. */
export interface Admin {
  /** Where it answers, with the real port. */
  readonly url: string;
  /** Stops listening at once, lets running answers finish for a moment, and resolves when no connection is left. */
  close(): Promise<void>;
}

/** Nobody who only reads needs more. All are far above what Prometheus, a probe or a browser send. */
const maxHeaderBytes = 16 * 1024;
const requestTimeoutMs = 10_000;
const timeoutCheckMs = 1_000;
const keepAliveTimeoutMs = 15_000;
const maxConnections = 256;
const closeGraceMs = 1_000;

/**
 * Serves health, metrics and status over HTTP, and repair of the spool.
 *
 * @throws {DragomanError} `ERR_ADMIN` when the address cannot be listened on.
 */
export async function openAdmin(options: AdminOptions, source: AdminSource): Promise<Admin> {
  const listen = new URL(options.listen);
  const token = options.token;
  const live = new Live(source);
  const app = createApp({ hostname: listen.hostname, ...(token === undefined ? {} : { token }) }, source, live);
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: timeoutCheckMs,
    },
    getRequestListener(app.fetch, { overrideGlobalObjects: false }),
  );
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.maxConnections = maxConnections;
  await startListening(server, listen).catch((error: unknown) => {
    live.close();
    throw error;
  });
  // One connection that cannot be accepted (out of descriptors) must not end the bridge.
  server.on("error", () => {});

  let closing: Promise<void> | undefined;
  return {
    url: `http://${listen.hostname}:${(server.address() as AddressInfo).port}`,
    close() {
      live.close();
      closing ??= stop(server);
      return closing;
    },
  };
}

function startListening(server: Server, listen: URL): Promise<void> {
  const host = listen.hostname.replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(new DragomanError("ERR_ADMIN", `Cannot serve admin on "${listen.origin}": ${whyNot(cause)}`, { cause })),
    );
    server.listen({ host, port: Number(listen.port || 80), exclusive: true }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function whyNot(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return 'the port is in use, perhaps by another dragoman; "admin.listen" sets another, or "admin: false" none';
    case "EACCES":
      return "this user may not listen on that port, wanted one above 1023";
    case "EADDRNOTAVAIL":
      return "this machine does not have that address";
    case "ENOTFOUND":
      return "the host name cannot be resolved";
    default:
      return error.code ?? error.message;
  }
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const grace = setTimeout(() => server.closeAllConnections(), closeGraceMs);
    // Also ends idle keep-alive connections (Node 19 and later).
    server.close(() => {
      clearTimeout(grace);
      resolve();
    });
  });
}
