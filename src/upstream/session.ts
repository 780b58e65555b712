import { generate } from "mqtt-packet";
import type { Packet } from "../message/packet.ts";
import { FrameReader } from "../mqtt/frame-reader.ts";
import { PublishReader } from "../mqtt/publish-reader.ts";
import { type Dialed, type DialOptions, dial } from "./dial.ts";
import { connackFailure, disconnectFailure, type Failure } from "./failure.ts";
import { InFlight } from "./in-flight.ts";
import type { Login } from "./login.ts";
import type { Outbox } from "./outbox.ts";
import { Sender } from "./sender.ts";
import { type Connack, readConnack, readDisconnect, readSuback } from "./server-packet.ts";
import type { Timers } from "./timers.ts";
import { Watchdog } from "./watchdog.ts";

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

export interface SessionOptions extends DialOptions {
  readonly protocol: 3 | 4 | 5;
  readonly keepaliveMs: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly maxInboundBytes: number;
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

/** One clean MQTT session on one socket, from dialing to its end. It never resends. */
export class Session {
  readonly inFlight = new InFlight();
  /** Resolves when the socket is gone. */
  readonly gone: Promise<void>;
  readonly #options: SessionOptions;
  readonly #handlers: SessionHandlers;
  readonly #reader: FrameReader;
  readonly #publishes: PublishReader;
  readonly #dialed: Dialed | undefined;
  /** Number of filters by packet id of a SUBSCRIBE, to fail each of them. */
  readonly #filterCounts = new Map<number, number>();
  /** Inbound packet ids that wait for `acknowledge`. */
  readonly #inbound = new Set<number>();
  #sender: Sender | undefined;
  #watchdog: Watchdog | undefined;
  #stopConnectTimer: () => void;
  #stopDrainTimer: (() => void) | undefined;
  #drainFailure: Failure | undefined;
  /** When the bytes came that are being read. */
  #readAtMs = 0;
  #hasProof = false;
  #hasPong = false;
  #hasEnded = false;

