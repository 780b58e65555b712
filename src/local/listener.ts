import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import type { Packet } from "../message/packet.ts";
import { Connection } from "./connection.ts";
import { createCredentials } from "./credentials.ts";
import { Dialogue, type DialogueOptions } from "./dialogue.ts";
import { awaitConnect } from "./first-packet.ts";
import { type ListenAddress, listenOn, parseListenAddress } from "./listen-address.ts";
import type { LocalOptions } from "./options.ts";
import type { Delivery } from "./outbox.ts";
import { Session } from "./session.ts";
import { clientCertificateOf, tlsOptionsOf } from "./tls-identity.ts";
import { defaultTuning, type Tuning } from "./tuning.ts";
import type { LocalClient, LocalWiring } from "./wiring.ts";

export type { Registry } from "./registry-login.ts";
export type { LocalClient, LocalWiring, StrayPacket, Verdict } from "./wiring.ts";

export interface LocalListener {
  /** Where it listens, with real ports, in the order of the options. */
  readonly urls: readonly string[];
  /**
   * Sends a packet to the gateway, if it is connected: on the given connection or on any.
   *
   * QoS is the lower of the packet's and the subscription's; without a subscription it is 1, or, with
   * `needsSubscription`, nothing is sent: `unsubscribed`. `acknowledged`: PUBACK came. `written`: QoS 0, on its way.
   * `offline`: no connection, or it ended first. `rejected`: the client refused it or does not take packets this large.
   */
  deliver(
    gateway: string,
    packet: Packet,
    options: { readonly needsSubscription: boolean; readonly connection?: number },
  ): Promise<Delivery>;
  /** Takes subscriptions of the gateway's connection back. */
  revoke(gateway: string, isRevoked: (filter: string) => boolean): void;
  /** Checks the token of a device behind a gateway. Resolves with why it is worth nothing, or with nothing. */
  verifyDevice(gateway: string, device: string, token: string): Promise<string | undefined>;
  clients(): readonly LocalClient[];
  /** Ends all connections and resolves when nothing runs any more. */
  close(): Promise<void>;
}

/** MQTT 5 reason codes (2.4). */
const keepAliveTimeout = 0x8d;
const serverShuttingDown = 0x8b;
const sessionTakenOver = 0x8e;
const administrativeAction = 0x98;
const maximumConnectTime = 0xa0;

/**
 * Opens the MQTT server that gateways connect to.
 *
 * A gateway is who its credentials say, never who its client id or a topic says. A new connection of a gateway takes over
 * from its old one; connections of different gateways never meet.
 *
 * @throws {DragomanError} `ERR_LISTEN` when an address cannot be had (then none is open), `ERR_CONFIG_INVALID` and
 *   `ERR_KEY_INVALID` for credentials that cannot be used.
 */
