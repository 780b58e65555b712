import type { IConnectPacket } from "mqtt-packet";
import { type Realm, verifyFor } from "./realm.ts";
import type { Device } from "./registry.ts";
import { readClientId } from "./variant.ts";

/** Who connects and until when, or why not; without `code` no CONNACK is sent. */
export type Login =
  | { readonly kind: "welcome"; readonly device: Device; readonly expiresAtMs: number }
  | { readonly kind: "refused"; readonly reason: string; readonly code?: number; readonly device?: string };

const malformedClientId = 2;

/** Decides on a CONNECT: level, client id, device, token, in this order. */
export function logIn(packet: IConnectPacket, realm: Realm): Login {
  const { variant } = realm;
  if (packet.protocolId !== "MQTT" || packet.protocolVersion !== 4 || "bridgeMode" in packet) {
    const code = variant.wrongLevelCode;
    return { kind: "refused", reason: "protocol is not MQTT 3.1.1", ...(code === undefined ? {} : { code }) };
  }
  if (packet.password !== undefined && packet.username === undefined) {
    // MQTT-3.1.2-22: the connection is malformed, so there is nothing to answer.
    return { kind: "refused", reason: "password without a user name" };
  }
  const claimed = readClientId(variant, realm.place, packet.clientId);
  if (claimed === undefined) {
    return { kind: "refused", code: malformedClientId, reason: "client id is not of this cloud's form" };
  }
  const device = claimed.elsewhere ? undefined : realm.registry.find(claimed.id);
  const refuse = (reason: string): Login => ({
    kind: "refused",
    code: variant.wrongLoginCode,
    reason,
    device: device?.id ?? claimed.id,
  });
  if (claimed.elsewhere) return refuse("client id names another registry");
  if (device === undefined) return refuse("device does not exist");
  if (realm.registry.isBlocked(device)) return refuse("device is blocked");
  const token = verifyFor(device, packet.password?.toString("latin1") ?? "", realm);
  if ("refused" in token) return refuse(token.refused);
  if (realm.duplicate === "refuse" && realm.sessions.has(device.id)) {
    return { kind: "refused", code: malformedClientId, reason: "device is connected already", device: device.id };
  }
  return { kind: "welcome", device, expiresAtMs: token.expiresAtMs };
}
