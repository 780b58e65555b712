import type { ErrorReport } from "../message/message.ts";
import type { Core } from "./core.ts";

/** Codes of the errors topic that we have reason to use ourselves (vendors' pages on gateways, "Troubleshooting"). */
export type ErrorCode =
  | "GATEWAY_ATTACHMENT_ERROR"
  | "GATEWAY_DEVICE_NOT_FOUND"
  | "GATEWAY_INVALID_MQTT_TOPIC"
  | "GATEWAY_UNEXPECTED_PACKET_ID"
  | "GATEWAY_UNEXPECTED_MESSAGE_TYPE"
  | "GATEWAY_DETACHMENT_DEVICE_ERROR";

/** Tells the local gateway of an error, where its cloud has a topic for that and it listens there. Nobody waits for it. */
export function tellError(core: Core, error: Omit<ErrorReport, "kind">): void {
  if (core.options.local.traits.errors !== "topic" || core.connection === undefined) return;
  core.deliver({ kind: "error", ...error }, core.connection, () => undefined);
}

/** An acknowledgement that nothing waits for, or a packet of an exchange that the cloud does not take part in. */
export function tellStray(core: Core, { type, packetId }: { readonly type: string; readonly packetId: number }): void {
  const isAcknowledgement = type === "PUBACK";
  const code: ErrorCode = isAcknowledgement ? "GATEWAY_UNEXPECTED_PACKET_ID" : "GATEWAY_UNEXPECTED_MESSAGE_TYPE";
  const description = isAcknowledgement ? "nothing waits for this acknowledgement" : `${type} is not supported`;
  tellError(core, { code, description, messageType: type, topic: "", packetId });
}
