import type { DeviceId } from "../message/message.ts";
import { endOf, family, gatewayKey, textKey } from "./keys.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { WaitingDevice } from "./spool.ts";

/** How many messages of each device are held and parked: kept on disk, so that nobody has to count them. */
export class WaitingDevices {
  readonly #writes: PendingWrites;
  readonly #gateway: number;
  readonly #changed = new Set<DeviceId>();
  #devices: Map<DeviceId, WaitingDevice> | undefined;

  constructor(writes: PendingWrites, gateway: number) {
    this.#writes = writes;
    this.#gateway = gateway;
  }

  list(): readonly WaitingDevice[] {
    return [...this.#all().values()];
  }

  /** Adds to a device's counters. `reason` replaces the last one. */
  add(device: DeviceId, by: { held: number; parked: number }, reason?: string): void {
    const devices = this.#all();
    const before = devices.get(device);
    const held = (before?.held ?? 0) + by.held;
    const parked = (before?.parked ?? 0) + by.parked;
    const last = reason ?? before?.reason;
    if (held === 0 && parked === 0) devices.delete(device);
    else devices.set(device, { device, held, parked, ...(held > 0 && last !== undefined && { reason: last }) });
    this.#changed.add(device);
  }

  write(): void {
    if (this.#changed.size === 0) return;
    for (const device of this.#changed) {
      const key = textKey(family.device, this.#gateway, device);
      const counters = this.#devices?.get(device);
      if (counters === undefined) this.#writes.remove(key);
      else this.#writes.put(key, Buffer.from(JSON.stringify(counters)));
    }
    this.#changed.clear();
  }

  #all(): Map<DeviceId, WaitingDevice> {
    if (this.#devices !== undefined) return this.#devices;
    this.#devices = new Map();
    const prefix = gatewayKey(family.device, this.#gateway);
    for (const key of this.#writes.scanKeys(prefix, endOf(prefix))) {
      const value = this.#writes.get(key);
      if (value === undefined) continue;
      const counters = JSON.parse(value.toString()) as WaitingDevice;
      this.#devices.set(counters.device, counters);
    }
    return this.#devices;
  }
}
