import { type CloudFaults, noFaults } from "./faults.ts";
import { type CloudTls, listenOn } from "./listen.ts";
import { type CloudLimits, type Conduct, noLimits, quotasOf, type Realm } from "./realm.ts";
import { receive } from "./reception.ts";
import { type Recorded, RecordLog } from "./record-log.ts";
import { type CloudRecord, isReceived, type Received } from "./records.ts";
import { type Device, type DeviceOptions, latestConfig, pushConfig, Registry } from "./registry.ts";
import { topicsOf } from "./topics.ts";
import { type CloudDialect, clientIdOf, type Place, variants } from "./variant.ts";

/** What to open. All of `Conduct` and `Place` may be left out. */
export interface CloudOptions extends Partial<Conduct>, Partial<Place> {
  readonly dialect: CloudDialect;
  /** Default `mqtt://127.0.0.1:0`. */
  readonly listen?: readonly string[];
  readonly tls?: CloudTls;
  readonly devices: readonly DeviceOptions[];
  /** Other limits than the family's quotas; `false` for none. */
  readonly limits?: false | Partial<CloudLimits>;
  /** How many records are held, default 100,000. */
  readonly keepRecords?: number;
  /** Called with each record as it is made; none is missed. */
  readonly onRecord?: (record: CloudRecord) => void;
  readonly now?: () => number;
}

/** What became of a command: on its way, or why not (the cloud's API would answer `FAILED_PRECONDITION`). */
export type CommandOutcome =
  | { readonly delivered: true }
  | { readonly delivered: false; readonly reason: "unknown-device" | "offline" | "unsubscribed" };

/** A running stand-in cloud. */
export interface Cloud extends Recorded<CloudRecord, Received> {
  readonly dialect: CloudDialect;
  readonly place: Place;
  /** Where it listens, with real ports. */
  readonly urls: readonly string[];
  /** What it shall do wrong. */
  readonly faults: CloudFaults;
  /** The client id with which a device of this registry connects. */
  clientIdOf(device: string): string;
  /** What the registry knows of a device; by id or numeric id. Not to be written to. */
  deviceOf(id: string): Device | undefined;
  devices(): readonly Device[];
  /** Whether a device has a connection of its own. */
  isConnected(device: string): boolean;
  /** Ids of the devices attached by a gateway now, in the order they were attached. */
  attached(gateway: string): readonly string[];
  /** The gateway a device is attached by now. */
  gatewayOf(device: string): string | undefined;
  addDevice(options: DeviceOptions): void;
  /**
   * Makes `body` the device's configuration and sends it to whoever has subscribed.
   *
   * @returns Its version.
   * @throws {RangeError} When there is no such device or `body` is over 64 KB.
   */
  setConfig(device: string, body: string | Uint8Array): number;
  /**
   * Sends a command to a device that is connected or attached and has subscribed; it is not kept for another.
   *
   * @param folder Levels below `commands`, joined with `/`; at most 256 characters, no wildcards.
   * @throws {RangeError} When `folder` is not legal or `body` is over 256 KB.
   */
  sendCommand(device: string, body: string | Uint8Array, folder?: string): CommandOutcome;
  bind(gateway: string, device: string): void;
  /** Takes a binding back; a device that needs it and is attached is detached, with an error. */
  unbind(gateway: string, device: string): void;
  /** From now on the device may not connect or be attached; its connection is closed, its attachment ends with an error. */
  block(device: string): void;
  unblock(device: string): void;
  /** Closes the device's own connection, if there is one. */
  disconnect(device: string, detail?: string): void;
  close(): Promise<void>;
}

const minute = 60_000;
const maxConfigBytes = 64 * 1024;
const maxCommandBytes = 256 * 1024;

/**
 * Opens a strict stand-in for an IoT Core cloud.
 *
 * It follows the vendors' pages and shares no code with the rest of dragoman that speaks to such a cloud, so that it can be
 * the test of that.
 *
 * @throws {DragomanError} `ERR_LISTEN`, `ERR_CONFIG_INVALID`, `ERR_KEY_INVALID`.
 */
