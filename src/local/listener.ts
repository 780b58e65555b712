import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Packet } from "../message/packet.ts";
import { Connection } from "./connection.ts";
import { type Credentials, createCredentials, type LoginDecision } from "./credentials.ts";
import { Dialogue } from "./dialogue.ts";
import { awaitConnect } from "./first-packet.ts";
import { parseListenAddress } from "./listen-address.ts";
import type { LocalOptions } from "./options.ts";
import type { Delivery } from "./outbox.ts";
import { Ports } from "./ports.ts";
import { Session } from "./session.ts";
import { clientCertificateOf, tlsOptionsOf } from "./tls-identity.ts";
import { defaultTuning, type Tuning } from "./tuning.ts";
import type { LocalClient, LocalKnown, LocalWiring } from "./wiring.ts";

export type { Registry } from "./registry-login.ts";
export type { Exchange, LocalClient, LocalKnown, LocalWiring, StrayPacket, Verdict } from "./wiring.ts";

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
  /** Ends the gateway's connection, if there is one; `disconnected` is called before it returns. */
  end(gateway: string, reason: string): void;
  /**
   * Gets ready for other options and other gateways: opens what addresses are new, reads keys and certificates. Nothing
   * changes before `commit`, and no connection ends by it: those that are open keep what they were let in with.
   *
   * @throws {DragomanError} As `openListener` does; nothing has changed then.
   */
  prepare(options: LocalOptions, known: LocalKnown): Promise<ListenerChange>;
  /** Ends all connections and resolves when nothing runs any more. */
  close(): Promise<void>;
}

/** Other options that are ready: taking them cannot fail any more. */
export interface ListenerChange {
  commit(): void;
  abort(): Promise<void>;
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
  const ending = { lingerMs: tuning.lingerMs, gone };
  let current = inForce(options, wiring);
  const connections = new Set<Connection>();
  const live = new Map<string, Connection>();
  let lastNumber = 0;

  const ports = new Ports({
    accept,
    objection: () =>
      ports.sockets.size >= current.options.maxConnections || closing !== undefined
        ? "too many connections"
        : undefined,
    refused: (reason, address) => wiring.refused?.(reason, address),
  });
  const { commit } = await ports.prepare(current.addresses, current.tls);
  commit();
  const sweeper = setInterval(endStuck, tuning.sweepMs).unref();
  let closing: Promise<void> | undefined;

  return {
    get urls() {
      return ports.urls;
    },
    async deliver(gateway, packet, { needsSubscription, connection }) {
      const target = live.get(gateway);
      if (target?.session === undefined || !target.isReady) return "offline";
      if (connection !== undefined && connection !== target.number) return "offline";
      return target.session.deliver(packet, needsSubscription);
    },
    revoke: (gateway, isRevoked) => live.get(gateway)?.session?.revoke(isRevoked),
    verifyDevice: (...token) => current.credentials.verifyDevice(...token),
    clients: () => [...live.values()].flatMap(({ isReady, session }) => (isReady && session ? [session.client] : [])),
    end: (gateway, reason) => live.get(gateway)?.end(administrativeAction, reason),
    async prepare(next, known) {
      const settings = inForce(next, known);
      const change = await ports.prepare(settings.addresses, settings.tls);
      return {
        commit() {
          change.commit();
          current = settings;
        },
        abort: () => change.abort(),
      };
    },
    close() {
      closing ??= close();
      return closing;
    },
  };

  /** The settings, and what all connections that begin under them share. */
  function inForce(options: LocalOptions, known: LocalKnown) {
    const settings = settingsOf(options, known, tuning.now);
    const { maxQos } = settings;
    return { ...settings, dialogue: { maxPacketBytes: options.maxPacketSize, maxQos, now: tuning.now, login, ready } };
  }

  function accept(socket: Socket): void {
    if (socket.destroyed) return;
    socket.setNoDelay(true);
    const connection = new Connection(socket, ++lastNumber, ending);
    connections.add(connection);
    awaitConnect(socket, current.options.connectTimeout, (heard) => {
      if (typeof heard === "string") {
        connection.reason ??= heard;
        socket.destroy();
        return;
      }
      new Dialogue(connection, heard, current.dialogue);
    });
  }

  async function login(connection: Connection): Promise<boolean> {
    const { greeting, socket } = connection;
    if (greeting === undefined) return false;
    const { protocol, clientId, username, password, receiveMaximum, maxPacketBytes } = greeting;
    const certificate =
      socket instanceof TLSSocket
        ? clientCertificateOf(socket, current.options.tls?.clientCa !== undefined, tuning.now())
        : undefined;
    let asked: Credentials;
    let decision: LoginDecision;
    do {
      asked = current.credentials;
      decision = await asked.authenticate({
        protocol,
        clientId,
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
        ...(certificate !== undefined && { certificate }),
      });
      // Other gateways may be known by now.
    } while (asked !== current.credentials);
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
      line: connection,
      tuning,
      ...(receiveMaximum !== undefined && { receiveMaximum }),
      ...(maxPacketBytes !== undefined && { maxPacketBytes }),
    });
    return true;
  }

  function ready(connection: Connection): void {
    connection.isReady = true;
    const { greeting, session } = connection;
    // It may have been ended while CONNACK was on its way, because its gateway is known no more.
    if (session === undefined || connection.isEnded) return;
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
      else if (connection.isReady && now - connection.heardMs > current.idleMs)
        connection.end(keepAliveTimeout, "idle");
    }
  }

  async function close(): Promise<void> {
    clearInterval(sweeper);
    const closed = ports.close();
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
      for (const socket of ports.sockets) socket.destroy();
    }, tuning.lingerMs);
    await closed;
    clearTimeout(timer);
  }
}

/** All that can change while it runs. */
function settingsOf(options: LocalOptions, { gateways, registry }: LocalKnown, now: () => number) {
  const addresses = options.listen.map(parseListenAddress);
  const secure = addresses.find((address) => address.secure);
  const asksForCertificate = gateways.some(({ local }) => local.certificate !== undefined);
  const { qos: maxQos = 2, idleMs = Number.POSITIVE_INFINITY } = registry?.rules ?? {};
  return {
    options,
    addresses,
    tls: secure === undefined ? undefined : tlsOptionsOf(options, secure.url, asksForCertificate),
    credentials: createCredentials(gateways, registry, now),
    maxQos,
    idleMs,
  };
}
