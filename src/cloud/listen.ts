import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { DragomanError } from "../errors.ts";

/** Certificate (with its chain) and private key, PEM. */
export interface CloudTls {
  readonly certificate: string;
  readonly key: string;
  /** Clients are asked for a certificate; whoever has none, or one of unknown origin, is let in all the same. */
  readonly asksForCertificate?: boolean;
}

const maxConnections = 10_000;

/**
 * Opens a server on `mqtt://host:port` or `mqtts://host:port`; port 0 takes a free one.
 *
 * @returns The URL with the real port, and how to stop listening.
 * @throws {DragomanError} `ERR_LISTEN`.
 */
export async function listenOn(
  url: string,
  tls: CloudTls | undefined,
  onSocket: (socket: Socket) => void,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const failed = (state: string, cause?: unknown) =>
    new DragomanError("ERR_LISTEN", `Cannot listen on "${url}": ${state}`, cause === undefined ? undefined : { cause });
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^mqtts?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw failed("not a URL of the form mqtt://HOST:PORT or mqtts://HOST:PORT");
  }
  const isTls = parsed.protocol === "mqtts:";
  let server: Server;
  if (!isTls) server = createServer(onSocket);
  else if (tls === undefined) throw failed("mqtts needs a certificate and a key");
  else {
    try {
      const asking = tls.asksForCertificate === true ? { requestCert: true, rejectUnauthorized: false } : {};
      server = createTlsServer({ cert: tls.certificate, key: tls.key, minVersion: "TLSv1.2", ...asking }, onSocket);
    } catch (error) {
      throw failed(`certificate or key cannot be used (${(error as Error).message})`, error);
    }
    server.on("tlsClientError", (_error, socket) => socket.destroy());
  }
  server.maxConnections = maxConnections;

  const port = parsed.port === "" ? (isTls ? 8883 : 1883) : Number(parsed.port);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(failed(error.code === "EADDRINUSE" ? "port is taken" : error.message, error)),
    );
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const realPort = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `${parsed.protocol}//${parsed.hostname}:${realPort}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
