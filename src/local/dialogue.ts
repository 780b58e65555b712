import type { Packet as MqttPacket } from "mqtt-packet";
import { readControlPacket } from "../mqtt/control-packet.ts";
import { FrameReader, type FrameSink } from "../mqtt/frame-reader.ts";
import { PublishReader } from "../mqtt/publish-reader.ts";
import type { Connection } from "./connection.ts";
import { connackFor, faultOf, type Greeting, greetingOf, type PublishLimits, withoutCredentials } from "./greeting.ts";
import type { Session } from "./session.ts";
import { isTopicName } from "./topic-filter.ts";

export interface DialogueOptions extends PublishLimits {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Decides on a client that sent CONNECT. `false`: it was refused and has its answer. */
  readonly login: (connection: Connection) => Promise<boolean>;
  /** CONNACK was sent. */
  readonly ready: (connection: Connection) => void;
}

/** MQTT 5 reason codes (2.4). */
const malformedPacket = 0x81;
const protocolError = 0x82;
const keepAliveTimeout = 0x8d;
const topicAliasInvalid = 0x94;
const packetTooLarge = 0x95;
const qosNotSupported = 0x9b;

const serverUnavailable = { v3: 3, v5: 0x88 } as const;

/** What of one client may wait for the disk before no more is read from it. */
const maxWaitingBytes = 256 * 1024;

/** How many times it is looked whether a client is still ahead before it is read from all the same; milliseconds in between. */
const maxLooks = 10;
const lookMs = 5;

/** The bit that marks a packet as sent again. */
const dup = 0x08;

/**
 * What a client says, from CONNECT to the end of its connection: reads it, answers what needs no decision, and hands the
 * rest to its session.
 *
 * All packets that are here are handed over before the first is acknowledged, so that they can share a disk sync. With
 * much of it unanswered the client is not read from; its keep-alive counts only while it is.
 */
export class Dialogue implements FrameSink {
  readonly #connection: Connection;
  readonly #options: DialogueOptions;
  readonly #frames: FrameReader;
  #publishes: PublishReader | undefined;
  /** The last topic that a PUBLISH may have. */
  #knownTopic: string | undefined;
  #session: Session | undefined;
  #hasConnected = false;
  /** What came behind CONNECT while that was decided on. */
  #early: { readonly header: number; readonly body: Buffer }[] | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #isPaused = false;
  #held: NodeJS.Timeout | undefined;

  /** @param heard What has been read already; it begins with CONNECT. */
  constructor(connection: Connection, heard: Buffer, options: DialogueOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#frames = new FrameReader(options.maxPacketBytes, this);
    connection.dialogue = this;
    connection.socket.on("data", (chunk) => this.#read(chunk));
    this.#read(heard);
  }

  #read(chunk: Buffer): void {
    const connection = this.#connection;
    if (connection.isEnded) return;
    connection.heardMs = this.#options.now();
    this.#keepAlive?.refresh();
    this.#frames.push(chunk);
    // What still comes to a connection that ends is read and forgotten: see there.
    if (connection.isEnded) return;
    const session = this.#session;
    if (session === undefined) return;
    if (session.inbox.waitingBytes > maxWaitingBytes) this.#pause();
    else if (session.isAhead) this.#hold(session, maxLooks);
  }

