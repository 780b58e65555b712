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

export function createLocalAdmission(core: Core, local: LocalAttachments): AdmitLocally {
  const { listener, strict: isStrict = false } = core.options;
  const lastStates = new Map<DeviceId | undefined, number>();
  const longest: Partial<Record<UpMessage["kind"], number | undefined>> = {
    telemetry: listener?.telemetryBytes,
    state: listener?.stateBytes,
    attach: listener?.telemetryBytes,
  };

  return (decoded, arrival) => {
    // What it said before it was gone has nobody any more who could be told.
    if (arrival.connection !== core.connection) return refusal({ kind: "silence" });
    const objection = objectionTo(decoded, arrival);
    switch (objection?.kind) {
      case undefined:
        return admitPacket(core, decoded, arrival.protocol);
      case "verify":
        return { ...refusal({ kind: "silence" }), verify: { device: objection.device, token: objection.token } };
      case "close":
        report(arrival, objection.reason);
        return refusal({ kind: "close", code: objection.code });
      case "error":
        return refuse(objection, arrival);
    }
  };

  function objectionTo(decoded: Decoded, arrival: Arrival): Objection | undefined {
    if (decoded.kind !== "messages") return strange(undefined, "the topic is not one of this cloud's");
    for (const message of decoded.messages) {
      const objection = objectionToMessage(message as UpMessage, arrival);
      if (objection !== undefined) return objection;
    }
    return undefined;
  }

  function objectionToMessage(message: UpMessage, arrival: Arrival): Objection | undefined {
    const most = longest[message.kind];
    if (most !== undefined && arrival.bytes > most) {
      return { kind: "close", code: packetTooLarge, reason: `${message.kind} of ${arrival.bytes} bytes` };
    }
    const name = "device" in message ? message.device : undefined;
    if (name !== undefined && !local.isPossible(name)) return strange(name, "the topic has an invalid device id");
    switch (message.kind) {
      case "attach":
        return attach(message, arrival);
      case "detach":
        if (!local.isGateway) return { kind: "close", code: notAuthorized, reason: "detach by a plain device" };
        if (name !== undefined) drop(name);
        return undefined;
      case "state":
        return absence(message) ?? haste(message);
      case "telemetry":
        return absence(message);
      default:
        return undefined;
    }
  }

  function attach({ device, token }: Attach, { qos, proof }: Arrival): Objection | undefined {
    if (!local.isGateway) return { kind: "close", code: notAuthorized, reason: "attach by a plain device" };
    if (device === undefined) return failedAttach(undefined, "a gateway cannot be attached");
    const judgement = local.judge(device, token, proof);
    if (judgement.kind === "verify") return judgement;
    if (judgement.kind === "refused") return failedAttach(device, judgement.reason);
    if (qos === 0) core.report("warn", "attach-needs-qos1", { device });
    local.attach(device);
    return undefined;
  }

  function absence({ device }: Telemetry | State): Objection | undefined {
    if (local.isAttached(local.idOf(device))) return undefined;
    if (!local.isGateway) return { kind: "close", code: topicNameInvalid, reason: "topic of another device" };
    const reason = "the device is not attached to the gateway";
    return { kind: "error", code: "GATEWAY_DEVICE_NOT_FOUND", device, reason };
  }

  /** Vendors count from their answer to a state; ours is as good as given when the packet is taken. */
  function haste({ device }: State): Objection | undefined {
    const intervalMs = listener?.stateIntervalMs;
    if (!isStrict || intervalMs === undefined) return undefined;
    const id = local.idOf(device);
    if (core.nowMs - (lastStates.get(id) ?? Number.NEGATIVE_INFINITY) >= intervalMs) {
      lastStates.set(id, core.nowMs);
      return undefined;
    }
    const reason = `state within ${intervalMs} ms of the last`;
    if (device === undefined || id === undefined) return { kind: "close", code: messageRateTooHigh, reason };
    drop(device);
    return { kind: "error", code: "GATEWAY_DETACHMENT_DEVICE_ERROR", device, reason };
  }

  /** With its attachment a device's subscriptions are gone. */
  function drop(name: DeviceId): void {
    const device = local.idOf(name);
    if (device === undefined || !local.isAttached(device)) return;
    const called = local.nameOf(device);
    local.detach(device);
    lastStates.delete(device);
    core.emit({ kind: "revoke", devices: [...new Set([device, name, called])] });
  }

  function failedAttach(device: DeviceId | undefined, reason: string): Objection {
    return { kind: "error", code: "GATEWAY_ATTACHMENT_ERROR", device, reason };
  }

  function strange(device: DeviceId | undefined, reason: string): Objection {
    if (!local.isGateway) return { kind: "close", code: topicNameInvalid, reason };
    return { kind: "error", code: "GATEWAY_INVALID_MQTT_TOPIC", device, reason };
  }

  function refuse({ code, device, reason }: Objection & { readonly kind: "error" }, arrival: Arrival): Admission {
    const { topic, packetId } = arrival;
    report(arrival, `${code}: ${reason}`);
    const packet = { messageType: "PUBLISH", topic, packetId };
    tellError(core, { code, description: reason, ...packet, ...(device === undefined ? {} : { device }) });
    const isClosed = isStrict && code === "GATEWAY_INVALID_MQTT_TOPIC";
    return refusal(isClosed ? { kind: "close", code: topicNameInvalid } : { kind: "silence" });
  }

  function report({ topic, qos }: Arrival, reason: string): void {
    core.report("warn", "packet-refused", { topic, qos, reason });
  }
}

/** Nothing is taken, so nothing counts: with QoS 1 it comes again. */
function refusal(verdict: Admission["verdict"]): Admission {
  return { verdict, journal: false, count: 0, fates: new Map(), priority: "data" };
}
