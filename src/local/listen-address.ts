import type { AddressInfo, Server } from "node:net";
import { DragomanError } from "../errors.ts";

/** Where to listen, read from an `mqtt://` or `mqtts://` URL. */
export interface ListenAddress {
  readonly url: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
}

/**
 * Reads a listen URL. The port left out is 1883, with TLS 8883; port 0 takes any free one.
 *
 * @throws {DragomanError} `ERR_LISTEN` when it is not an MQTT URL with a host.
 */
export function parseListenAddress(url: string): ListenAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const secure = parsed?.protocol === "mqtts:";
  if (parsed === undefined || (!secure && parsed.protocol !== "mqtt:") || parsed.hostname === "") {
    throw new DragomanError("ERR_LISTEN", `Cannot listen on "${url}": not an address, wanted mqtt://HOST:PORT`);
  }
  const port = parsed.port === "" ? (secure ? 8883 : 1883) : Number(parsed.port);
  return { url, secure, host: parsed.hostname.replace(/^\[|\]$/g, ""), port };
}

/**
 * Opens the server's port and returns the URL it is really reached at.
 *
 * @throws {DragomanError} `ERR_LISTEN` when the port cannot be had, with what to do about it.
 */
export function listenOn(server: Server, address: ListenAddress): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const state = explain(cause);
      reject(new DragomanError("ERR_LISTEN", `Cannot listen on "${address.url}": ${state}`, { cause }));
    };
    server.once("error", failed);
    server.listen({ host: address.host, port: address.port }, () => {
      server.off("error", failed);
      // A server that listens reports what goes wrong when it accepts (too many open files); it goes on by itself.
      server.on("error", () => {});
      const bound: AddressInfo | string | null = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
      const host = address.host.includes(":") ? `[${address.host}]` : address.host;
      resolve(`${address.secure ? "mqtts" : "mqtt"}://${host}:${port}`);
    });
  });
}

function explain(cause: NodeJS.ErrnoException): string {
  switch (cause.code) {
    case "EADDRINUSE":
      return "port is taken by another program, wanted a free one; stop that program or set another port in local.listen";
    case "EACCES":
      return "port is not allowed to this user, wanted one above 1023; set another port in local.listen";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "host is not an address of this machine, wanted one; set another host in local.listen";
    default:
      return cause.message;
  }
}
