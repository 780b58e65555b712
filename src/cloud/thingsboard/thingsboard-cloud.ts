import { type JsonText, objectText, scalarText } from "../../message/json.ts";
import { type CloudTls, listenOn } from "../listen.ts";
import { type Recorded, RecordLog } from "../record-log.ts";
import { type CallOutcome, startCall } from "./calls.ts";
import { checkCredentials } from "./credentials.ts";
import { noThingsBoardFaults, type ThingsBoardFaults } from "./faults.ts";
import { Inventory, type TenantDevice, type ThingsBoardDeviceOptions } from "./inventory.ts";
import { receive } from "./reception.ts";
import { isThingsBoardReceived, type ThingsBoardReceived, type ThingsBoardRecord } from "./records.ts";
import { readSharedValues, sendShared } from "./shared-attributes.ts";
import { valuesText } from "./stored-value.ts";
import { openAllowances, type Tenant, type ThingsBoardConduct } from "./tenant.ts";

/** What to open. All of `ThingsBoardConduct` may be left out; there are no rate limits then. */
export interface ThingsBoardOptions extends Partial<ThingsBoardConduct> {
  /** Default `mqtt://127.0.0.1:0`. */
  readonly listen?: readonly string[];
  readonly tls?: CloudTls;
  /** Gateways and devices that are there from the beginning; others appear as they are attached. */
  readonly devices: readonly ThingsBoardDeviceOptions[];
  /** How many devices a tenant may have, 0 (the default) for any number. */
  readonly maxDevices?: number;
  /** How many records are held, default 100,000. */
  readonly keepRecords?: number;
  /** Called with each record as it is made; none is missed. */
  readonly onRecord?: (record: ThingsBoardRecord) => void;
  readonly now?: () => number;
}

/** How a command is sent; times out after 10 s, or 24 h if it is persistent. */
export interface RpcOptions {
  readonly timeoutMs?: number;
  readonly persistent?: boolean;
  readonly oneWay?: boolean;
}

/** What is known of a device. */
export interface ThingsBoardDevice {
  readonly name: string;
  readonly type: string;
  readonly isGateway: boolean;
  /** Whether it has a connection of its own. */
  readonly isConnected: boolean;
  readonly attachedBy?: string;
  readonly client: JsonText;
  readonly shared: JsonText;
  /** Ids of commands that are not over. */
  readonly openCalls: readonly number[];
}

/** A running stand-in ThingsBoard. */
export interface ThingsBoardCloud extends Recorded<ThingsBoardRecord, ThingsBoardReceived> {
  /** Where it listens, with real ports. */
  readonly urls: readonly string[];
  /** What it shall do wrong. */
  readonly faults: ThingsBoardFaults;
  devices(): readonly ThingsBoardDevice[];
  deviceOf(name: string): ThingsBoardDevice | undefined;
  /** Names of the devices attached by a gateway now, as it attached them and in that order. */
  attached(gateway: string): readonly string[];
  /** The gateway a device is attached by now. */
  gatewayOf(device: string): string | undefined;
  isConnected(device: string): boolean;
  addDevice(options: ThingsBoardDeviceOptions): void;
  /** A device's client attributes as one JSON object. */
  clientAttributes(device: string): JsonText | undefined;
  /** A device's shared attributes as one JSON object. */
  sharedAttributes(device: string): JsonText | undefined;
  /**
   * Sets shared attributes, as the REST API does, and tells the device if it is attached, or connected and subscribed.
   * A device that is not there is created.
   *
   * @param values A JSON object; its members are merged with those that are set, null is left out.
   * @throws {RangeError} When it is none, or a number is too big to be kept.
   */
  setShared(device: string, values: string): void;
  /** Deletes shared attributes and says so. @throws {RangeError} When there is no such device. */
  deleteShared(device: string, keys: readonly string[]): void;
  /**
   * Sends a command to a device, a gateway itself included, and waits for its end.
   *
   * @param params JSON text of any kind.
   * @throws {RangeError} When there is no such device.
   */
  sendRpc(device: string, method: string, params: string, options?: RpcOptions): Promise<CallOutcome>;
  /** Renames a device and tells its last gateway; what is attached keeps the old name. @throws {RangeError} */
  renameDevice(device: string, name: string): void;
  /** Removes a device with its attachment and tells its last gateway; its next message creates it anew. @throws {RangeError} */
  removeDevice(device: string): void;
  /** Ends a device's attachment as the platform does after an error; a gateway of MQTT 5 is told the reason. */
  expel(device: string, reason?: number): void;
  /** Closes a device's own connection, if there is one; MQTT 5 is told 0x98. */
  disconnect(device: string, detail?: string): void;
  close(): Promise<void>;
}

