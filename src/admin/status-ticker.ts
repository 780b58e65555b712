import type { BridgeStatus, DeviceStatus, GatewayReport } from "../message/status.ts";

const everyMs = 1_000;
/** Unchanged, it is said again after this, which also shows that the connection lives. */
const againMs = 10_000;
/** Of a gateway with more, `/devices` has the rest. */
const maxDevices = 100;

/** The status as JSON for whoever listens, made once for all of them, and only while somebody does. */
export class StatusTicker {
  readonly #status: () => BridgeStatus;
  readonly #now: () => number;
  readonly #listeners = new Set<(json: string) => void>();
  #timer: NodeJS.Timeout | undefined;
  #last = "";
  #saidMs = 0;

  constructor(status: () => BridgeStatus, now: () => number = Date.now) {
    this.#status = status;
    this.#now = now;
  }

  /** Tells the status at once, then when it has changed; the function that comes back ends it. */
  listen(listener: (json: string) => void): () => void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#tick(), everyMs).unref();
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
    const json = this.#json();
    if (json === this.#last && this.#now() - this.#saidMs < againMs) return;
    this.#last = json;
    this.#saidMs = this.#now();
    for (const listener of this.#listeners) listener(json);
  }

  #json(): string {
    const status = this.#status();
    return JSON.stringify({ ...status, gateways: status.gateways.map(shortened) });
  }
}

function shortened(report: GatewayReport): GatewayReport {
  const { devices } = report;
  if (devices.length <= maxDevices) return report;
  const deviceCounts: Partial<Record<DeviceStatus["state"], number>> = {};
  for (const { state } of devices) deviceCounts[state] = (deviceCounts[state] ?? 0) + 1;
  return { ...report, devices: devices.slice(0, maxDevices), deviceCounts };
}
