import { connect, type Socket } from "node:net";
import { generate, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import type { Entry, Journal } from "./journal.ts";
import { between, type Random } from "./random.ts";

export interface GatewayOptions {
  readonly id: string;
  readonly url: string;
  readonly token: string;
  readonly devices: readonly string[];
  /** Messages a second, over all its devices. */
  readonly rate: number;
  /** Bytes that each message is longer than it has to be. */
  readonly padding: number;
  /** How long it waits for a PUBACK before it gives the connection up. */
  readonly patienceMs: number;
  readonly journal: Journal;
  readonly random: Random;
}

/**
 * A gateway of a ThingsBoard plant, as real ones behave: MQTT 5, everything is kept until its PUBACK, what has none when the
 * connection ends is sent again before all else, and after each connect it says which devices it has.
 */
export interface Gateway {
  readonly id: string;
  readonly devices: readonly string[];
  /** Connects, again and again if need be, and produces messages. */
  start(): void;
  /** Produces no more; goes on sending what it has. */
  stop(): void;
  /** Nothing of it waits for a PUBACK any more. */
  readonly isIdle: boolean;
  /** One message that this device has to say beside the others. */
  say(device: string, options?: { readonly isPoison?: boolean }): void;
  /** Tells once more that it has this device. */
  present(device: string): void;
  /** Drops its connection without a word and connects anew. */
  flap(how: "reset" | "end" | "takeover"): void;
  /** Connections of it that have ended. */
  readonly losses: number;
  close(): void;
}

const tickMs = 20;
/** Publishes it lets be unacknowledged. */
const window = 50;
/** With this many on its own disk it produces no more for now. */
const maxStored = 5000;

export function createGateway(options: GatewayOptions): Gateway {
  const { devices, journal, patienceMs, random } = options;
  const numbers = new Map(devices.map((device) => [device, 0]));
  /** Not yet written on the present connection, oldest first. */
  let stored: Entry[] = [];
  const sockets = new Set<Socket>();
  let connection: Connection | undefined;
  let producing: NodeJS.Timeout | undefined;
  let reconnecting: NodeJS.Timeout | undefined;
  let isRunning = false;
  let turn = 0;
  let losses = 0;

  const gateway: Gateway = {
    id: options.id,
    devices,
    start() {
      isRunning = true;
      if (connection === undefined) open();
      let due = 0;
      producing ??= setInterval(() => {
        due += (options.rate * tickMs) / 1000;
        for (; due >= 1 && stored.length < maxStored; due--) gateway.say(devices[turn++ % devices.length] as string);
        due = Math.min(due, 1);
      }, tickMs);
    },
    stop() {
      clearInterval(producing);
      producing = undefined;
    },
    get isIdle() {
      return stored.length === 0 && connection?.unacknowledged.length === 0;
    },
    say(device, { isPoison = false } = {}) {
      const number = (numbers.get(device) ?? 0) + 1;
      numbers.set(device, number);
      stored.push(journal.begin({ gateway: gateway.id, device, number, isPoison }));
      connection?.send();
    },
    present: (device) => connection?.present(device),
    flap(how) {
      const old = connection;
      if (old === undefined) return;
      if (how === "takeover") {
        // The new connection is made while the server still believes in the old one.
        stored = [...old.abandon(), ...stored];
        open();
      } else if (how === "reset") old.socket.resetAndDestroy();
      else old.socket.end();
    },
    get losses() {
      return losses;
    },
    close() {
      isRunning = false;
      gateway.stop();
      clearTimeout(reconnecting);
      connection?.abandon();
      for (const socket of sockets) socket.destroy();
    },
  };
  return gateway;

  function open(): void {
    connection = openConnection(options, {
      next: () => stored.shift(),
      lost(unacknowledged) {
        stored = [...unacknowledged, ...stored];
        connection = undefined;
        losses += 1;
        if (isRunning) reconnecting = setTimeout(open, between(random, 20, 80));
      },
    });
  }

  interface Connection {
    readonly socket: Socket;
    readonly unacknowledged: readonly Entry[];
    send(): void;
    present(device: string): void;
    /** Hears nothing more on it; it stays open for the server until that has noticed. Gives back what was unacknowledged. */
    abandon(): readonly Entry[];
  }

  interface Wiring {
    next(): Entry | undefined;
    lost(unacknowledged: readonly Entry[]): void;
  }

  function openConnection({ url, token, padding }: GatewayOptions, wiring: Wiring): Connection {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname).setNoDelay(true);
    const reader = parser({ protocolVersion: 5 });
    const waiting = new Map<number, { readonly entry: Entry | undefined; readonly writtenMs: number }>();
    let packetId = 0;
    let isOpen = false;
    let isOver = false;
    let heardMs = performance.now();
    const write = (...packets: readonly Packet[]) =>
      void socket.write(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: 5 }))));
    const entries = () => [...waiting.values()].flatMap(({ entry }) => entry ?? []);

    const watchdog = setInterval(() => {
      const oldest = [...waiting.values()][0]?.writtenMs ?? (isOpen ? performance.now() : heardMs);
      if (performance.now() - Math.max(oldest, heardMs) > patienceMs) socket.destroy();
    }, patienceMs / 4);
    const end = () => {
      if (isOver) return;
      isOver = true;
      clearInterval(watchdog);
      wiring.lost(entries());
    };
    socket.on("error", () => undefined);
    sockets.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      end();
    });
    socket.on("connect", () =>
      write({
        ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clean: true, keepalive: 60 },
        ...{ clientId: "chaos", username: token },
      }),
    );
    socket.on("data", (chunk: Buffer) => {
      heardMs = performance.now();
      if (!isOver) reader.parse(chunk);
    });
    reader.on("error", () => socket.destroy());
    reader.on("packet", (packet) => {
      if (packet.cmd === "connack" && packet.reasonCode === 0) opened();
      else if (packet.cmd === "connack" || packet.cmd === "disconnect") socket.destroy();
      else if (packet.cmd === "puback") acknowledged(packet.messageId ?? 0);
      else if (packet.cmd === "publish" && packet.qos === 1) write({ cmd: "puback", messageId: packet.messageId ?? 0 });
    });

    function opened(): void {
      isOpen = true;
      for (const device of devices) present(device);
      send();
    }

    /** Like real gateways it does not look at the code: whatever has a PUBACK counts as delivered. */
    function acknowledged(id: number): void {
      const exchange = waiting.get(id);
      waiting.delete(id);
      if (exchange?.entry !== undefined) journal.acknowledged(exchange.entry, performance.now() - exchange.writtenMs);
      send();
    }

    function publish(topic: string, payload: string, entry?: Entry): IPublishPacket {
      packetId = (packetId % 65_535) + 1;
      waiting.set(packetId, { entry, writtenMs: performance.now() });
      return { cmd: "publish", topic, payload, qos: 1, dup: false, retain: false, messageId: packetId };
    }

    function present(device: string): void {
      if (isOpen && !isOver) write(publish("v1/gateway/connect", JSON.stringify({ device })));
    }

    function send(): void {
      if (!isOpen || isOver) return;
      const packets: IPublishPacket[] = [];
      while (waiting.size < window) {
        const entry = wiring.next();
        if (entry === undefined) break;
        entry.writes += 1;
        const values = { n: entry.number, ...(entry.isPoison && { poison: true }), pad: "x".repeat(padding) };
        const payload = JSON.stringify({ [entry.device]: [{ ts: entry.number, values }] });
        packets.push(publish("v1/gateway/telemetry", payload, entry));
      }
      if (packets.length > 0) write(...packets);
    }

    return {
      socket,
      get unacknowledged() {
        return entries();
      },
      send,
      present,
      abandon() {
        isOver = true;
        clearInterval(watchdog);
        return entries();
      },
    };
  }
}
