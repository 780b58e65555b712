import { onTestFinished } from "vitest";
import { openCloud } from "../../src/cloud/cloud.ts";
import type { CloudRecord } from "../../src/cloud/records.ts";
import type { ThingsBoardRecord } from "../../src/cloud/thingsboard/records.ts";
import { openThingsBoard } from "../../src/cloud/thingsboard/thingsboard-cloud.ts";
import type { CloudDialect } from "../../src/cloud/variant.ts";
import { ecIdentity } from "../cloud/identity.ts";

/** Any of the stand-in clouds, in words that all clouds have. */
export interface PairCloud {
  /** What the configuration says about this cloud, and about a gateway of it. */
  readonly upstream: object;
  readonly gatewayUpstream: object;
  /** Resolves when the device is attached, for the `nth` time. */
  attached(device: string, nth?: number): Promise<unknown>;
  detached(device: string): Promise<unknown>;
  /** The first telemetry of the device (absent: of the gateway) that has this key. */
  telemetry(key: string, device?: string): Promise<unknown>;
  state(key: string, device?: string): Promise<unknown>;
  setConfig(device: string, values: object): void;
  /** Calls a method; resolves with whether this cloud heard that it was taken. */
  command(device: string, method: string, params: object): Promise<boolean>;
  /** Ends the gateway's connection. */
  drop(): void;
  /** What went wrong in the cloud's eyes. */
  complaints(): readonly unknown[];
}

export const place = { project: "acme-iot", location: "us-central1", registry: "plant-1", subscription: "sub-77" };

export function placeOf(dialect: string): object {
  const { project, location, registry, subscription } = place;
  return dialect === "omnicore" ? { subscription, registry } : { project, location, registry };
}

/** Opens the stand-in for a dialect, with a gateway `gw-01`. */
export function openPairCloud(dialect: string): Promise<PairCloud> {
  return dialect === "thingsboard" ? openTenant() : openRegistry(dialect as CloudDialect);
}

async function openRegistry(dialect: CloudDialect): Promise<PairCloud> {
  const identity = ecIdentity();
  const cloud = await openCloud({
    ...{ dialect, ...place, anyDevice: true },
    devices: [{ id: "gw-01", publicKeys: [identity.publicPem], gateway: {} }],
    limits: { messagesPerSecond: Number.POSITIVE_INFINITY, bytesPerSecond: Number.POSITIVE_INFINITY },
  });
  onTestFinished(() => cloud.close());
  const json = (payload: Buffer): unknown => JSON.parse(payload.toString());
  const valuesIn = (body: unknown) => (Array.isArray(body) ? (body[0] as { values: unknown }).values : body);
  return {
    upstream: {
      ...{ dialect, url: cloud.urls[0], ...placeOf(dialect), settle: "20ms" },
      limits: { messagesPerSecond: 100_000 },
    },
    gatewayUpstream: {
      privateKey: identity.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      algorithm: "ES256",
    },
    attached: (device, nth) =>
      nthOf<CloudRecord>(nth, (after) => cloud.next("attach", (record) => record.device === device, after)),
    detached: (device) => cloud.next("detach", (record) => record.device === device),
    async telemetry(key, device = "gw-01") {
      const found = await cloud.next(
        "telemetry",
        (record) => record.device === device && record.payload.includes(`"${key}"`),
      );
      return valuesIn(json(found.payload));
    },
    async state(key, device = "gw-01") {
      return json(
        (await cloud.next("state", (record) => record.device === device && record.payload.includes(`"${key}"`)))
          .payload,
      );
    },
    setConfig: (device, values) => void cloud.setConfig(device, JSON.stringify(values)),
    command(device, method, params) {
      const sent = cloud.sendCommand(device, JSON.stringify(params), method);
      return Promise.resolve(sent.delivered);
    },
    drop: () => cloud.disconnect("gw-01"),
    complaints: () => cloud.records.filter(({ kind }) => kind === "warning" || kind === "error"),
  };
}

async function openTenant(): Promise<PairCloud> {
  const token = "token-of-gw-01";
  const tenant = await openThingsBoard({
    devices: [{ name: "gw-01", gateway: true, credentials: { kind: "token", token } }],
  });
  onTestFinished(() => tenant.close());
  return {
    upstream: { dialect: "thingsboard", url: tenant.urls[0] },
    gatewayUpstream: { token },
    attached: (device, nth) =>
      nthOf<ThingsBoardRecord>(nth, (after) => tenant.next("attach", (record) => record.device === device, after)),
    detached: (device) => tenant.next("detach", (record) => record.device === device && record.reason === "disconnect"),
    async telemetry(key, device = "gw-01") {
      const found = await tenant.next(
        "telemetry",
        (record) => record.device === device && record.values.includes(`"${key}"`),
      );
      return JSON.parse(found.values);
    },
    async state(key, device = "gw-01") {
      const found = await tenant.next(
        "attributes",
        (record) => record.device === device && record.values.includes(`"${key}"`),
      );
      return JSON.parse(found.values);
    },
    setConfig: (device, values) => tenant.setShared(device, JSON.stringify(values)),
    async command(device, method, params) {
      return (await tenant.sendRpc(device, method, JSON.stringify(params))).kind === "reply";
    },
    drop: () => tenant.disconnect("gw-01"),
    complaints: () => tenant.records.filter(({ kind }) => kind === "mishap"),
  };
}

/** The nth of the records that `next` finds one after the other. */
async function nthOf<R>(nth = 1, next: (after?: R) => Promise<R>): Promise<R> {
  let found = await next();
  for (let count = 1; count < nth; count++) found = await next(found);
  return found;
}
