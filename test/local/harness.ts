import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { generate, type IConnectPacket, type Packet as MqttPacket, parser } from "mqtt-packet";
import type { KnownGateway } from "../../src/local/credentials.ts";
import {
  type LocalClient,
  type LocalListener,
  type LocalWiring,
  openListener,
  type Verdict,
} from "../../src/local/listener.ts";
import type { GatewayLocalOptions, LocalOptions } from "../../src/local/options.ts";
import type { Tuning } from "../../src/local/tuning.ts";
import type { Packet } from "../../src/message/packet.ts";
import { Secret } from "../../src/message/secret.ts";

/** What the listener told its wiring, in order. */
export type Told =
  | { readonly kind: "connected"; readonly client: LocalClient }
  | { readonly kind: "disconnected"; readonly client: LocalClient; readonly reason: string }
  | { readonly kind: "subscribed"; readonly client: LocalClient; readonly filters: readonly unknown[] }
  | {
      readonly kind: "published";
      readonly client: LocalClient;
      readonly topic: string;
      readonly text: string;
      readonly qos: number;
    }
  | { readonly kind: "refused"; readonly reason: string };

export interface Harness {
  readonly listener: LocalListener;
  readonly url: string;
  readonly port: number;
  readonly told: readonly Told[];
  /** Resolves with the first thing told, from the beginning, that fits. */
  heard<Kind extends Told["kind"]>(
    kind: Kind,
    fits?: (told: Extract<Told, { kind: Kind }>) => boolean,
  ): Promise<Extract<Told, { kind: Kind }>>;
}

const filters = new Map<string, 0 | 1>([
  ["v1/gateway/attributes", 1],
  ["v1/gateway/rpc", 1],
  ["v1/devices/me/rpc/request/+", 1],
  ["v1/gateway/low", 0],
  ["deep/#", 1],
]);

const running = new Set<LocalListener>();

