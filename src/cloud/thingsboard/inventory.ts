import type { PendingCall } from "./calls.ts";
import type { Credentials } from "./credentials.ts";
import type { StoredValue } from "./stored-value.ts";

/** What a tenant's device, gateway or not, is to begin with. */
export interface ThingsBoardDeviceOptions {
  readonly name: string;
  /** Whether it may speak for other devices (`additionalInfo.gateway`). */
  readonly gateway?: boolean;
  /** Without, it cannot connect by itself. */
  readonly credentials?: Credentials;
  /** Its device profile, default `default`. */
  readonly type?: string;
  /** Whatever the gateway says keeps its devices active (`additionalInfo.overwriteActivityTime`). */
  readonly overwriteActivityTime?: boolean;
  /** `sendAckOnValidationException` of its profile: payloads that are not JSON are acknowledged. */
  readonly acknowledgesInvalid?: boolean;
}

/** A device of the tenant. */
export interface TenantDevice extends Omit<ThingsBoardDeviceOptions, "name"> {
  name: string;
  readonly type: string;
  readonly client: Map<string, StoredValue>;
  readonly shared: Map<string, StoredValue>;
  /** Commands that wait for delivery or an answer, by id. */
  readonly calls: Map<number, PendingCall>;
  nextCallId: number;
  /** The gateway that attached it last, which is told when it is renamed or removed. */
  lastGateway: TenantDevice | undefined;
}

const maxNameLength = 255;

/** The tenant's devices by name, which is all that tells them apart. */
export class Inventory {
  readonly #byName = new Map<string, TenantDevice>();
  readonly #maxDevices: number;

  /** @param maxDevices 0 for no limit. */
  constructor(maxDevices: number) {
    this.#maxDevices = maxDevices;
  }

  all(): Iterable<TenantDevice> {
    return this.#byName.values();
  }

  find(name: string): TenantDevice | undefined {
    return this.#byName.get(name);
  }

  /** @throws {RangeError} When the name will not do or is taken. */
  add(options: ThingsBoardDeviceOptions): TenantDevice {
    const fault = this.#byName.has(options.name) ? "name is taken" : nameFault(options.name);
    if (fault !== undefined) throw new RangeError(`Cannot add device "${options.name}": ${fault}`);
    return this.#create(options);
  }

  /** The device of this name, created if there is none; or the PUBACK code that says why not. */
  getOrCreate(
    name: string,
    type: string,
  ):
    | { readonly device: TenantDevice; readonly isNew: boolean }
    | { readonly code: 0x80 | 0x97; readonly detail: string } {
    const device = this.#byName.get(name);
    if (device !== undefined) return { device, isNew: false };
    const fault = nameFault(name);
    if (fault !== undefined) return { code: 0x80, detail: fault };
    if (this.#maxDevices > 0 && this.#byName.size >= this.#maxDevices) {
      return { code: 0x97, detail: `tenant has ${this.#byName.size} devices, which is the limit` };
    }
    return { device: this.#create({ name, type }), isNew: true };
  }

  /** @throws {RangeError} When the new name will not do or is taken. */
  rename(device: TenantDevice, name: string): void {
    const fault = this.#byName.has(name) ? "name is taken" : nameFault(name);
    if (fault !== undefined) throw new RangeError(`Cannot rename "${device.name}" to "${name}": ${fault}`);
    this.#byName.delete(device.name);
    device.name = name;
    this.#byName.set(name, device);
  }

  remove(device: TenantDevice): void {
    this.#byName.delete(device.name);
  }

  #create(options: ThingsBoardDeviceOptions): TenantDevice {
    const device: TenantDevice = {
      ...options,
      type: options.type ?? "default",
      client: new Map(),
      shared: new Map(),
      calls: new Map(),
      nextCallId: 0,
      lastGateway: undefined,
    };
    this.#byName.set(device.name, device);
    return device;
  }
}

/** Why a name cannot be a device's. */
function nameFault(name: string): string | undefined {
  if (name.trim() === "") return "name is empty";
  if (name.length > maxNameLength) return `name is longer than ${maxNameLength} characters`;
  return /<[a-zA-Z/!]/.test(name) ? "name holds markup" : undefined;
}