  constructor(options: SessionOptions, handlers: SessionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#publishes = new PublishReader(options.protocol);
    this.#reader = new FrameReader(options.maxInboundBytes, {
      frame: (header, bytes, start, end) => this.#frame(header, bytes, start, end),
      oversized: (header, bytes, start, length) => this.#oversized(header, bytes, start, length),
      malformed: (reason) => this.#fail("protocol", `the server sent ${reason}`),
    });
    this.#stopConnectTimer = options.timers.after(options.connectTimeoutMs, () => this.#connectTimedOut());
    let resolveGone = () => {};
    this.gone = new Promise((resolve) => {
      resolveGone = resolve;
    });
    try {
      this.#dialed = dial(options, {
        connected: () => this.#connect(),
        data: (chunk) => this.#data(chunk),
        drain: () => this.#sender?.drained(),
        ended: (failure) => {
          resolveGone();
          this.#socketEnded(failure);
        },
      });
    } catch (error) {
      resolveGone();
      this.#fail("tls", error instanceof Error ? error.message : "the connection cannot be set up");
    }
  }

  /** Sends what is in the outbox at the end of this turn. */
  flushSoon(): void {
    if (!this.#hasEnded) this.#sender?.flushSoon();
  }

  acknowledge(id: number): void {
    if (this.#inbound.delete(id) && !this.#hasEnded) this.#sender?.acknowledge(id);
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
    else this.#stopDrainTimer = this.#options.timers.after(drainMs, () => this.end(failure));
  }

  #connectTimedOut(): void {
    const { connectTimeoutMs } = this.#options;
    this.#fail("timeout", `no ${this.#dialed?.stage ?? "connection"} within ${connectTimeoutMs / 1000} s`);
  }

  #connect(): void {
    const { protocol, keepaliveMs, login } = this.#options;
    const keepalive = Math.min(65_535, Math.ceil(keepaliveMs / 1000));
    try {
      const packet = generate({
        cmd: "connect",
        protocolId: protocol === 3 ? "MQIsdp" : "MQTT",
        protocolVersion: protocol,
        clean: true,
        keepalive,
        clientId: login.clientId,
        ...(login.username === undefined ? {} : { username: login.username }),
        ...(login.password === undefined ? {} : { password: Buffer.from(login.password) }),
      });
      this.#dialed?.socket.write(packet);
    } catch (error) {
      this.#fail("credentials", error instanceof Error ? error.message : "no CONNECT can be made of them");
    }
  }

  #data(chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.#readAtMs = this.#options.timers.elapsedMs();
    this.#reader.push(chunk);
    if (this.#hasEnded) return;
    this.#watchdog?.received(this.#readAtMs, { proof: this.#hasProof, pong: this.#hasPong });
    if (this.#hasProof) this.#handlers.proven();
    this.#hasProof = false;
    this.#hasPong = false;
    if (this.#drainFailure !== undefined && this.inFlight.publishes === 0) this.end(this.#drainFailure);
    else if (this.#options.outbox.length > 0) this.flushSoon();
  }

  #frame(header: number, bytes: Buffer, start: number, end: number): void {
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
    const connack = readConnack(body, this.#options.protocol);
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
    const { protocol, keepaliveMs, answerTimeoutMs, outbox, timers } = this.#options;
    const socket = this.#dialed?.socket;
    if (socket === undefined) return;
    this.#stopConnectTimer();
    this.#hasProof = true;
    this.#sender = new Sender({
      socket,
      protocol,
      outbox,
      inFlight: this.inFlight,
      elapsedMs: timers.elapsedMs,
      receiveMaximum: connack.receiveMaximum ?? 65_535,
      maximumPacketSize: connack.maximumPacketSize ?? maxMqttPacketBytes,
      sent: (atMs) => this.#watchdog?.sent(atMs),
      tooLarge: (token) => this.#handlers.acknowledged(token, packetTooLarge),
      subscribing: (id, filters) => this.#filterCounts.set(id, filters),
    });
    this.#watchdog = new Watchdog({
      keepaliveMs: connack.serverKeepAlive === undefined ? keepaliveMs : connack.serverKeepAlive * 1000,
      answerTimeoutMs,
      timers,
      waitingSinceMs: () => this.inFlight.oldest()?.sinceMs ?? this.#sender?.stalledSinceMs,
      ping: () => socket.write(pingreq),
      overdue: () => this.#overdue(),
      dead: (silentMs) =>
        this.#fail("keepalive", `nothing came for ${Math.round(silentMs / 1000)} s, not even the answer to a ping`),
    });
    this.#handlers.opened();
    if (outbox.length > 0) this.flushSoon();
  }

  #puback(bytes: Buffer, start: number, end: number): string | undefined {
    if (end - start < 2) return "a malformed PUBACK";
    this.#hasProof = true;
    const id = ((bytes[start] ?? 0) << 8) | (bytes[start + 1] ?? 0);
    const token = this.inFlight.answer(id, "publish", this.#readAtMs);
    if (token === undefined) return undefined;
    const code = this.#options.protocol === 5 && end - start > 2 ? (bytes[start + 2] ?? 0) : 0;
    this.#handlers.acknowledged(token, code);
    return undefined;
  }

  #publish(header: number, body: Buffer): string | undefined {
    const read = this.#publishes.read(header, body, 0, body.length);
    // An empty topic would be a topic alias, which is not ours to get: we announce none (MQTT 5, 3.3.2.3.4).
    if (read === undefined || read.topic === "") return "a malformed PUBLISH";
    const { id } = this.#publishes;
    if (read.qos > 0 && id === 0) return "a malformed PUBLISH";
    // A copy, or a small packet that is kept would keep all that came along with it.
    const packet = { ...read, payload: new Uint8Array(read.payload) };
    // QoS 2 is never subscribed to, and a server must not exceed what was granted (MQTT 3.1.1, 3.8.4).
    if (packet.qos === 2) return "a PUBLISH at QoS 2, which was not subscribed to";
    if (packet.qos === 1) this.#inbound.add(id);
    this.#handlers.received(packet, id);
    return undefined;
  }

  #suback(body: Buffer): string | undefined {
    const suback = readSuback(body, this.#options.protocol);
    if (suback === undefined) return "a malformed SUBACK";
    this.#hasProof = true;
    const token = this.inFlight.answer(suback.id, "subscribe", this.#readAtMs);
    this.#filterCounts.delete(suback.id);
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
  #oversized(header: number, bytes: Buffer, start: number, length: number): void {
    const qos = (header >>> 1) & 3;
    if (this.#sender === undefined || qos > 1) {
      this.#fail("protocol", `the server sent a PUBLISH of ${length} bytes at QoS ${qos} out of place`);
      return;
    }
    const topicEnd = start + 2 + bytes.readUInt16BE(start);
    if (qos === 1) this.#sender.acknowledge(bytes.readUInt16BE(topicEnd), quotaExceeded);
    this.#handlers.oversized(bytes.toString("utf8", start + 2, topicEnd), length);
  }

  /** What waited longest gets no answer any more. A publish means that the path is broken; a subscription fails alone. */
  #overdue(): void {
    const oldest = this.inFlight.oldest();
    const { answerTimeoutMs, timers } = this.#options;
    if (oldest === undefined || oldest.awaited === "publish") {
      this.#fail("unacknowledged", `a publish got no PUBACK for ${answerTimeoutMs / 1000} s`);
      return;
    }
    this.inFlight.answer(oldest.id, oldest.awaited, timers.elapsedMs());
    if (oldest.awaited === "unsubscribe") return;
    const filters = this.#filterCounts.get(oldest.id) ?? 1;
    this.#filterCounts.delete(oldest.id);
    this.#handlers.subscribed(oldest.token, new Array<number>(filters).fill(unspecifiedError));
  }

  #socketEnded(failure: Failure | undefined): void {
    const detail = this.#sender ? "the server closed the connection" : `closed before ${this.#dialed?.stage}`;
    this.#end(failure ?? { reason: "closed", detail }, { isGraceful: false, byPeer: true });
  }

  #fail(reason: string, detail: string): void {
    this.#end({ reason, detail }, { isGraceful: false, byPeer: false });
  }

  #end(failure: Failure, { isGraceful, byPeer }: { readonly isGraceful: boolean; readonly byPeer: boolean }): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopConnectTimer();
    this.#stopDrainTimer?.();
    this.#watchdog?.stop();
    this.#reader.stop();
    const socket = this.#dialed?.socket;
    if (isGraceful && this.#sender !== undefined && socket !== undefined && !socket.destroyed) {
      this.#sender.hold();
      this.#sender.flush();
      socket.write(disconnect);
      socket.destroySoon();
      const stopLingering = this.#options.timers.after(lingerMs, () => socket.destroy());
      void this.gone.then(stopLingering);
    } else socket?.destroy();
    this.#sender?.stop();
    setImmediate(() => this.#handlers.ended(failure, byPeer));
  }
}
