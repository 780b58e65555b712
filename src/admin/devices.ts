import type { BridgeStatus, DeviceStatus } from "../message/status.ts";

/** A device as `/devices` lists it. Times are Unix milliseconds, documents JSON text. */
export interface ListedDevice extends Omit<DeviceStatus, "name" | "reason" | "heldSinceMs"> {
  readonly device: string;
  readonly gateway: string;
  readonly attached: boolean;
  /** What an attachment in progress waits for. */
  readonly reason?: string;
  /** Why nothing of it goes to the cloud; its messages wait until it can. */
  readonly held?: { readonly reason: string; readonly sinceMs?: number };
}

/** One page of `/devices`. */
export interface DevicesDocument {
  /** How many fit the question, on all pages. */
  readonly total: number;
  readonly devices: readonly ListedDevice[];
}

export interface DevicesQuestion {
  readonly gateway?: string | undefined;
  /** Part of the name or of the id upstream, in whatever case. */
  readonly search?: string | undefined;
  readonly offset: number;
  readonly limit: number;
}

/** The devices that fit, gateway by gateway in the order of the configuration, by name. */
export function devicesDocument({ gateways }: BridgeStatus, question: DevicesQuestion): DevicesDocument {
  const { gateway, search = "", offset, limit } = question;
  const wanted = search.toLowerCase();
  const fitting = gateways
    .filter(({ id }) => gateway === undefined || id === gateway)
    .flatMap(({ id, devices }) =>
      devices
        .filter(({ name, upstreamId = "" }) => `${name}\n${upstreamId}`.toLowerCase().includes(wanted))
        .map((device) => ({ id, device })),
    )
    .sort((a, b) => order(a.id, b.id) || order(a.device.name, b.device.name));
  const page = fitting.slice(offset, offset + limit);
  return { total: fitting.length, devices: page.map(({ id, device }) => listed(id, device)) };
}

function listed(gateway: string, { name, reason, heldSinceMs, ...rest }: DeviceStatus): ListedDevice {
  const since = heldSinceMs === undefined ? {} : { sinceMs: heldSinceMs };
  const held = { held: { reason: reason ?? "held", ...since } };
  const why = rest.state === "held" ? held : reason === undefined ? {} : { reason };
  return { device: name, gateway, attached: rest.state === "attached", ...rest, ...why };
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
