import { type Realm, verifyFor } from "./realm.ts";
import type { Device } from "./registry.ts";

/**
 * The token in an attach's payload: `undefined` for none, an empty one included.
 *
 * Vendors' samples send nothing, `{}`, an empty token, and `{ 'authorization' : eyJ… }`, which is no JSON; all of it is read.
 */
export function readAttachToken(payload: Buffer): string | undefined {
  const text = payload.toString("utf8");
  try {
    const value: unknown = JSON.parse(text);
    const token =
      typeof value === "object" && value !== null && "authorization" in value ? value.authorization : undefined;
    return typeof token === "string" && token !== "" ? token : undefined;
  } catch {
    return /authorization['"]?\s*:\s*['"]?([A-Za-z0-9_\-=.]+)/.exec(text)?.[1];
  }
}

/**
 * Whether `gateway` may speak for the device called `id`: the device, or why not.
 *
 * @param attached How many others it has attached now.
 */
export function judgeAttach(
  gateway: Device,
  request: { readonly id: string; readonly payload: Buffer; readonly attached: number },
  realm: Realm,
): { readonly device: Device } | { readonly refused: string } {
  const { id, payload } = request;
  const { bound, authMethod } = gateway.gateway ?? { bound: new Set<string>(), authMethod: undefined };
  if (authMethod === undefined || authMethod === "GATEWAY_AUTH_METHOD_UNSPECIFIED") {
    return { refused: "no device may use the gateway: its authentication method is unspecified" };
  }
  let device = realm.registry.find(id);
  if (device === undefined && realm.anyDevice && realm.registry.isPossible(id)) device = realm.registry.add({ id });
  if (device === undefined) return { refused: "device does not exist" };
  if (device.gateway !== undefined) return { refused: "a gateway cannot be attached" };
  if (realm.registry.isBlocked(device)) return { refused: "device is blocked" };

  const needsBinding = authMethod !== "DEVICE_AUTH_TOKEN_ONLY";
  if (needsBinding && realm.anyDevice) bound.add(device.id);
  if (needsBinding && !bound.has(device.id)) return { refused: "device is not bound to the gateway" };
  if (authMethod !== "ASSOCIATION_ONLY") {
    const token = readAttachToken(payload);
    if (token === undefined) return { refused: "device token is missing" };
    const verdict = verifyFor(device, token, realm);
    if ("refused" in verdict) return { refused: `device token is not accepted: ${verdict.refused}` };
  }
  if (request.attached >= realm.limits.attached) {
    return { refused: `${request.attached} devices are attached, which is the limit` };
  }
  return { device };
}
