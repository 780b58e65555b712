import type { BridgeStatus, DeviceStatus, GatewayReport } from "../message/status.ts";

const everyMs = 1_000;
/** Unchanged, it is said again after this, which also shows that the connection lives. */
const againMs = 10_000;
/** A large plant's status comes less often: a browser, and the bridge itself, have other things to do. */
const maxBytesPerSecond = 512 * 1024;
/** Over all gateways; `/devices` has the rest. */
const maxDevices = 100;

/** The status as JSON for whoever listens, made once for all of them, and only while somebody does. */
export class StatusTicker {
  readonly #status: () => BridgeStatus;
  readonly #now: () => number;
  readonly #listeners = new Set<(json: string) => void>();
  #timer: NodeJS.Timeout | undefined;
  #last = "";
  #size = 0;
  #saidMs = 0;

  constructor(status: () => BridgeStatus, now: () => number = Date.now) {
    this.#status = status;
    this.#now = now;
  }

  /** Tells the status at once, then when it has changed; the function that comes back ends it. */
  listen(listener: (json: string) => void): () => void {
    this.#listeners.add(listener);
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#tick(), everyMs).unref();
      this.#saidMs = this.#now();
    }
    listener(this.#json());
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    if (this.#now() - this.#saidMs < (this.#size / maxBytesPerSecond) * 1_000) return;
    const json = this.#json();
    if (json === this.#last && this.#now() - this.#saidMs < againMs) return;
    this.#last = json;
    this.#saidMs = this.#now();
    for (const listener of this.#listeners) listener(json);
  }

  #json(): string {
    const status = this.#status();
    let room = maxDevices;
    const gateways = status.gateways.map((report) => {
      const fitting = shortened(report, room);
      room -= fitting.devices.length;
      return fitting;
    });
    const json = JSON.stringify({ ...status, gateways });
    this.#size = json.length;
    return json;
  }
}

/** The report with so many devices at most, and with how many there are of each state. */
function shortened(report: GatewayReport, room: number): GatewayReport {
  const { devices } = report;
  if (devices.length <= room) return report;
  const deviceCounts: Partial<Record<DeviceStatus["state"], number>> = {};
  for (const { state } of devices) deviceCounts[state] = (deviceCounts[state] ?? 0) + 1;
  return { ...report, devices: devices.slice(0, room), deviceCounts };
}
