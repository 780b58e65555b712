import type { IConnectPacket, IPublishPacket, Packet } from "mqtt-packet";
import type { Wire } from "../wire.ts";
import { flushCalls } from "./calls.ts";
import type { TenantDevice } from "./inventory.ts";
import { type Outcome, reactionTo } from "./outcome.ts";
import { takePublish } from "./publish.ts";
import type { DetachReason, NewThingsBoardRecord, ThingsBoardCloseReason } from "./records.ts";
import { commandFilters, grantFor } from "./subscriptions.ts";
import type { Tenant } from "./tenant.ts";

/** A device that a gateway speaks for, from its attach to its detach. */
export interface Attachment {
  readonly device: TenantDevice;
  /** The device's name when it was attached; it stays, however the device is renamed. */
  readonly name: string;
  /** Whether downlinks are delivered. */
  readonly isArmed: boolean;
  /** Puts off the end by inactivity. */
  touch(): void;
  /** Stops the timer. */
  stop(): void;
}

/** A record without what a session knows of itself. */
type SessionRecord = NewThingsBoardRecord extends infer R
  ? R extends NewThingsBoardRecord
    ? Omit<R, "connection">
    : never
  : never;

const maxRemainingLength = 65_536;

/**
 * One connected device, from the CONNACK to the close.
 *
 * Nothing outlives it: subscriptions and a gateway's attachments are gone with it.
 */
export class Session {
  readonly connection: number;
  readonly device: TenantDevice;
  readonly protocol: 3 | 4 | 5;
  readonly subscriptions = new Map<string, 0 | 1>();
  readonly #tenant: Tenant;
  readonly #wire: Wire;
  readonly #maxPacketBytes: number;
  readonly #attachments = new Map<string, Attachment>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #silence: NodeJS.Timeout;
  readonly #unacknowledged = new Map<number, () => void>();
  #afterwards: (() => void)[] = [];
  #lastPacketId = 0;
  #publishes = 0;

