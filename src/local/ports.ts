import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import type { DragomanError } from "../errors.ts";
import { type ListenAddress, listenOn } from "./listen-address.ts";

/** A client without a keep-alive that loses its power would be connected for ever: so the operating system asks. */
const probeAfterMs = 60_000;

export interface PortsHandlers {
  /** A connection, its TLS handshake done where it has one. */
  readonly accept: (socket: Socket) => void;
  /** Why one more cannot be taken now. */
  readonly objection: () => string | undefined;
  /** `reason` holds no secret. */
  readonly refused: (reason: string, address: string) => void;
}

/** Another set of addresses that is ready: taking it cannot fail any more. */
export interface PortsChange {
  commit(): void;
  /** Puts everything back. */
  abort(): Promise<void>;
}

interface Port {
  readonly address: ListenAddress;
  readonly server: Server;
  /** With the real port. */
  readonly url: string;
}

/**
 * The addresses that are listened on. They and their TLS can change while connections are open: those stay, whatever they
 * came through.
 */
export class Ports {
  readonly sockets = new Set<Socket>();
  readonly #handlers: PortsHandlers;
  readonly #closed: Promise<void>[] = [];
  readonly #forget: (this: Socket) => void;
  #ports: readonly Port[] = [];
  #tls: TlsServer | undefined;

  constructor(handlers: PortsHandlers) {
    this.#handlers = handlers;
    const { sockets } = this;
    this.#forget = function () {
      sockets.delete(this);
    };
  }

  /** In the order in which they were asked for. */
  get urls(): readonly string[] {
    return this.#ports.map(({ url }) => url);
  }

  /**
   * Opens what is not open yet. Until `commit` the old addresses are open too, save one whose port a new one needs.
   *
   * @param tls For all `mqtts://` addresses.
   * @throws {DragomanError} `ERR_LISTEN` when one cannot be had; nothing has changed then.
   */
  async prepare(addresses: readonly ListenAddress[], tls: TlsOptions | undefined): Promise<PortsChange> {
    const secure = tls === undefined ? undefined : this.#createTls(tls);
    const known = addresses.map((address) => this.#ports.find((port) => isFor(port, address)));
    const leaving = this.#ports.filter((port) => !known.includes(port));
    const inTheWay = new Set<Port>();
    const opened: Port[] = [];
    const abort = async () => {
      for (const port of opened) this.#shut(port);
      for (const port of inTheWay) {
        const reopened = await this.#open({ ...port.address, port: portOf(port) });
        this.#ports = this.#ports.map((one) => (one === port ? reopened : one));
      }
    };
    const next: Port[] = [];
    try {
      for (const [index, address] of addresses.entries()) {
        const port = known[index] ?? (await this.#openInPlace(address, leaving, inTheWay));
        if (known[index] === undefined) opened.push(port);
        next.push(port);
      }
    } catch (error) {
      await abort();
      throw error;
    }
    return {
      commit: () => {
        for (const port of leaving) if (!inTheWay.has(port)) this.#shut(port);
        this.#ports = next;
        this.#tls = secure;
      },
      abort,
    };
  }

  /** Takes no more connections; resolves when those that there are have gone. */
  async close(): Promise<void> {
    for (const port of this.#ports) this.#shut(port);
    await Promise.all(this.#closed);
  }

  async #openInPlace(address: ListenAddress, leaving: readonly Port[], inTheWay: Set<Port>): Promise<Port> {
    try {
      return await this.#open(address);
    } catch (error) {
      const cause = (error as DragomanError).cause as NodeJS.ErrnoException | undefined;
      const blocking = leaving.find((port) => portOf(port) === address.port && !inTheWay.has(port));
      if (cause?.code !== "EADDRINUSE" || blocking === undefined) throw error;
      inTheWay.add(blocking);
      this.#shut(blocking);
      return this.#open(address);
    }
  }

  async #open(address: ListenAddress): Promise<Port> {
    const server = createTcpServer({ keepAlive: true, keepAliveInitialDelay: probeAfterMs }, (socket) => {
      const { objection, accept, refused } = this.#handlers;
      const reason = objection();
      if (reason !== undefined) {
        refused(reason, socket.remoteAddress ?? "unknown");
        socket.destroy();
        return;
      }
      this.sockets.add(socket);
      socket.on("close", this.#forget);
      if (address.secure) this.#tls?.emit("connection", socket);
      else accept(socket);
    });
    return { address, server, url: await listenOn(server, address) };
  }

  #shut({ server }: Port): void {
    this.#closed.push(closed(server));
  }

  /** It does the handshakes, for whichever address a connection came through; it listens nowhere itself. */
  #createTls(options: TlsOptions): TlsServer {
    const server = createTlsServer(options, this.#handlers.accept);
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#handlers.refused(`TLS: ${error.message}`, socket.remoteAddress ?? "unknown");
      // Node leaves it open after a handshake that takes too long.
      socket.destroy();
    });
    return server;
  }
}

function isFor({ address, url }: Port, wanted: ListenAddress): boolean {
  return address.url === wanted.url || url === wanted.url;
}

function portOf({ url }: Port): number {
  return Number(new URL(url).port);
}

/** Stops listening at once; resolves with the last connection. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