  #pause(): void {
    this.#isPaused = true;
    this.#connection.socket.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    this.#keepAlive?.refresh();
    this.#connection.socket.resume();
  }

  /** What is ahead waits, but not for long: it is to be on disk soon, however the others do. */
  #hold(session: Session, looks: number): void {
    this.#pause();
    this.#held = setTimeout(() => {
      this.#held = undefined;
      if (this.#connection.isEnded) return;
      if (looks > 1 && session.isAhead) this.#hold(session, looks - 1);
      else this.answered(session.inbox.waitingBytes);
    }, lookMs);
  }

  /** Publishes were answered: there may be room for more. */
  answered(waitingBytes: number): void {
    if (!this.#isPaused || this.#held !== undefined || waitingBytes > maxWaitingBytes / 2) return;
    this.#resume();
  }

  /** The connection has ended. */
  ended(): void {
    clearTimeout(this.#keepAlive);
    clearTimeout(this.#held);
  }

  tooLarge(): void {
    this.#end(packetTooLarge, "packet too large");
  }

  /** Never: such a packet has ended the connection. */
  oversized(): void {}

  malformed(reason: string): void {
    this.#end(malformedPacket, `malformed: ${reason}`);
  }

  frame(header: number, bytes: Buffer, start: number, end: number): void {
    if (this.#connection.isEnded) {
      this.#frames.stop();
      return;
    }
    const session = this.#session;
    if (session === undefined) {
      const body = bytes.subarray(start, end);
      if (this.#hasConnected) {
        this.#early ??= [];
        this.#early.push({ header, body: Buffer.from(body) });
      } else this.#connect(header, body);
      return;
    }
    switch (header) {
      case 0x40:
        // Most PUBACKs are no more than an id.
        if (end - start === 2) session.acknowledge(bytes.readUInt16BE(start), 0);
        else this.#control(session, header, bytes.subarray(start, end));
        return;
      case 0xc0:
        if (end > start) this.#end(malformedPacket, "malformed PINGREQ");
        else this.#connection.wire.pong();
        return;
      default:
        if (header >>> 4 === 3) this.#publish(session, header, bytes, start, end);
        else this.#control(session, header, bytes.subarray(start, end));
    }
  }

  #publish(session: Session, header: number, bytes: Buffer, start: number, end: number): void {
    this.#publishes ??= new PublishReader(session.client.protocol);
    const publishes = this.#publishes;
    const packet = publishes.read(header, bytes, start, end);
    if (packet === undefined) {
      this.#end(malformedPacket, "malformed PUBLISH");
      return;
    }
    const { inbox } = session;
    const fault = publishes.hasProperties ? this.#faultOfProperties(header, bytes.subarray(start, end)) : undefined;
    if (fault !== undefined) inbox.reject(fault);
    else if (!this.#mayPublishTo(packet.topic)) inbox.reject(malformedPacket);
    else if (packet.qos > this.#options.maxQos) inbox.reject(qosNotSupported);
    else {
      if (publishes.isRetained) session.warn("retain-ignored");
      inbox.accept(packet, publishes.id);
    }
  }

  /** The reader gives the same text for the same topic, so that most are looked at once. */
  #mayPublishTo(topic: string): boolean {
    if (topic === this.#knownTopic) return true;
    if (!isTopicName(topic)) return false;
    this.#knownTopic = topic;
    return true;
  }

  #faultOfProperties(header: number, body: Buffer): number | undefined {
    const read = readControlPacket(header, body, 5);
    if (read instanceof Error || read.cmd !== "publish") return malformedPacket;
    const { subscriptionIdentifier, topicAlias } = read.properties ?? {};
    // MQTT 5, 3.3.2.3.8: only a server says through which subscription something comes.
    if (subscriptionIdentifier !== undefined) return protocolError;
    // MQTT 5, 3.3.2.3.4: there are none where CONNACK has no Topic Alias Maximum.
    return topicAlias === undefined ? undefined : topicAliasInvalid;
  }

  /** Everything that is rare. */
  #control(session: Session, header: number, body: Buffer): void {
    const { protocol } = session.client;
    // MQTT 3.1, 2.1: SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again say so; from 3.1.1 on that bit is reserved.
    const packet = readControlPacket(protocol === 3 ? header & ~dup : header, body, protocol);
    if (packet instanceof Error) {
      this.#end(malformedPacket, `malformed: ${packet.message}`);
      return;
    }
    const { messageId = 0 } = packet;
    switch (packet.cmd) {
      case "puback":
        session.acknowledge(messageId, packet.reasonCode ?? 0);
        return;
      case "subscribe":
        // MQTT 5, 3.8.2.1.2: a subscription identifier is not 0.
        if (packet.subscriptions.length === 0 || messageId === 0 || identifierOf(packet) === 0) break;
        session.subscribe(
          messageId,
          packet.subscriptions.map(({ topic, qos }) => ({ filter: topic, qos })),
          identifierOf(packet),
        );
        return;
      case "unsubscribe":
        if (packet.unsubscriptions.length === 0 || messageId === 0) break;
        session.unsubscribe(messageId, packet.unsubscriptions);
        return;
      case "pubrel":
        if (this.#options.maxQos === 2) {
          session.inbox.release(messageId);
          return;
        }
        session.stray("PUBREL", messageId);
        return;
      case "pubrec":
      case "pubcomp":
        // Nothing is sent at QoS 2.
        session.stray(packet.cmd.toUpperCase(), messageId);
        return;
      case "disconnect":
        this.#connection.reason ??= "disconnect";
        this.#connection.socket.destroy();
        this.#frames.stop();
        return;
    }
    this.#end(protocolError, `${packet.cmd.toUpperCase()} out of place`);
  }

  #connect(header: number, body: Buffer): void {
    this.#hasConnected = true;
    const connection = this.#connection;
    const packet = readControlPacket(header, body, 4);
    if (packet instanceof Error || packet.cmd !== "connect") {
      this.#end(malformedPacket, packet instanceof Error ? `malformed: ${packet.message}` : "no CONNECT");
      return;
    }
    connection.greeting = greetingOf(packet);
    const fault = faultOf(packet);
    if (fault !== undefined) {
      connection.refuse("CONNECT asks for what there is not", { v3: serverUnavailable.v3, v5: fault });
      return;
    }
    // What a client sends before CONNACK is not read further than it has come.
    connection.socket.pause();
    this.#options.login(connection).then(
      (isAccepted) => isAccepted && this.#welcome(),
      () => connection.refuse("login failed", serverUnavailable),
    );
  }

  #welcome(): void {
    const { greeting, session, socket } = this.#connection;
    if (greeting === undefined || session === undefined || this.#connection.isEnded) return;
    socket.write(connackFor(greeting, this.#options));
    // Nothing may come in one piece with it: who begins to listen when MQTT.js tells of CONNACK would miss that. So a whole
    // turn of the event loop passes.
    setImmediate(() => setImmediate(() => this.#begin(greeting, session)));
  }

  #begin(greeting: Greeting, session: Session): void {
    const connection = this.#connection;
    if (connection.isEnded) return;
    connection.greeting = withoutCredentials(greeting);
    this.#session = session;
    session.reader = this;
    this.#limitSilence(greeting.keepalive);
    this.#options.ready(connection);
    for (const { header, body } of this.#early ?? []) {
      // There may be a DISCONNECT among them.
      if (connection.socket.destroyed) break;
      this.frame(header, body, 0, body.length);
    }
    this.#early = undefined;
    if (!connection.isEnded) connection.socket.resume();
  }

  /** MQTT 3.1.1, 3.1.2.10: one and a half times the keep-alive. */
  #limitSilence(keepaliveSeconds: number): void {
    if (keepaliveSeconds === 0) return;
    this.#keepAlive = setTimeout(() => {
      if (this.#isPaused) this.#keepAlive?.refresh();
      else this.#end(keepAliveTimeout, "keepalive");
    }, keepaliveSeconds * 1500);
  }

  #end(code: number, reason: string): void {
    this.#frames.stop();
    this.#connection.end(code, reason);
  }
}

function identifierOf({ properties }: Extract<MqttPacket, { cmd: "subscribe" }>): number | undefined {
  const identifier = properties?.subscriptionIdentifier;
  return typeof identifier === "number" ? identifier : undefined;
}