  constructor(
    tenant: Tenant,
    wire: Wire,
    login: { readonly connection: number; readonly device: TenantDevice; readonly connect: IConnectPacket },
  ) {
    this.connection = login.connection;
    this.device = login.device;
    this.protocol = wire.protocol;
    this.#tenant = tenant;
    this.#wire = wire;
    this.#maxPacketBytes = login.connect.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    // The keep-alive a client asks for has no meaning here (MqttTransportServerInitializer has no idle handler).
    this.#silence = setTimeout(
      () => this.close("inactivity", `no packet in ${tenant.inactivityMs} ms`, 0xa0),
      tenant.inactivityMs,
    );
  }

  /** The devices attached by the name they were attached with, in that order. */
  get attachments(): ReadonlyMap<string, Attachment> {
    return this.#attachments;
  }

  get isClosed(): boolean {
    return this.#wire.isClosed;
  }

  /** Publishes taken so far, the present one included. */
  get publishes(): number {
    return this.#publishes;
  }

  /** Takes one packet. */
  handle(packet: Packet): void {
    this.#silence.refresh();
    if (this.device.overwriteActivityTime === true) for (const child of this.#attachments.values()) child.touch();
    const fault = faultOf(packet);
    if (fault !== undefined) {
      this.close("malformed", fault, 0x81);
      return;
    }
    switch (packet.cmd) {
      case "publish":
        this.#publishes++;
        this.#react(packet, takePublish(this, packet, this.#tenant));
        break;
      case "subscribe":
        if (!this.#tenant.faults.swallowSubscribe) this.#subscribe(packet.messageId ?? 0, packet.subscriptions);
        break;
      case "unsubscribe":
        this.#unsubscribe(packet.messageId ?? 0, packet.unsubscriptions);
        break;
      case "puback":
        this.#acknowledged(packet.messageId ?? 0);
        break;
      case "pingreq":
        this.#wire.write({ cmd: "pingresp" });
        break;
      case "disconnect":
        if (this.protocol === 5) this.#wire.write({ cmd: "disconnect", reasonCode: 0 });
        this.end("device", "disconnect", "client disconnected");
        this.#wire.close();
        break;
      case "connect":
        this.close("protocol-error", "second CONNECT", 0x82);
        break;
      default: // QoS 2 does not exist here, nor does anything of it
    }
    const afterwards = this.#afterwards;
    this.#afterwards = [];
    for (const act of afterwards) act();
  }

  /** Does something when the packet being handled is answered. */
  afterwards(act: () => void): void {
    this.#afterwards.push(act);
  }

  /** Publishes to the device, at the QoS it has subscribed `filter` with, or 1; `undefined` if it may not or cannot. */
  send(topic: string, payload: string, filter: string, onAcknowledged?: () => void): { qos: 0 | 1 } | undefined {
    const qos = this.subscriptions.get(filter) ?? 1;
    // The counter goes on beyond 65,535, of which the packet has the low 16 bits; 0 can appear (DeviceSessionCtx).
    const packetId = (this.#lastPacketId + 1) & 0xffff;
    const fields = qos === 0 ? {} : { messageId: packetId };
    const bytes = this.#wire.encode({ cmd: "publish", topic, payload, qos, dup: false, retain: false, ...fields });
    if (this.isClosed || bytes.length > this.#maxPacketBytes) return undefined;
    this.#lastPacketId = packetId;
    if (qos === 1 && onAcknowledged !== undefined) this.#unacknowledged.set(packetId, onAcknowledged);
    this.record({ kind: "sent", to: this.device.name, topic, payload, qos, ...(qos === 0 ? {} : { packetId }) });
    this.#wire.writeBytes(bytes);
    return { qos };
  }

  /** Runs `act` later unless the connection is closed first. */
  later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }

  /**
   * Closes the connection because of what the device did, or because the platform wants so.
   *
   * @param code Of the DISCONNECT before it, which only MQTT 5 has.
   */
  close(reason: ThingsBoardCloseReason, detail: string, code?: number): void {
    if (this.isClosed) return;
    const said = this.protocol === 5 ? code : undefined;
    if (said !== undefined) this.#wire.write({ cmd: "disconnect", reasonCode: said });
    this.end("cloud", reason, detail, said);
    this.#wire.close();
  }

  /** Clears away a session whose wire is closed or about to be. */
  end(by: "cloud" | "device", reason: ThingsBoardCloseReason, detail: string, code?: number): void {
    clearTimeout(this.#silence);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const name of [...this.#attachments.keys()]) this.detach(name, "closed");
    if (this.#tenant.routes.get(this.device)?.session === this) this.#tenant.routes.delete(this.device);
    const fields = code === undefined ? {} : { code };
    this.record({ kind: "closed", device: this.device.name, by, reason, detail, ...fields });
  }

  addAttachment(device: TenantDevice, name: string, isArmed: boolean): Attachment {
    const idle = setTimeout(() => this.detach(name, "inactivity"), this.#tenant.childInactivityMs);
    const attachment: Attachment = {
      device,
      name,
      isArmed,
      touch: () => void idle.refresh(),
      stop: () => clearTimeout(idle),
    };
    this.#attachments.set(name, attachment);
    this.#tenant.routes.set(device, { session: this, attachment });
    return attachment;
  }

  /** Ends an attachment, if there is one; the gateway is not told. */
  detach(name: string, reason: DetachReason): void {
    const attachment = this.#attachments.get(name);
    if (attachment === undefined) return;
    attachment.stop();
    this.#attachments.delete(name);
    const { routes } = this.#tenant;
    if (routes.get(attachment.device)?.attachment === attachment) routes.delete(attachment.device);
    this.record({ kind: "detach", gateway: this.device.name, device: name, reason });
  }

  record(record: SessionRecord): void {
    this.#tenant.records.add({ ...record, connection: this.connection } as NewThingsBoardRecord);
  }

  #react(packet: IPublishPacket, outcome: Outcome): void {
    if (this.isClosed) return;
    const acknowledgesInvalid = this.device.acknowledgesInvalid === true;
    const reaction = reactionTo(outcome, { protocol: this.protocol, qos: packet.qos, acknowledgesInvalid });
    if (outcome.kind !== "accepted") {
      const { kind: mishap, detail } = outcome;
      this.record({ kind: "mishap", from: this.device.name, mishap, topic: packet.topic, detail });
    }
    const { acknowledge, acknowledgeDelayMs } = this.#tenant.faults;
    const answer = () => {
      for (let n = acknowledge ? reaction.pubacks : 0; n > 0; n--) {
        this.#wire.write({ cmd: "puback", messageId: packet.messageId ?? 0, reasonCode: reaction.code });
      }
      if (!reaction.closes) return;
      const reason = outcome.kind === "accepted" || outcome.kind === "ignored" ? "fault" : outcome.kind;
      this.close(reason, outcome.kind === "accepted" ? "" : outcome.detail, reaction.disconnectCode);
    };
    if (reaction.pubacks > 0 && acknowledgeDelayMs > 0) this.later(acknowledgeDelayMs, answer);
    else answer();
  }

  #subscribe(messageId: number, wanted: readonly { readonly topic: string; readonly qos: 0 | 1 | 2 }[]): void {
    const refusal = this.protocol === 5 ? 0x8f : 0x80;
    const granted = wanted.map(({ topic: filter, qos }) => {
      const grant = grantFor(filter, qos);
      if (grant !== undefined) this.subscriptions.set(filter, grant);
      this.record({ kind: "subscribed", device: this.device.name, filter, qos, granted: grant ?? refusal });
      return grant ?? refusal;
    });
    this.#wire.write({ cmd: "suback", messageId, granted });
    if (wanted.some(({ topic }) => commandFilters.has(topic))) flushCalls(this.#tenant, this.device);
  }

  #unsubscribe(messageId: number, filters: readonly string[]): void {
    const granted = filters.map((filter) => {
      this.record({ kind: "unsubscribed", device: this.device.name, filter });
      return this.subscriptions.delete(filter) ? 0 : 0x11;
    });
    this.#wire.write({ cmd: "unsuback", messageId, granted });
  }

  #acknowledged(packetId: number): void {
    this.record({ kind: "acknowledged", device: this.device.name, packetId });
    const act = this.#unacknowledged.get(packetId);
    this.#unacknowledged.delete(packetId);
    act?.();
  }
}

/** Why the platform's decoder would not take a packet. */
function faultOf(packet: Packet): string | undefined {
  if ((packet.length ?? 0) > maxRemainingLength) return `packet of more than ${maxRemainingLength} bytes`;
  const isNumbered =
    packet.cmd === "subscribe" || packet.cmd === "unsubscribe" || (packet.cmd === "publish" && packet.qos > 0);
  if (isNumbered && packet.messageId === 0) return "packet id 0";
  return packet.cmd === "publish" && /[+#]/.test(packet.topic) ? "wildcard in a topic" : undefined;
}
