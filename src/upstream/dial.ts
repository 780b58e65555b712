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
  drained(): void;
  /** The socket ended, for whatever reason; called once. `undefined`: the other side closed it in good order. */
  closed(failure: Failure | undefined): void;
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
export function dial(options: DialOptions, handlers: DialHandlers): Dialed {
  return new Dialed(options, handlers);
}

/** A socket on its way or open. */
export class Dialed {
  readonly socket: Socket;
  /** What it waits for. */
  stage: Stage = "connection";
  #failure: Failure | undefined;

  constructor({ address, tls = {} }: DialOptions, handlers: DialHandlers) {
    const { host, port, isTls } = address;
    const socket = isTls ? connectTls({ host, port, ...tlsOptions(tls, host) }) : connect({ host, port });
    this.socket = socket;
    socket.setNoDelay(true);
    socket.once("connect", () => {
      this.stage = isTls ? "TLS handshake" : "CONNACK";
      if (!isTls) handlers.connected();
    });
    if (isTls) {
      socket.once("secureConnect", () => {
        this.stage = "CONNACK";
        handlers.connected();
      });
    }
    socket.on("data", (chunk) => handlers.data(chunk));
    socket.on("drain", () => handlers.drained());
    socket.on("error", (error) => {
      this.#failure ??= socketFailure(error, this.stage);
    });
    socket.on("close", () => handlers.closed(this.#failure));
  }
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