export async function openListener(
  options: LocalOptions,
  wiring: LocalWiring,
  tuned: Partial<Tuning> = {},
): Promise<LocalListener> {
  const tuning = { ...defaultTuning, ...tuned };
  const { authenticate, verifyDevice } = createCredentials(wiring.gateways, wiring.registry, tuning.now);
  const { qos: maxQos = 2, idleMs = Number.POSITIVE_INFINITY } = wiring.registry?.rules ?? {};
  const asksForCertificate = wiring.gateways.some(({ local }) => local.certificate !== undefined);
  const sockets = new Set<Socket>();
  const connections = new Set<Connection>();
  const live = new Map<string, Connection>();
  let lastNumber = 0;

  const dialogue: DialogueOptions = {
    maxPacketBytes: options.maxPacketSize,
    maxQos,
    now: tuning.now,
    login,
    ready,
  };
  const servers: Server[] = [];
  const urls: string[] = [];
  try {
    for (const address of options.listen.map(parseListenAddress)) {
      const server = createServer(address);
      urls.push(await listenOn(server, address));
      servers.push(server);
    }
  } catch (error) {
    await Promise.all(servers.map(closeServer));
    throw error;
  }
  const sweeper = setInterval(endStuck, tuning.sweepMs).unref();
  let closing: Promise<void> | undefined;

  return {
    urls,
    async deliver(gateway, packet, { needsSubscription, connection }) {
      const target = live.get(gateway);
      if (target?.session === undefined || !target.isReady) return "offline";
      if (connection !== undefined && connection !== target.number) return "offline";
      return target.session.deliver(packet, needsSubscription);
    },
    revoke: (gateway, isRevoked) => live.get(gateway)?.session?.revoke(isRevoked),
    verifyDevice,
    clients: () => [...live.values()].flatMap(({ isReady, session }) => (isReady && session ? [session.client] : [])),
    close() {
      closing ??= close();
      return closing;
    },
  };

  function createServer(address: ListenAddress): Server {
    const server = address.secure
      ? createTlsServer(tlsOptionsOf(options, address.url, asksForCertificate), accept)
      : createTcpServer(accept);
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      wiring.refused?.(`TLS: ${error.message}`, socket.remoteAddress ?? "unknown");
      // Node leaves it open after a handshake that takes too long.
      socket.destroy();
    });
    return server.on("connection", (socket: Socket) => {
      if (sockets.size >= options.maxConnections || closing !== undefined) {
        wiring.refused?.("too many connections", socket.remoteAddress ?? "unknown");
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
  }

  function accept(socket: Socket): void {
    if (socket.destroyed) return;
    socket.setNoDelay(true);
    const connection = new Connection(socket, ++lastNumber, { lingerMs: tuning.lingerMs, gone });
    connections.add(connection);
    awaitConnect(socket, options.connectTimeout, (heard) => {
      if (typeof heard === "string") {
        connection.reason ??= heard;
        socket.destroy();
      } else new Dialogue(connection, heard, dialogue);
    });
  }

  async function login(connection: Connection): Promise<boolean> {
    const { greeting, socket } = connection;
    if (greeting === undefined) return false;
    const { protocol, clientId, username, password, receiveMaximum, maxPacketBytes } = greeting;
    const certificate =
      socket instanceof TLSSocket
        ? clientCertificateOf(socket, options.tls?.clientCa !== undefined, tuning.now())
        : undefined;
    const decision = await authenticate({
      protocol,
      clientId,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(certificate !== undefined && { certificate }),
    });
    if (connection.isEnded) return false;
    if (decision.kind === "refused") {
      connection.refuse(decision.reason, decision.connack);
      return false;
    }
    const { gateway, name = gateway, endsAtMs } = decision;
    if (endsAtMs !== undefined) connection.endIn(endsAtMs - tuning.now(), maximumConnectTime, "token-expired");
    live.get(gateway)?.end(sessionTakenOver, "takeover");
    live.set(gateway, connection);
    connection.session = new Session({
      client: { gateway, name, connection: connection.number, protocol },
      wiring,
      wire: connection.wire,
      tuning,
      ...(receiveMaximum !== undefined && { receiveMaximum }),
      ...(maxPacketBytes !== undefined && { maxPacketBytes }),
      end: (code, reason) => connection.end(code, reason),
    });
    return true;
  }

  function ready(connection: Connection): void {
    connection.isReady = true;
    const { greeting, session } = connection;
    if (session === undefined) return;
    wiring.connected(session.client);
    if (greeting?.hasWill) session.warn("will-ignored");
  }

  function gone(connection: Connection): void {
    connections.delete(connection);
    const { session, reason = "lost" } = connection;
    if (session === undefined) {
      if (reason !== "lost") wiring.refused?.(reason, connection.address);
      return;
    }
    if (live.get(session.client.gateway) === connection) live.delete(session.client.gateway);
    if (connection.isReady) wiring.disconnected(session.client, reason);
  }

  function endStuck(): void {
    const now = tuning.now();
    for (const connection of live.values()) {
      const oldest = connection.session?.outbox.oldestSentMs ?? now;
      const patience = Math.max(tuning.acknowledgeWithinMs, 1500 * (connection.greeting?.keepalive ?? 0));
      if (now - oldest > patience) connection.end(administrativeAction, "does not acknowledge");
      else if (connection.isReady && now - connection.heardMs > idleMs) connection.end(keepAliveTimeout, "idle");
    }
  }

  async function close(): Promise<void> {
    clearInterval(sweeper);
    const closed = servers.map(closeServer);
    for (const connection of connections) {
      if (!connection.isReady) connection.socket.destroy();
      else {
        connection.reason ??= "shutdown";
        // What has come is on its way to the disk: it is answered first, or it would have to be sent again.
        connection.session?.inbox.reject(serverShuttingDown);
      }
    }
    // Handshakes that are not finished, whoever does not hang up, and whoever waits for a disk that does not answer.
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, tuning.lingerMs);
    await Promise.all(closed);
    clearTimeout(timer);
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
