import { Aedes, type Client, type ConnectPacket, type PublishPacket } from "aedes";
import type { ISubscribePacket } from "mqtt-packet";
import type { Connection } from "./connection.ts";
import type { RefusalCodes } from "./credentials.ts";
import { createForgetfulPersistence, nowhere } from "./forgetful-persistence.ts";
import { inDisguise, screen } from "./screen.ts";
import type { Wish } from "./session.ts";

export interface BrokerOptions {
  readonly connectTimeoutMs: number;
  readonly maxPacketBytes: number;
  /** The highest QoS of a PUBLISH; a higher one closes the connection. */
  readonly maxQos: 1 | 2;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Decides on a client that sent CONNECT. `false`: it was refused and has its answer. */
  readonly login: (connection: Connection, username?: string, password?: Uint8Array) => Promise<boolean>;
  /** CONNACK was sent. */
  readonly ready: (connection: Connection) => void;
}

export interface Broker {
  /** Serves a socket whose next bytes are a CONNECT packet. */
  serve(connection: Connection): void;
  close(): Promise<void>;
}

/** A PUBLISH, or a SUBSCRIBE or UNSUBSCRIBE in its clothes. */
interface Passing extends PublishPacket {
  /** aedes 2.0.0-beta.1: neither acknowledge nor route, the packet was dealt with. */
  _notAuthorized?: boolean;
  subscriptions?: ISubscribePacket["subscriptions"];
  unsubscriptions?: string[];
}

/**
 * The MQTT protocol, by aedes, with everything left out that makes it a broker.
 *
 * aedes reads CONNECT, negotiates, keeps the keep-alive and answers pings. A PUBLISH, SUBSCRIBE or UNSUBSCRIBE passes
 * through `authorizePublish`, in order and after CONNACK, and ends there in our own session: nothing is routed,
 * queued, retained or given to other clients, because aedes is left with no subscription and no packet to route.
 *
 * All packets of a chunk pass before the first is acknowledged; the next chunk is read when all of them are.
 */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const connections = new Map<Client, Connection>();
  const aedes = await Aedes.createBroker({
    mq: nowhere,
    persistence: createForgetfulPersistence(connections),
    connectTimeout: options.connectTimeoutMs,
    // What a client may send before CONNACK; as many as ThingsBoard queues.
    queueLimit: 100,
    preConnect(client, packet, done) {
      const connection = connections.get(client);
      if (connection !== undefined) greet(connection, packet);
      done(null, connection !== undefined);
    },
    authenticate(client, username, password, done) {
      const connection = connections.get(client);
      if (connection === undefined) return;
      options.login(connection, username, password).then(
        (accepted) => accepted && done(null, true),
        () => connection.refuse("login failed", serverUnavailable),
      );
    },
    authorizePublish(client, packet: Passing, done) {
      const session = client === null ? undefined : connections.get(client)?.session;
      if (session === undefined) return;
      const { messageId = 0, subscriptions, unsubscriptions } = packet;
      const { topic, payload, qos, retain } = packet;
      // Should a later aedes not know the flag, a packet of QoS 0 is neither acknowledged nor kept either.
      packet._notAuthorized = true;
      packet.qos = 0;
      packet.retain = false;
      if (subscriptions !== undefined) {
        session.subscribe(messageId, subscriptions.map(wishOf), identifierOf(packet));
        done();
      } else if (unsubscriptions !== undefined) {
        session.unsubscribe(messageId, unsubscriptions);
        done();
      } else if (topic === inDisguise) {
        session.inbox.reject(malformedPacket);
      } else if (qos > options.maxQos) {
        session.inbox.reject(qosNotSupported);
      } else {
        if (retain) session.warn("retain-ignored");
        const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
        session.inbox.accept({ packet: { topic, payload: bytes, qos }, messageId, done });
      }
    },
    authorizeForward: () => null,
  });
  aedes.on("connackSent", (_packet, client) => {
    const connection = connections.get(client);
    if (connection?.session !== undefined && !connection.isEnded) options.ready(connection);
  });
  aedes.on("keepaliveTimeout", (client) => blame(connections.get(client), "keepalive"));
  aedes.on("clientError", (client, error) => blame(connections.get(client), error.message));
  aedes.on("connectionError", (client, error) => blame(connections.get(client), error.message));
  aedes.addListener("error", () => {});

  return {
    serve(connection) {
      const client = aedes.handle(connection.socket);
      connections.set(client, connection);
      connection.socket.once("close", () => connections.delete(client));
      screen(client, connection, options);
    },
    close: () => new Promise((resolve) => aedes.close(() => resolve())),
  };
}

/** MQTT 5 reason code (2.4). */
const malformedPacket = 0x81;
const qosNotSupported = 0x9b;
const serverUnavailable: RefusalCodes = { v3: 3, v5: 0x88 };

/**
 * Notes what the client said, and turns its CONNECT into one that leaves nothing behind.
 *
 * aedes takes over by client id and remembers sessions and wills by it; here a client id means nothing of the kind, so
 * every connection gets one of its own and is clean. Session present is therefore always 0: a client that is told that
 * its subscriptions are still there, as ThingsBoard tells it, may not subscribe again (MQTT.js does not).
 */
function greet(connection: Connection, packet: ConnectPacket): void {
  const { properties } = packet;
  connection.greeting = {
    protocol: packet.protocolVersion ?? 4,
    clientId: packet.clientId,
    keepalive: packet.keepalive ?? 0,
    hasWill: packet.will !== undefined,
    ...(properties?.receiveMaximum !== undefined && { receiveMaximum: properties.receiveMaximum }),
    ...(properties?.maximumPacketSize !== undefined && { maxPacketBytes: properties.maximumPacketSize }),
  };
  // An empty id of MQTT 5 stays: aedes makes a unique one and tells the client.
  if (packet.clientId !== "" || packet.protocolVersion !== 5) packet.clientId = `${connection.number}`;
  packet.clean = true;
  if (properties?.sessionExpiryInterval !== undefined) properties.sessionExpiryInterval = 0;
  Reflect.deleteProperty(packet, "will");
}

function wishOf({ topic, qos }: ISubscribePacket["subscriptions"][number]): Wish {
  return { filter: topic, qos };
}

function identifierOf({ properties }: Passing): number | undefined {
  const identifier = properties?.subscriptionIdentifier;
  return typeof identifier === "number" ? identifier : undefined;
}

function blame(connection: Connection | undefined, reason: string): void {
  if (connection !== undefined) connection.reason ??= reason;
}
