import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { IConnectPacket } from "mqtt-packet";
import { DragomanError } from "../../errors.ts";
import type { Inventory, TenantDevice } from "./inventory.ts";

/** How a device proves who it is when it connects. Parts of `basic` that are left out may be anything. */
export type Credentials =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "basic"; readonly clientId?: string; readonly username?: string; readonly password?: string }
  /** A client certificate, PEM; only over TLS. */
  | { readonly kind: "certificate"; readonly certificate: string };

/** Who connects, or the CONNACK codes for MQTT 5 and before. */
export type Login =
  | { readonly kind: "welcome"; readonly device: TenantDevice }
  | { readonly kind: "refused"; readonly code5: number; readonly code3: number; readonly reason: string };

/**
 * Finds the device a CONNECT is from (ThingsBoard, DefaultTransportApiService).
 *
 * By certificate where one was shown; by client id where there is no user name; else by client id and user name together,
 * and only if there is no such device by user name alone.
 */
export function logIn(packet: IConnectPacket, certificate: Buffer | undefined, inventory: Inventory): Login {
  if (certificate !== undefined) {
    const device = find(inventory, (held) => held.kind === "certificate" && isSame(held.certificate, certificate));
    return device === undefined || isOutdated(certificate)
      ? refused(0x87, 5, "client certificate is not known or not valid now")
      : { kind: "welcome", device };
  }
  const { clientId } = packet;
  const username = packet.username ?? "";
  const password = packet.password?.toString("utf8") ?? "";
  const device = username === "" ? byClientId(inventory, clientId) : byUsername(inventory, clientId, username);
  const held = device?.credentials;
  const fits = held?.kind === "token" || (held?.kind === "basic" && (held.password ?? password) === password);
  if (device !== undefined && fits) return { kind: "welcome", device };
  if (username !== "" || password !== "") return refused(0x86, 5, "user name or password is wrong");
  return clientId.trim() === ""
    ? refused(0x87, 5, "no credentials")
    : refused(0x85, 2, "no device has this client id alone as credentials");
}

/**
 * Checks credentials before anything depends on them.
 *
 * @throws {DragomanError} `ERR_KEY_INVALID`.
 */
export function checkCredentials(device: string, credentials: Credentials | undefined): void {
  if (credentials?.kind !== "certificate") return;
  try {
    new X509Certificate(credentials.certificate);
  } catch (cause) {
    throw new DragomanError("ERR_KEY_INVALID", `Cannot read the certificate of "${device}": not a PEM certificate`, {
      cause,
    });
  }
}

/** The certificate a client has shown, DER. */
export function certificateOf(socket: object): Buffer | undefined {
  if (!("getPeerCertificate" in socket)) return undefined;
  // Without a certificate this gives an empty object, or null, whatever the types say.
  const shown: { readonly raw?: Buffer } | null = (socket as TLSSocket).getPeerCertificate(true);
  return shown?.raw;
}

function byClientId(inventory: Inventory, clientId: string): TenantDevice | undefined {
  return find(
    inventory,
    (held) => held.kind === "basic" && (held.username ?? "") === "" && clientId !== "" && held.clientId === clientId,
  );
}

function byUsername(inventory: Inventory, clientId: string, username: string): TenantDevice | undefined {
  return (
    find(inventory, (held) => held.kind === "basic" && held.clientId === clientId && held.username === username) ??
    find(
      inventory,
      (held) =>
        (held.kind === "token" && held.token === username) ||
        (held.kind === "basic" && (held.clientId ?? "") === "" && held.username === username),
    )
  );
}

function find(inventory: Inventory, holds: (held: Credentials) => boolean): TenantDevice | undefined {
  for (const device of inventory.all()) {
    if (device.credentials !== undefined && holds(device.credentials)) return device;
  }
  return undefined;
}

function isSame(pem: string, der: Buffer): boolean {
  return new X509Certificate(pem).raw.equals(der);
}

function isOutdated(der: Buffer): boolean {
  const { validFrom, validTo } = new X509Certificate(der);
  const nowMs = Date.now();
  return nowMs < Date.parse(validFrom) || nowMs > Date.parse(validTo);
}

function refused(code5: number, code3: number, reason: string): Login {
  return { kind: "refused", code5, code3, reason };
}
