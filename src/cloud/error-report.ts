/** The codes of the errors topic (vendor pages, table of gateway errors). */
export type GatewayErrorCode =
  | "GATEWAY_ATTACHMENT_ERROR"
  | "GATEWAY_DEVICE_NOT_FOUND"
  | "GATEWAY_INVALID_MQTT_TOPIC"
  | "GATEWAY_UNEXPECTED_PACKET_ID"
  | "GATEWAY_UNEXPECTED_MESSAGE_TYPE"
  | "GATEWAY_DETACHMENT_DEVICE_ERROR"
  | "UNKNOWN";

/** What went wrong, for whom, and with which packet. */
export interface ErrorCase {
  readonly code: GatewayErrorCode;
  readonly device: string;
  readonly description: string;
  /** The packet that caused it: its type in capitals, its topic if it has one, its packet id or 0. */
  readonly cause?: { readonly type: string; readonly topic: string; readonly packetId: number };
}

/**
 * The payload of an error message.
 *
 * The vendor pages put what is known of the packet beside the other members, gateways in production look for it below
 * `mqtt_message_info`; so it stands in both places.
 */
export function errorReport({ code, device, description, cause }: ErrorCase): string {
  const info =
    cause === undefined ? undefined : { message_type: cause.type, topic: cause.topic, packet_id: cause.packetId };
  return JSON.stringify({
    error_type: code,
    device_id: device,
    description,
    ...info,
    ...(info === undefined ? {} : { mqtt_message_info: info }),
  });
}