const day = 86_400_000;

/**
 * Opens a strict stand-in ThingsBoard of one tenant.
 *
 * It follows the platform's sources and shares no code with the rest of dragoman that speaks to ThingsBoard, so that it can
 * be the test of that. There is no provisioning, protobuf, firmware or metrics of gateways.
 *
 * @throws {DragomanError} `ERR_LISTEN`, `ERR_KEY_INVALID`.
 * @throws {RangeError} When a device's name or a rate limit will not do.
 */
export async function openThingsBoard(options: ThingsBoardOptions): Promise<ThingsBoardCloud> {
  const tenant = tenantOf(options);
  const { inventory, records, routes, faults } = tenant;
  const add = (device: ThingsBoardDeviceOptions): TenantDevice => {
    checkCredentials(device.name, device.credentials);
    return inventory.add(device);
  };
  for (const device of options.devices) add(device);

  const hangUps = new Set<() => void>();
  let connections = 0;
  const listeners: Awaited<ReturnType<typeof listenOn>>[] = [];
  const stop = async () => {
    const stopped = listeners.map((listener) => listener.close());
    for (const hangUp of hangUps) hangUp();
    for (const device of inventory.all()) endCalls(device);
    await Promise.all(stopped);
    records.end();
  };
  try {
    for (const url of options.listen ?? ["mqtt://127.0.0.1:0"]) {
      const onSocket: Parameters<typeof listenOn>[2] = (socket) => {
        const hangUp = receive(socket, ++connections, tenant);
        hangUps.add(hangUp);
        socket.once("close", () => hangUps.delete(hangUp));
      };
      const tls = options.tls === undefined ? undefined : { ...options.tls, asksForCertificate: true };
      listeners.push(await listenOn(url, tls, onSocket));
    }
  } catch (error) {
    await stop();
    throw error;
  }

  const known = (name: string, attempt: string): TenantDevice => {
    const device = inventory.find(name);
    if (device === undefined) throw new RangeError(`Cannot ${attempt} "${name}": no such device`);
    return device;
  };
  const routeOf = (name: string) => {
    const device = inventory.find(name);
    return device === undefined ? undefined : routes.get(device);
  };
  const describe = (device: TenantDevice): ThingsBoardDevice => {
    const route = routes.get(device);
    return {
      name: device.name,
      type: device.type,
      isGateway: device.gateway === true,
      isConnected: route !== undefined && route.attachment === undefined,
      ...(route?.attachment === undefined ? {} : { attachedBy: route.session.device.name }),
      client: valuesText(device.client),
      shared: valuesText(device.shared),
      openCalls: [...device.calls.keys()],
    };
  };
  /** What the platform tells a gateway about its devices, as a command that needs no answer. */
  const tellGateway = (device: TenantDevice, method: string, params: JsonText) => {
    const { lastGateway } = device;
    if (lastGateway === undefined || inventory.find(lastGateway.name) !== lastGateway) return;
    void startCall(tenant, lastGateway, { method, params, timeoutMs: day, isPersistent: true, isOneWay: true });
  };

  let closed: Promise<void> | undefined;
  return {
    urls: listeners.map((listener) => listener.url),
    faults,
    get records() {
      return records.all;
    },
    received: () => records.all.filter(isThingsBoardReceived),
    [Symbol.asyncIterator]: () => records.follow(),
    next: records.next.bind(records) as ThingsBoardCloud["next"],
    devices: () => [...inventory.all()].map(describe),
    deviceOf(name) {
      const device = inventory.find(name);
      return device === undefined ? undefined : describe(device);
    },
    attached: (gateway) => [...(routeOf(gateway)?.session.attachments.keys() ?? [])],
    gatewayOf(device) {
      const route = routeOf(device);
      return route?.attachment === undefined ? undefined : route.session.device.name;
    },
    isConnected(device) {
      const route = routeOf(device);
      return route !== undefined && route.attachment === undefined;
    },
    addDevice: (device) => void add(device),
    clientAttributes(name) {
      const device = inventory.find(name);
      return device === undefined ? undefined : valuesText(device.client);
    },
    sharedAttributes(name) {
      const device = inventory.find(name);
      return device === undefined ? undefined : valuesText(device.shared);
    },
    setShared(name, text) {
      const values = readSharedValues(name, text);
      const device = inventory.find(name) ?? add({ name });
      for (const [key, value] of values) device.shared.set(key, value);
      if (values.size > 0) sendShared(routes.get(device), valuesText(values));
    },
    deleteShared(name, keys) {
      const device = known(name, "delete attributes of");
      for (const key of keys) device.shared.delete(key);
      if (keys.length > 0) sendShared(routes.get(device), objectText([["deleted", JSON.stringify(keys) as JsonText]]));
    },
    sendRpc(name, method, params, { timeoutMs, persistent = false, oneWay = false } = {}) {
      const device = known(name, "command");
      return startCall(tenant, device, {
        method,
        params: params as JsonText,
        timeoutMs: timeoutMs ?? (persistent ? day : 10_000),
        isPersistent: persistent,
        isOneWay: oneWay,
      });
    },
    renameDevice(name, newName) {
      const device = known(name, "rename");
      inventory.rename(device, newName);
      tellGateway(device, "gateway_device_renamed", objectText([[name, scalarText(newName)]]));
    },
    removeDevice(name) {
      const device = known(name, "remove");
      const route = routes.get(device);
      inventory.remove(device);
      endCalls(device);
      if (route?.attachment === undefined) route?.session.close("removed", "device was deleted", 0x98);
      else route.session.detach(route.attachment.name, "removed");
      tellGateway(device, "gateway_device_deleted", scalarText(name));
    },
    expel(name, reason = 0x80) {
      const route = routeOf(name);
      if (route?.attachment === undefined) return;
      const { session, attachment } = route;
      session.detach(attachment.name, "operator");
      if (session.protocol !== 5) return;
      const payload = objectText([
        ["device", scalarText(attachment.name)],
        ["reason", scalarText(reason)],
      ]);
      session.send("v1/gateway/disconnect", payload, "v1/gateway/disconnect");
    },
    disconnect(name, detail = "closed by the operator") {
      const route = routeOf(name);
      if (route?.attachment === undefined) route?.session.close("operator", detail, 0x98);
    },
    close() {
      closed ??= stop();
      return closed;
    },
  };
}

function endCalls(device: TenantDevice): void {
  for (const call of [...device.calls.values()]) call.end({ kind: "offline" });
}

function tenantOf(options: ThingsBoardOptions): Tenant {
  const now = options.now ?? Date.now;
  const rateLimits = options.rateLimits ?? {};
  return {
    inventory: new Inventory(options.maxDevices ?? 0),
    records: new RecordLog<ThingsBoardRecord>({
      keep: options.keepRecords ?? 100_000,
      now,
      onRecord: options.onRecord ?? (() => {}),
    }),
    faults: noThingsBoardFaults(),
    now,
    routes: new Map(),
    allowances: openAllowances(rateLimits, now),
    rateLimits,
    castsTypes: options.castsTypes ?? true,
    maxStringLength: options.maxStringLength ?? 0,
    inactivityMs: options.inactivityMs ?? 600_000,
    childInactivityMs: options.childInactivityMs ?? 600_000,
    ownCallTimeoutMs: options.ownCallTimeoutMs ?? 60_000,
    answerCall: options.answerCall ?? (() => undefined),
    puback: options.puback ?? "4.2+",
  };
}