export async function openCloud(options: CloudOptions): Promise<Cloud> {
  const realm = realmOf(options);
  const { registry, records, sessions, routes, faults, variant, place } = realm;
  for (const device of options.devices) registry.add(device);

  const hangUps = new Set<() => void>();
  let connections = 0;
  const listeners: Awaited<ReturnType<typeof listenOn>>[] = [];
  const stop = async () => {
    const stopped = listeners.map((listener) => listener.close());
    for (const hangUp of hangUps) hangUp();
    await Promise.all(stopped);
    records.end();
  };
  try {
    for (const url of options.listen ?? ["mqtt://127.0.0.1:0"]) {
      listeners.push(
        await listenOn(url, options.tls, (socket) => {
          const hangUp = receive(socket, ++connections, realm);
          hangUps.add(hangUp);
          socket.once("close", () => hangUps.delete(hangUp));
        }),
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }

  const known = (id: string, attempt: string): Device => {
    const device = registry.find(id);
    if (device === undefined) throw new RangeError(`Cannot ${attempt} "${id}": no such device`);
    return device;
  };
  const gatewayCalled = (id: string, attempt: string) => {
    const { gateway } = known(id, attempt);
    if (gateway === undefined) throw new RangeError(`Cannot ${attempt} "${id}": it is no gateway`);
    return gateway;
  };
  /** The connections a device can be reached on: its own, and that of its gateway. */
  const reaching = (device: Device) =>
    [sessions.get(device.id), routes.get(device.id)].filter((session) => session !== undefined);

  let closed: Promise<void> | undefined;
  return {
    dialect: options.dialect,
    place,
    urls: listeners.map((listener) => listener.url),
    faults,
    get records() {
      return records.all;
    },
    received: () => records.all.filter(isReceived),
    [Symbol.asyncIterator]: () => records.follow(),
    next: records.next.bind(records) as Cloud["next"],
    clientIdOf: (device) => clientIdOf(variant, place, device),
    deviceOf: (id) => registry.find(id),
    devices: () => [...registry.all()],
    isConnected: (id) => sessions.has(registry.find(id)?.id ?? id),
    attached: (gateway) => [...(sessions.get(registry.find(gateway)?.id ?? gateway)?.attached.keys() ?? [])],
    gatewayOf: (id) => routes.get(registry.find(id)?.id ?? id)?.device.id,
    addDevice(device) {
      registry.add(device);
    },
    setConfig(id, body) {
      const payload = Buffer.from(body);
      if (payload.length > maxConfigBytes) {
        throw new RangeError(`Cannot configure "${id}": ${payload.length} bytes, at most ${maxConfigBytes}`);
      }
      if (realm.anyDevice && registry.find(id) === undefined && registry.isPossible(id)) registry.add({ id });
      const device = known(id, "configure");
      pushConfig(device, payload);
      for (const session of reaching(device)) session.downlink.sendConfig(device);
      return latestConfig(device).version;
    },
    sendCommand(id, body, folder) {
      const payload = Buffer.from(body);
      if (payload.length > maxCommandBytes) {
        throw new RangeError(`Cannot command "${id}": ${payload.length} bytes, at most ${maxCommandBytes}`);
      }
      if (folder !== undefined && (folder.length > 256 || /[+#\0]/.test(folder))) {
        throw new RangeError(`Cannot command "${id}": folder must be at most 256 characters without "+", "#" and NUL`);
      }
      const device = registry.find(id);
      if (device === undefined) return { delivered: false, reason: "unknown-device" };
      const ways = reaching(device);
      if (ways.length === 0) return { delivered: false, reason: "offline" };
      const sent = ways.filter((session) => session.downlink.sendCommand(device, payload, folder));
      return sent.length > 0 ? { delivered: true } : { delivered: false, reason: "unsubscribed" };
    },
    bind(gateway, id) {
      gatewayCalled(gateway, "bind to").bound.add(known(id, "bind").id);
    },
    unbind(gateway, id) {
      const { bound, authMethod } = gatewayCalled(gateway, "unbind from");
      const device = known(id, "unbind");
      bound.delete(device.id);
      const session = routes.get(device.id);
      if (session === undefined || session !== sessions.get(known(gateway, "unbind from").id)) return;
      if (authMethod !== "DEVICE_AUTH_TOKEN_ONLY") session.expel(device, "device is no longer bound to the gateway");
    },
    block(id) {
      const device = known(id, "block");
      device.blocked = true;
      for (const other of [device, ...registry.all()].filter((each) => registry.isBlocked(each))) {
        sessions.get(other.id)?.close("blocked", "device is blocked");
        routes.get(other.id)?.expel(other, "device is blocked");
      }
    },
    unblock(id) {
      known(id, "unblock").blocked = false;
    },
    disconnect(id, detail = "closed by the operator") {
      sessions.get(known(id, "disconnect").id)?.close("operator", detail);
    },
    close() {
      closed ??= stop();
      return closed;
    },
  };
}

function realmOf(options: CloudOptions): Realm {
  const variant = variants[options.dialect];
  const place: Place = {
    project: options.project ?? "my-project",
    location: options.location ?? "us-central1",
    registry: options.registry ?? "my-registry",
    subscription: options.subscription ?? "my-subscription",
  };
  const now = options.now ?? Date.now;
  return {
    variant,
    place,
    topics: topicsOf(variant, place),
    registry: new Registry(),
    records: new RecordLog<CloudRecord>({
      keep: options.keepRecords ?? 100_000,
      now,
      onRecord: options.onRecord ?? (() => {}),
    }),
    faults: noFaults(),
    limits: options.limits === false ? noLimits : { ...quotasOf(variant), ...options.limits },
    now,
    sessions: new Map(),
    routes: new Map(),
    strict: options.strict ?? true,
    anyDevice: options.anyDevice ?? false,
    sink: options.sink ?? true,
    fastState: options.fastState ?? variant.fastState,
    duplicate: options.duplicate ?? "takeOver",
    skewMs: options.skewMs ?? 10 * minute,
    expiryGraceMs: options.expiryGraceMs ?? 5000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    idleMs: options.idleMs ?? 20 * minute,
    maxAgeMs: options.maxAgeMs ?? 24 * 60 * minute,
    redeliverMs: options.redeliverMs ?? 20_000,
  };
}
