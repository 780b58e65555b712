import type { IConnectPacket, IPublishPacket, Packet } from "mqtt-packet";
import { Downlink } from "./downlink.ts";
import { type ErrorCase, errorReport } from "./error-report.ts";
import { takePublish } from "./publish.ts";
import { type Rate, rateOf } from "./rate.ts";
import type { Realm } from "./realm.ts";
import type { CloseReason, NewRecord, Warning } from "./records.ts";
import type { Device } from "./registry.ts";
import { takeSubscribe } from "./subscribe.ts";
import type { Wire } from "./wire.ts";

/** google.rpc.Code of what a device did wrong, for its `lastErrorStatus`. */
const statusCodes: Partial<Record<CloseReason, number>> = {
  "token-expired": 16,
  "taken-over": 6,
  blocked: 7,
  "too-many-messages": 8,
  "too-many-bytes": 8,
  "state-too-fast": 8,
  oversize: 3,
  "qos-2": 3,
  "unknown-topic": 3,
  "unknown-filter": 3,
  "not-a-gateway": 9,
  "no-sink": 9,
};

/** A record without what a session knows of itself. */
type SessionRecord = NewRecord extends infer R ? (R extends NewRecord ? Omit<R, "connection"> : never) : never;

/**
 * One connected device, from the CONNACK to the close.
 *
 * A gateway's devices are attached here and nowhere else: with the session the attachments and subscriptions are gone.
 */
export class Session {
  readonly connection: number;
  readonly device: Device;
  readonly downlink: Downlink;
  /** Devices whose last state is not answered yet. */
  readonly unansweredStates = new Set<string>();
  readonly #realm: Realm;
  readonly #wire: Wire;
  readonly #attached = new Map<string, Device>();
  readonly #lateAnswers = new Set<NodeJS.Timeout>();
  readonly #messages: Rate | undefined;
  readonly #bytes: Rate | undefined;
  readonly #silence: NodeJS.Timeout;
  readonly #lifetime: NodeJS.Timeout;
  #publishes = 0;

  constructor(
    realm: Realm,
    wire: Wire,
    login: {
      readonly connection: number;
      readonly device: Device;
      readonly expiresAtMs: number;
      readonly connect: IConnectPacket;
    },
  ) {
    this.connection = login.connection;
    this.device = login.device;
    this.#realm = realm;
    this.#wire = wire;
    this.downlink = new Downlink({
      connection: login.connection,
      topics: realm.topics,
      records: realm.records,
      redeliverMs: realm.redeliverMs,
      now: realm.now,
      write: (packet) => wire.write(packet),
    });
    const { messagesPerSecond, bytesPerSecond } = realm.limits;
    this.#messages = Number.isFinite(messagesPerSecond) ? rateOf(messagesPerSecond) : undefined;
    this.#bytes = Number.isFinite(bytesPerSecond) ? rateOf(bytesPerSecond) : undefined;
    this.#silence = this.#closeInSilence((login.connect.keepalive ?? 0) * 1500); // MQTT 3.1.1, 3.1.2.10: one and a half times
    this.#lifetime = this.#closeInTheEnd(login.expiresAtMs);
    if (login.connect.will !== undefined) this.warn("will-ignored");
    if (login.connect.clean === false) this.warn("persistent-session-ignored");
  }

  /** The attached devices by id, in the order they were attached. */
  get attached(): ReadonlyMap<string, Device> {
    return this.#attached;
  }

  get isGateway(): boolean {
    return this.device.gateway !== undefined;
  }

  /** Publishes taken so far, the present one included. */
  get publishes(): number {
    return this.#publishes;
  }