/** Two gateways with tokens, `one` and `two`, on a free port. */
export async function start(
  options: {
    readonly local?: Partial<LocalOptions>;
    readonly gateways?: readonly KnownGateway[];
    readonly publish?: (from: LocalClient, packet: Packet) => Promise<Verdict>;
    readonly wiring?: Partial<LocalWiring>;
    readonly tuning?: Partial<Tuning>;
  } = {},
): Promise<Harness> {
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  const tell = (news: Told): void => {
    told.push(news);
    for (const look of [...waiting]) look();
  };
  const listener = await openListener(
    { ...localDefaults, ...options.local },
    {
      gateways: options.gateways ?? [gateway("one", { token: secret("T1") }), gateway("two", { token: secret("T2") })],
      grant: (_client, filter) => filters.get(filter),
      publish: (client, packet, exchange) => {
        const text = Buffer.from(packet.payload).toString();
        tell({ kind: "published", client, topic: packet.topic, text, qos: packet.qos });
        const verdict = options.publish?.(client, packet) ?? Promise.resolve<Verdict>({ kind: "acknowledge" });
        void verdict.then((known) => exchange.answer(known));
      },
      connected: (client) => tell({ kind: "connected", client }),
      disconnected: (client, reason) => tell({ kind: "disconnected", client, reason }),
      subscribed: (client, granted) => tell({ kind: "subscribed", client, filters: granted }),
      refused: (reason) => tell({ kind: "refused", reason }),
      ...options.wiring,
    },
    { lingerMs: 100, ...options.tuning },
  );
  running.add(listener);
  const [url = ""] = listener.urls;
  return {
    listener,
    url,
    port: Number(new URL(url).port),
    told,
    heard: <Kind extends Told["kind"]>(
      kind: Kind,
      fits: (told: Extract<Told, { kind: Kind }>) => boolean = () => true,
    ) =>
      new Promise<Extract<Told, { kind: Kind }>>((resolve) => {
        const isWanted = (news: Told): news is Extract<Told, { kind: Kind }> =>
          news.kind === kind && fits(news as Extract<Told, { kind: Kind }>);
        const look = (): void => {
          const found = told.find(isWanted);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((listener) => listener.close()));
  running.clear();
}

export const localDefaults: LocalOptions = {
  dialect: "thingsboard",
  listen: ["mqtt://127.0.0.1:0"],
  strict: false,
  maxPacketSize: 1024 * 1024,
  maxConnections: 100,
  connectTimeout: 10_000,
  restoreAttachments: false,
  allowPlaintext: false,
  allowPasswordless: false,
};

export function secret(text: string): Secret {
  return new Secret(text);
}

export function gateway(id: string, local: Partial<GatewayLocalOptions>): KnownGateway {
  return { id, local: { authMethod: "ASSOCIATION_ONLY", gateway: true, blocked: false, ...local } };
}

/** A client that says exactly what it is told to, byte for byte if need be. */
export interface RawClient {
  readonly socket: Socket;
  send(packet: MqttPacket | Uint8Array): void;
  /** The next packet that came; rejects when the connection closes first. */
  next(): Promise<MqttPacket>;
  /** Resolves when the connection is closed, with the packets that were not asked for. */
  readonly closed: Promise<readonly MqttPacket[]>;
}

export function openRaw(port: number, options: { protocol?: 3 | 4 | 5; tls?: ConnectionOptions } = {}): RawClient {
  const protocolVersion = options.protocol ?? 4;
  const socket: Socket =
    options.tls === undefined
      ? connectTcp(port, "127.0.0.1")
      : connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options.tls });
  socket.setNoDelay(true);
  const packets: MqttPacket[] = [];
  const takers: { resolve: (packet: MqttPacket) => void; reject: (error: Error) => void }[] = [];
  const reader = parser({ protocolVersion });
  reader.on("packet", (packet) => {
    const taker = takers.shift();
    if (taker === undefined) packets.push(packet);
    else taker.resolve(packet);
  });
  socket.on("data", (bytes) => reader.parse(bytes));
  socket.on("error", () => {});
  let isClosed = false;
  const closed = new Promise<readonly MqttPacket[]>((resolve) => {
    socket.on("close", () => {
      isClosed = true;
      for (const { reject } of takers) reject(new Error("connection closed"));
      resolve(packets);
    });
  });
  return {
    socket,
    closed,
    send: (packet) => {
      socket.write(packet instanceof Uint8Array ? packet : generate(packet, { protocolVersion }));
    },
    next: () =>
      new Promise((resolve, reject) => {
        const packet = packets.shift();
        if (packet !== undefined) resolve(packet);
        else if (isClosed) reject(new Error("connection closed"));
        else takers.push({ resolve, reject });
      }),
  };
}

export function connectPacket(protocol: 3 | 4 | 5, fields: Partial<IConnectPacket> = {}): IConnectPacket {
  return {
    cmd: "connect",
    protocolId: protocol === 3 ? "MQIsdp" : "MQTT",
    protocolVersion: protocol,
    clientId: "c",
    clean: true,
    keepalive: 60,
    ...fields,
  };
}

/** A raw client that is past CONNACK. */
export async function enter(
  port: number,
  protocol: 3 | 4 | 5,
  fields: Partial<IConnectPacket> = {},
): Promise<RawClient> {
  const client = openRaw(port, { protocol });
  client.send(connectPacket(protocol, { username: "T1", ...fields }));
  const connack = await client.next();
  if (connack.cmd !== "connack" || (connack.returnCode ?? connack.reasonCode) !== 0) throw new Error("not let in");
  // CONNACK may be here before the listener has told of the connection; the answer to a ping is not.
  client.send({ cmd: "pingreq" });
  await client.next();
  return client;
}

export function publishPacket(text: string, qos: 0 | 1 | 2, messageId?: number): MqttPacket {
  return {
    cmd: "publish",
    topic: "v1/gateway/telemetry",
    payload: text,
    qos,
    dup: false,
    retain: false,
    ...(messageId !== undefined && { messageId }),
  };
}

/** A promise and the way to resolve it. */
export function gate<Value>(): { readonly promise: Promise<Value>; readonly open: (value: Value) => void } {
  let open: (value: Value) => void = () => {};
  const promise = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
