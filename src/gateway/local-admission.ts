import type { Decoded } from "../message/decoded.ts";
import type { Attach, DeviceId, State, Telemetry, UpMessage } from "../message/message.ts";
import { admitPacket } from "./admission.ts";
import type { Core } from "./core.ts";
import type { Admission, Arrival } from "./event.ts";
import type { LocalAttachments } from "./local-attachments.ts";
import { type ErrorCode, tellError } from "./local-errors.ts";

/** MQTT 5 reason codes (2.4). */
const notAuthorized = 0x87;
const topicNameInvalid = 0x90;
const packetTooLarge = 0x95;
const messageRateTooHigh = 0x96;

/** Decides on a packet as a cloud with a device registry does: without a PUBACK for what it does not take. */
export type AdmitLocally = (decoded: Decoded, arrival: Arrival) => Admission;

/** Why a packet is not taken: an error is told and no PUBACK given, or the connection is closed. */
type Objection =
  | { readonly kind: "error"; readonly code: ErrorCode; readonly device: DeviceId | undefined; readonly reason: string }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  | { readonly kind: "verify"; readonly device: DeviceId; readonly token: string };

export interface LocalAdmissionParts {
  readonly core: Core;
  readonly local: LocalAttachments;
}

export class LocalAdmission {
  readonly #parts: LocalAdmissionParts;
  readonly #core: Core;
  readonly #lastStates = new Map<DeviceId | undefined, number>();

  /** What a message of this kind may have. */
  readonly #longest: Partial<Record<UpMessage["kind"], number | undefined>>;

  constructor(parts: LocalAdmissionParts) {
    this.#parts = parts;
    this.#core = parts.core;
    const { listener } = this.#core.options;
    const telemetry = listener?.telemetryBytes;
    this.#longest = { telemetry, state: listener?.stateBytes, attach: telemetry };
  }

  admit(decoded: Decoded, arrival: Arrival): Admission {
    // What it said before it was gone has nobody any more who could be told.
    if (arrival.connection !== this.#core.connection) return refusal({ kind: "silence" });
    const objection = this.#objectionTo(decoded, arrival);
    switch (objection?.kind) {
      case undefined:
        return admitPacket(this.#core, decoded, arrival.protocol);
      case "verify":
        return { ...refusal({ kind: "silence" }), verify: { device: objection.device, token: objection.token } };
      case "close":
        this.#report(arrival, objection.reason);
        return refusal({ kind: "close", code: objection.code });
      case "error":
        return this.#refuse(objection, arrival);
    }
  }

  #objectionTo(decoded: Decoded, arrival: Arrival): Objection | undefined {
    if (decoded.kind !== "messages") return this.#strange(undefined, "the topic is not one of this cloud's");
    for (const message of decoded.messages) {
      const objection = this.#objectionToMessage(message as UpMessage, arrival);
      if (objection !== undefined) return objection;
    }
    return undefined;
  }

  #objectionToMessage(message: UpMessage, arrival: Arrival): Objection | undefined {
    const most = this.#longest[message.kind];
    if (most !== undefined && arrival.bytes > most) {
      return { kind: "close", code: packetTooLarge, reason: `${message.kind} of ${arrival.bytes} bytes` };
    }
    const name = "device" in message ? message.device : undefined;
    if (name !== undefined && !this.#parts.local.isPossible(name))
      return this.#strange(name, "the topic has an invalid device id");
    switch (message.kind) {
      case "attach":
        return this.#attach(message, arrival);
      case "detach":
        if (!this.#parts.local.isGateway)
          return { kind: "close", code: notAuthorized, reason: "detach by a plain device" };
        if (name !== undefined) this.#drop(name);
        return undefined;
      case "state":
        return this.#absence(message) ?? this.#haste(message);
      case "telemetry":
        return this.#absence(message);
      default:
        return undefined;
    }
  }

  #attach({ device, token }: Attach, { qos, proof }: Arrival): Objection | undefined {
    if (!this.#parts.local.isGateway) return { kind: "close", code: notAuthorized, reason: "attach by a plain device" };
    if (device === undefined) return this.#failedAttach(undefined, "a gateway cannot be attached");
    const judgement = this.#parts.local.judge(device, token, proof);
    if (judgement.kind === "verify") return judgement;
    if (judgement.kind === "refused") return this.#failedAttach(device, judgement.reason);
    if (qos === 0) this.#core.report("warn", "attach-needs-qos1", { device });
    this.#parts.local.attach(device);
    return undefined;
  }

  #absence({ device }: Telemetry | State): Objection | undefined {
    if (this.#parts.local.isAttached(this.#parts.local.idOf(device))) return undefined;
    if (!this.#parts.local.isGateway)
      return { kind: "close", code: topicNameInvalid, reason: "topic of another device" };
    const reason = "the device is not attached to the gateway";
    return { kind: "error", code: "GATEWAY_DEVICE_NOT_FOUND", device, reason };
  }

  /** Vendors count from their answer to a state; ours is as good as given when the packet is taken. */
  #haste({ device }: State): Objection | undefined {
    const intervalMs = this.#core.options.listener?.stateIntervalMs;
    if (!this.#core.options.strict || intervalMs === undefined) return undefined;
    const id = this.#parts.local.idOf(device);
    if (this.#core.nowMs - (this.#lastStates.get(id) ?? Number.NEGATIVE_INFINITY) >= intervalMs) {
      this.#lastStates.set(id, this.#core.nowMs);
      return undefined;
    }
    const reason = `state within ${intervalMs} ms of the last`;
    if (device === undefined || id === undefined) return { kind: "close", code: messageRateTooHigh, reason };
    this.#drop(device);
    return { kind: "error", code: "GATEWAY_DETACHMENT_DEVICE_ERROR", device, reason };
  }

  /** With its attachment a device's subscriptions are gone. */
  #drop(name: DeviceId): void {
    const device = this.#parts.local.idOf(name);
    if (device === undefined || !this.#parts.local.isAttached(device)) return;
    const called = this.#parts.local.nameOf(device);
    this.#parts.local.detach(device);
    this.#lastStates.delete(device);
    this.#core.emit({ kind: "revoke", devices: [...new Set([device, name, called])] });
  }

  #failedAttach(device: DeviceId | undefined, reason: string): Objection {
    return { kind: "error", code: "GATEWAY_ATTACHMENT_ERROR", device, reason };
  }

  #strange(device: DeviceId | undefined, reason: string): Objection {
    if (!this.#parts.local.isGateway) return { kind: "close", code: topicNameInvalid, reason };
    return { kind: "error", code: "GATEWAY_INVALID_MQTT_TOPIC", device, reason };
  }

  #refuse({ code, device, reason }: Objection & { readonly kind: "error" }, arrival: Arrival): Admission {
    const { topic, packetId } = arrival;
    this.#report(arrival, `${code}: ${reason}`);
    const packet = { messageType: "PUBLISH", topic, packetId };
    tellError(this.#core, { code, description: reason, ...packet, ...(device === undefined ? {} : { device }) });
    const isClosed = this.#core.options.strict && code === "GATEWAY_INVALID_MQTT_TOPIC";
    return refusal(isClosed ? { kind: "close", code: topicNameInvalid } : { kind: "silence" });
  }

  #report({ topic, qos }: Arrival, reason: string): void {
    this.#core.report("warn", "packet-refused", { topic, qos, reason });
  }
}

/** Nothing is taken, so nothing counts: with QoS 1 it comes again. */
function refusal(verdict: Admission["verdict"]): Admission {
  return { verdict, journal: false, count: 0, fates: new Map(), priority: "data" };
}