  /** Takes one packet. */
  handle(packet: Packet): void {
    this.#silence.refresh();
    switch (packet.cmd) {
      case "publish":
        this.#publishes++;
        if (this.#isWithinRates(packet.payload.length)) takePublish(this, packet, this.#realm);
        return;
      case "subscribe":
        if (this.#isWithinRates(0)) takeSubscribe(this, packet, this.#realm);
        return;
      case "unsubscribe":
        if (!this.#isWithinRates(0)) return;
        for (const filter of packet.unsubscriptions) {
          this.downlink.revoke(filter);
          this.record({ kind: "unsubscribed", device: this.device.id, filter });
        }
        this.write({ cmd: "unsuback", messageId: packet.messageId ?? 0, granted: [] });
        return;
      case "puback":
        if (!this.downlink.acknowledge(packet.messageId ?? 0)) this.#strayPuback(packet.messageId ?? 0);
        return;
      case "pubrec":
      case "pubrel":
      case "pubcomp":
        this.#unexpected(packet.cmd.toUpperCase(), packet.messageId ?? 0);
        return;
      case "pingreq":
        this.write({ cmd: "pingresp" });
        return;
      case "disconnect":
        this.end("device", "disconnect", "The connection broke or was closed by the client.");
        this.#wire.close();
        return;
      default:
        this.close("protocol-error", `${packet.cmd.toUpperCase()} was not expected`);
    }
  }

  /** Closes the connection because of what the device did, or because the cloud wants so. */
  close(reason: CloseReason, detail: string): void {
    if (this.#wire.isClosed) return;
    const code = statusCodes[reason];
    if (code !== undefined) this.device.lastErrorStatus = { code, message: detail };
    this.end("cloud", reason, detail);
    this.#wire.close();
  }

  /** Clears away a session whose wire is closed or about to be. */
  end(by: "cloud" | "device", reason: CloseReason, detail: string): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#lifetime);
    for (const timer of this.#lateAnswers) clearTimeout(timer);
    this.downlink.close();
    for (const id of this.#attached.keys()) this.#realm.routes.delete(id);
    this.#attached.clear();
    if (this.#realm.sessions.get(this.device.id) === this) this.#realm.sessions.delete(this.device.id);
    this.record({ kind: "closed", device: this.device.id, by, reason, detail });
  }

  attach(device: Device): void {
    this.#realm.routes.get(device.id)?.expel(device, "device was attached to another gateway");
    this.#realm.routes.set(device.id, this);
    this.#attached.set(device.id, device);
  }

  detach(device: Device): void {
    this.#attached.delete(device.id);
    if (this.#realm.routes.get(device.id) === this) this.#realm.routes.delete(device.id);
    this.downlink.forget(device);
  }

  /** Detaches a device because of an error of its own, and says so. */
  expel(device: Device, description: string, cause?: ErrorCase["cause"]): void {
    this.detach(device);
    const failure: ErrorCase = { code: "GATEWAY_DETACHMENT_DEVICE_ERROR", device: device.id, description };
    this.fail(cause === undefined ? failure : { ...failure, cause });
  }

  write(packet: Packet): void {
    this.#wire.write(packet);
  }

  /** Sends the PUBACK if one is due, then runs `then`: at once, late or never, as the faults want it. */
  answer(packet: IPublishPacket, then: () => void): void {
    const { acknowledge, acknowledgeDelayMs } = this.#realm.faults;
    const answer = () => {
      if (packet.qos === 1) this.write({ cmd: "puback", messageId: packet.messageId ?? 0 });
      then();
    };
    if (packet.qos === 0) answer();
    else if (acknowledge && acknowledgeDelayMs === 0) answer();
    else if (acknowledge) {
      const timer = setTimeout(() => {
        this.#lateAnswers.delete(timer);
        answer();
      }, acknowledgeDelayMs);
      this.#lateAnswers.add(timer);
    }
  }

  /** Reports an error on the gateway's errors topic, and on the device's own where that is subscribed too. */
  fail(failure: ErrorCase): void {
    const { code, device, description, cause } = failure;
    const attached = this.#attached.get(device);
    const hearers = attached === undefined ? [this.device] : [this.device, attached];
    const delivered = this.downlink.sendError(hearers, errorReport(failure));
    const { topic, packetId } = cause ?? { topic: "", packetId: 0 };
    this.record({ kind: "error", gateway: this.device.id, device, code, description, topic, packetId, delivered });
  }

  warn(warning: Warning): void {
    this.record({ kind: "warning", device: this.device.id, warning });
  }

  record(record: SessionRecord): void {
    this.#realm.records.add({ ...record, connection: this.connection } as NewRecord);
  }

  #closeInSilence(keepaliveMs: number): NodeJS.Timeout {
    const { idleMs } = this.#realm;
    return keepaliveMs > 0 && keepaliveMs <= idleMs
      ? setTimeout(() => this.close("keepalive", "MQTT keep-alive check failed"), keepaliveMs)
      : setTimeout(() => this.close("idle", `no packet in ${idleMs} ms`), idleMs);
  }

  #closeInTheEnd(expiresAtMs: number): NodeJS.Timeout {
    const { skewMs, expiryGraceMs, maxAgeMs, now } = this.#realm;
    const leftMs = expiresAtMs + skewMs + expiryGraceMs - now();
    return leftMs <= maxAgeMs
      ? setTimeout(() => this.close("token-expired", "The authorization token expired."), leftMs)
      : setTimeout(() => this.close("age", `connection is ${maxAgeMs} ms old`), maxAgeMs);
  }

  #strayPuback(packetId: number): void {
    if (!this.isGateway) this.warn("unexpected-packet-id");
    else {
      this.fail({
        code: "GATEWAY_UNEXPECTED_PACKET_ID",
        device: this.device.id,
        description: "no message waits for this acknowledgement",
        cause: { type: "PUBACK", topic: "", packetId },
      });
    }
  }

  #unexpected(type: string, packetId: number): void {
    const description = `${type} is not supported`;
    if (!this.isGateway) this.close("unexpected-message-type", description);
    else {
      this.fail({
        code: "GATEWAY_UNEXPECTED_MESSAGE_TYPE",
        device: this.device.id,
        description,
        cause: { type, topic: "", packetId },
      });
    }
  }

  #isWithinRates(bytes: number): boolean {
    const nowMs = this.#realm.now();
    const { messagesPerSecond, bytesPerSecond } = this.#realm.limits;
    if (this.#messages?.use(1, nowMs) === false) {
      this.close("too-many-messages", `more than ${messagesPerSecond} messages per second`);
      return false;
    }
    if (this.#bytes?.use(bytes, nowMs) === false) {
      this.close("too-many-bytes", `more than ${bytesPerSecond} bytes per second`);
      return false;
    }
    return true;
  }
}
