import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Secret } from "../message/secret.ts";
import { type Failure, type Stage, socketFailure } from "./failure.ts";

/** How the server's certificate is checked, and ours, where it asks for one. All in PEM. */
export interface UpstreamTls {
  /** What the server's certificate must be signed by, instead of the public authorities. */
  readonly ca?: string;
  /** Our certificate, followed by its intermediates, and its key. */
  readonly certificate?: string;
  readonly key?: Secret;
  /** The name asked for (SNI) and checked, where it is not the one in the URL. */
  readonly serverName?: string;
}

export interface DialHandlers {
  connected(): void;
  data(chunk: Buffer): void;
  drain(): void;
  /** The socket ended, for whatever reason; called once. `undefined`: the other side closed it in good order. */
  ended(failure: Failure | undefined): void;
}

/** A socket on its way or open. `stage` is what it waits for. */
export interface Dialed {
  readonly socket: Socket;
  readonly stage: Stage;
}

/** Where to connect. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/**
 * Reads an `mqtt://` or `mqtts://` URL; their ports are 1883 and 8883.
 *
 * @throws {TypeError} when it is neither.
 */
export function parseAddress(text: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "mqtt:" && url?.protocol !== "mqtts:") {
    throw new TypeError(`Cannot connect to "${text}": wanted an mqtt:// or mqtts:// URL`);
  }
  const isTls = url.protocol === "mqtts:";
  const port = url.port === "" ? (isTls ? 8883 : 1883) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port, isTls };
}

/**
 * Connects: TLS 1.2 or newer, always with SNI for a host that has a name (vendors' MQTT bridge pages), small packets sent at once.
 *
 * @throws {Error} when the certificates or the key cannot be used.
 */
export function dial({ address, tls = {} }: DialOptions, handlers: DialHandlers): Dialed {
  const { host, port, isTls } = address;
  let stage: Stage = "connection";
  let failure: Failure | undefined;
  const socket = isTls ? connectTls({ host, port, ...tlsOptions(tls, host) }) : connect({ host, port });
  socket.setNoDelay(true);
  socket.on("connect", () => {
    stage = isTls ? "TLS handshake" : "CONNACK";
    if (!isTls) handlers.connected();
  });
  socket.on("secureConnect", () => {
    stage = "CONNACK";
    handlers.connected();
  });
  socket.on("data", handlers.data);
  socket.on("drain", handlers.drain);
  socket.on("error", (error) => {
    failure ??= socketFailure(error, stage);
  });
  socket.on("close", () => handlers.ended(failure));
  return {
    socket,
    get stage() {
      return stage;
    },
  };
}

export interface DialOptions {
  readonly address: Address;
  readonly tls?: UpstreamTls | undefined;
}

function tlsOptions({ ca, certificate, key, serverName }: UpstreamTls, host: string) {
  const name = serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    minVersion: "TLSv1.2" as const,
    ...(name === undefined ? {} : { servername: name }),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key: key.reveal() }),
  };
}
