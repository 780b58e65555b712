import type { Packet as MqttPacket } from "mqtt-packet";
import type { Packet } from "../message/packet.ts";
import { printControlPacket } from "../mqtt/control-packet.ts";
import { FrameReader, type FrameSink } from "../mqtt/frame-reader.ts";
import { PublishReader } from "../mqtt/publish-reader.ts";
import { type Dialed, type DialHandlers, type DialOptions, dial } from "./dial.ts";
import { connackFailure, disconnectFailure, type Failure } from "./failure.ts";
import { InFlight } from "./in-flight.ts";
import type { Login } from "./login.ts";
import type { Outbox } from "./outbox.ts";
import { Sender, type Sending } from "./sender.ts";
import { type Connack, readConnack, readDisconnect, readSuback } from "./server-packet.ts";
import type { Timers } from "./timers.ts";
import { Watchdog, type Watched } from "./watchdog.ts";

const pingreq = Buffer.from([0xc0, 0]);
/** Valid at every level: at MQTT 5 a body left out means a normal disconnection (3.14.2.1). */
const disconnect = Buffer.from([0xe0, 0]);
/** How long a socket that is being closed may take to get rid of its last bytes. */
const lingerMs = 1000;
/** v5 "Quota exceeded": the closest that a PUBACK has to "too large". */
const quotaExceeded = 0x97;
/** "Packet too large", v5. */
const packetTooLarge = 0x95;
const unspecifiedError = 0x80;
/** MQTT 3.1.1, 2.2.3: the largest remaining length and its header. */
const maxMqttPacketBytes = 268_435_460;

export interface SessionLimits {
  readonly keepaliveMs: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly maxInboundBytes: number;
}

export interface SessionOptions extends DialOptions {
  readonly protocol: 3 | 4 | 5;
  readonly limits: SessionLimits;
  readonly login: Login;
  readonly outbox: Outbox;
  readonly timers: Timers;
}

export interface SessionHandlers {
  opened(): void;
  /** Always in a later turn than the call that caused it; nothing else is called afterwards. */
  ended(failure: Failure, byPeer: boolean): void;
  proven(): void;
  acknowledged(token: number, code: number): void;
  received(packet: Packet, id: number): void;
  subscribed(token: number, codes: readonly number[]): void;
  oversized(topic: string, bytes: number): void;
}

/**
 * One clean MQTT session on one socket, from dialing to its end. It never resends.
 *
 * Its socket, reader, sender and watchdog tell it directly what they find: thousands of sessions are open at a time, and a
 * closure for each thing to be told would take more memory than the rest of a session.
 */
export class Session implements DialHandlers, FrameSink, Sending, Watched {
  readonly inFlight = new InFlight();
  readonly protocol: 3 | 4 | 5;
  readonly outbox: Outbox;
  readonly timers: Timers;
  readonly #limits: SessionLimits;
  readonly #handlers: SessionHandlers;
  /** Until it has been sent. */
  #login: Login | undefined;
  readonly #reader: FrameReader;
  #publishes: PublishReader | undefined;
  readonly #dialed: Dialed | undefined;
  /** Number of filters by packet id of a SUBSCRIBE, to fail each of them. */
  #filterCounts: Map<number, number> | undefined;
  /** Inbound packet ids that wait for `acknowledge`. */
  #inbound: Set<number> | undefined;
  #sender: Sender | undefined;
  #watchdog: Watchdog | undefined;
  #stopConnectTimer: (() => void) | undefined;
  #stopDrainTimer: (() => void) | undefined;
  #drainFailure: Failure | undefined;
  /** When the bytes came that are being read. */
  #readAtMs = 0;
  #hasProof = false;
  #hasPong = false;
  #hasEnded = false;
  #isGone = false;
  #whenGone: (() => void)[] | undefined;

  constructor(options: SessionOptions, handlers: SessionHandlers) {
    const { limits, login, outbox, protocol, timers } = options;
    this.protocol = protocol;
    this.outbox = outbox;
    this.timers = timers;
    this.#limits = limits;
    this.#login = login;
    this.#handlers = handlers;
    this.#reader = new FrameReader(limits.maxInboundBytes, this);
    this.#stopConnectTimer = timers.after(limits.connectTimeoutMs, () => this.#connectTimedOut());
    try {
      this.#dialed = dial(options, this);
    } catch (error) {
      this.#isGone = true;
      this.#fail("tls", error instanceof Error ? error.message : "the connection cannot be set up");
    }
  }

  /** Resolves when the socket is gone. */
  gone(): Promise<void> {
    if (this.#isGone) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenGone ??= [];
      this.#whenGone.push(resolve);
    });
  }

  /** Sends what is in the outbox at the end of this turn. */
  flushSoon(): void {
    if (!this.#hasEnded) this.#sender?.flushSoon();
  }

  acknowledge(id: number): void {
    if (this.#inbound?.delete(id) !== true) return;
    if (this.#inbound.size === 0) this.#inbound = undefined;
    if (!this.#hasEnded) this.#sender?.acknowledge(id);
  }

  /** Ends it now: with a DISCONNECT where there is a connection. What the outbox holds is not sent. */
  end(failure: Failure): void {
    this.#end(failure, { isGraceful: true, byPeer: false });
  }

  /** Sends nothing new, waits for outstanding PUBACKs up to `drainMs`, and ends. */
  drain(drainMs: number, failure: Failure): void {
    if (this.#hasEnded || this.#drainFailure !== undefined) return;
    this.#sender?.flush();
    this.#sender?.hold();
    this.#drainFailure = failure;
    if (this.inFlight.publishes === 0) this.end(failure);
    else this.#stopDrainTimer = this.timers.after(drainMs, () => this.end(failure));
  }

  #connectTimedOut(): void {
    const { connectTimeoutMs } = this.#limits;
    this.#fail("timeout", `no ${this.#dialed?.stage ?? "connection"} within ${connectTimeoutMs / 1000} s`);
  }

  connected(): void {
    const { protocol } = this;
    const login = this.#login;
    this.#login = undefined;
    if (login === undefined) return;
    const keepalive = Math.min(65_535, Math.ceil(this.#limits.keepaliveMs / 1000));
    try {
      const packet: MqttPacket = {
        cmd: "connect",
        protocolId: protocol === 3 ? "MQIsdp" : "MQTT",
        protocolVersion: protocol,
        clean: true,
        keepalive,
        clientId: login.clientId,
        ...(login.username === undefined ? {} : { username: login.username }),
        ...(login.password === undefined ? {} : { password: Buffer.from(login.password) }),
      };
      this.#dialed?.socket.write(printControlPacket(packet, protocol));
    } catch (error) {
      this.#fail("credentials", error instanceof Error ? error.message : "no CONNECT can be made of them");
    }
  }

  data(chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.#readAtMs = this.timers.elapsedMs();
    this.#reader.push(chunk);
    if (this.#hasEnded) return;
    this.#watchdog?.received(this.#readAtMs, { proof: this.#hasProof, pong: this.#hasPong });
    if (this.#hasProof) this.#handlers.proven();
    this.#hasProof = false;
    this.#hasPong = false;
    if (this.#drainFailure !== undefined && this.inFlight.publishes === 0) this.end(this.#drainFailure);
    else if (this.outbox.length > 0) this.flushSoon();
  }

  drained(): void {
    this.#sender?.drained();
  }

  closed(failure: Failure | undefined): void {
    this.#isGone = true;
    const detail = this.#sender ? "the server closed the connection" : `closed before ${this.#dialed?.stage}`;
    this.#end(failure ?? { reason: "closed", detail }, { isGraceful: false, byPeer: true });
    for (const tell of this.#whenGone ?? []) tell();
  }

  malformed(reason: string): void {
    this.#fail("protocol", `the server sent ${reason}`);
  }

  frame(header: number, bytes: Buffer, start: number, end: number): void {
    const isPuback = header >>> 4 === 4 && this.#sender !== undefined;
    // PUBACKs are most of the traffic, and need no buffer of their own.
    const fault = isPuback ? this.#puback(bytes, start, end) : this.#control(header, bytes.subarray(start, end));
    if (fault !== undefined) this.#fail("protocol", `the server sent ${fault}`);
  }

  /** Acts on one packet. Returns what is wrong with it, if anything. */
  #control(header: number, body: Buffer): string | undefined {
    const type = header >>> 4;
    if (type === 2) return this.#connack(body);
    if (this.#sender === undefined) return `a packet of type ${type} before CONNACK`;
    switch (type) {
      case 3:
        return this.#publish(header, body);
      case 9:
        return this.#suback(body);
      case 11:
        return this.#unsuback(body);
      case 13:
        this.#hasProof = true;
        this.#hasPong = true;
        return undefined;
      case 14: {
        const { code, reasonString } = readDisconnect(body);
        this.#end(disconnectFailure(code, reasonString), { isGraceful: false, byPeer: true });
        return undefined;
      }
      default:
        return `a packet of type ${type}, which has no place here`;
    }
  }

  #connack(body: Buffer): string | undefined {
    const connack = readConnack(body, this.protocol);
    if (connack === undefined || this.#sender !== undefined) return "a malformed or second CONNACK";
    if (connack.code !== 0) {
      this.#end(connackFailure(connack.code, connack.reasonString), { isGraceful: false, byPeer: true });
      return undefined;
    }
    if (connack.maximumQoS === 0) return "a CONNACK that allows no QoS 1, which every publish here has";
    this.#open(connack);
    return undefined;
  }

  #open(connack: Connack): void {
    const { keepaliveMs, answerTimeoutMs } = this.#limits;
    const socket = this.#dialed?.socket;
    if (socket === undefined) return;
    this.#stopConnectTimer?.();
    this.#stopConnectTimer = undefined;
    this.#hasProof = true;
    this.#sender = new Sender(this, socket, {
      receiveMaximum: connack.receiveMaximum ?? 65_535,
      maximumPacketSize: connack.maximumPacketSize ?? maxMqttPacketBytes,
    });
    this.#watchdog = new Watchdog(this, {
      keepaliveMs: connack.serverKeepAlive === undefined ? keepaliveMs : connack.serverKeepAlive * 1000,
      answerTimeoutMs,
    });
    this.#handlers.opened();
    if (this.outbox.length > 0) this.flushSoon();
  }

  sent(atMs: number): void {
    this.#watchdog?.sent(atMs);
  }

  unsendable(token: number): void {
    this.#handlers.acknowledged(token, packetTooLarge);
  }

  subscribing(id: number, filters: number): void {
    this.#filterCounts ??= new Map();
    this.#filterCounts.set(id, filters);
  }

  get waitingSinceMs(): number | undefined {
    return this.inFlight.oldest()?.sinceMs ?? this.#sender?.stalledSinceMs;
  }

  ping(): void {
    this.#dialed?.socket.write(pingreq);
  }

  /** What waited longest gets no answer any more. A publish means that the path is broken; a subscription fails alone. */
  overdue(): void {
    const oldest = this.inFlight.oldest();
    if (oldest === undefined || oldest.awaited === "publish") {
      this.#fail("unacknowledged", `a publish got no PUBACK for ${this.#limits.answerTimeoutMs / 1000} s`);
      return;
    }
    this.inFlight.answer(oldest.id, oldest.awaited, this.timers.elapsedMs());
    if (oldest.awaited === "unsubscribe") return;
    const filters = this.#filtersOf(oldest.id) ?? 1;
    this.#handlers.subscribed(oldest.token, new Array<number>(filters).fill(unspecifiedError));
  }

  dead(silentMs: number): void {
    this.#fail("keepalive", `nothing came for ${Math.round(silentMs / 1000)} s, not even the answer to a ping`);
  }

  #puback(bytes: Buffer, start: number, end: number): string | undefined {
    if (end - start < 2) return "a malformed PUBACK";
    this.#hasProof = true;
    const id = ((bytes[start] ?? 0) << 8) | (bytes[start + 1] ?? 0);
    const token = this.inFlight.answer(id, "publish", this.#readAtMs);
    if (token === undefined) return undefined;
    const code = this.protocol === 5 && end - start > 2 ? (bytes[start + 2] ?? 0) : 0;
    this.#handlers.acknowledged(token, code);
    return undefined;
  }

  #publish(header: number, body: Buffer): string | undefined {
    this.#publishes ??= new PublishReader(this.protocol);
    const read = this.#publishes.read(header, body, 0, body.length);
    // An empty topic would be a topic alias, which is not ours to get: we announce none (MQTT 5, 3.3.2.3.4).
    if (read === undefined || read.topic === "") return "a malformed PUBLISH";
    const { id } = this.#publishes;
    if (read.qos > 0 && id === 0) return "a malformed PUBLISH";
    // A copy, or a small packet that is kept would keep all that came along with it.
    const packet = { ...read, payload: new Uint8Array(read.payload) };
    // QoS 2 is never subscribed to, and a server must not exceed what was granted (MQTT 3.1.1, 3.8.4).
    if (packet.qos === 2) return "a PUBLISH at QoS 2, which was not subscribed to";
    if (packet.qos === 1) {
      this.#inbound ??= new Set();
      this.#inbound.add(id);
    }
    this.#handlers.received(packet, id);
    return undefined;
  }

  #suback(body: Buffer): string | undefined {
    const suback = readSuback(body, this.protocol);
    if (suback === undefined) return "a malformed SUBACK";
    this.#hasProof = true;
    const token = this.inFlight.answer(suback.id, "subscribe", this.#readAtMs);
    this.#filtersOf(suback.id);
    if (token !== undefined) this.#handlers.subscribed(token, suback.codes);
    return undefined;
  }

  #unsuback(body: Buffer): string | undefined {
    if (body.length < 2) return "a malformed UNSUBACK";
    this.#hasProof = true;
    this.inFlight.answer(body.readUInt16BE(0), "unsubscribe", this.#readAtMs);
    return undefined;
  }

  /** Acknowledged, or the server would send it for ever; at MQTT 5 the acknowledgement says that it was not taken. */
  oversized(header: number, bytes: Buffer, start: number, length: number): void {
    const qos = (header >>> 1) & 3;
    if (this.#sender === undefined || qos > 1) {
      this.#fail("protocol", `the server sent a PUBLISH of ${length} bytes at QoS ${qos} out of place`);
      return;
    }
    const topicEnd = start + 2 + bytes.readUInt16BE(start);
    if (qos === 1) this.#sender.acknowledge(bytes.readUInt16BE(topicEnd), quotaExceeded);
    this.#handlers.oversized(bytes.toString("utf8", start + 2, topicEnd), length);
  }

  /** How many filters a SUBSCRIBE had, which is over now. */
  #filtersOf(id: number): number | undefined {
    const filters = this.#filterCounts?.get(id);
    this.#filterCounts?.delete(id);
    if (this.#filterCounts?.size === 0) this.#filterCounts = undefined;
    return filters;
  }

  #fail(reason: string, detail: string): void {
    this.#end({ reason, detail }, { isGraceful: false, byPeer: false });
  }

  #end(failure: Failure, { isGraceful, byPeer }: { readonly isGraceful: boolean; readonly byPeer: boolean }): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopConnectTimer?.();
    this.#stopDrainTimer?.();
    this.#watchdog?.stop();
    this.#reader.stop();
    const socket = this.#dialed?.socket;
    if (isGraceful && this.#sender !== undefined && socket !== undefined && !socket.destroyed) {
      this.#sender.hold();
      this.#sender.flush();
      socket.write(disconnect);
      socket.destroySoon();
      const stopLingering = this.timers.after(lingerMs, () => socket.destroy());
      void this.gone().then(stopLingering);
    } else socket?.destroy();
    this.#sender?.stop();
    setImmediate(() => this.#handlers.ended(failure, byPeer));
  }
}
