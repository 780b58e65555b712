import type { IPublishPacket } from "mqtt-packet";
import type { Records } from "./records.ts";
import { type ConfigVersion, type Device, latestConfig } from "./registry.ts";
import type { Topics } from "./topics.ts";

/** One filter a connection has been granted. */
export interface Grant {
  readonly kind: "config" | "commands" | "topCommands" | "errors";
  readonly device: Device;
  /** The id or numeric id as it stands in the filter; messages come on topics with the same. */
  readonly spelled: string;
  readonly qos: 0 | 1;
}

interface Flight {
  readonly what: "config" | "command";
  readonly device: Device;
  readonly config?: ConfigVersion;
  readonly packet: IPublishPacket;
  readonly packetId: number;
  sendings: number;
  timer: NodeJS.Timeout | undefined;
}

/** What one connection needs to send. */
export interface DownlinkOptions {
  readonly connection: number;
  readonly topics: Topics;
  readonly records: Records;
  readonly redeliverMs: number;
  readonly now: () => number;
  readonly write: (packet: IPublishPacket) => void;
}

/**
 * What one connection may hear and what is on its way to it.
 *
 * QoS 1 messages are sent again, with the same packet id and DUP, until they are acknowledged; of configurations only the
 * newest of a device.
 */
export class Downlink {
  readonly #options: DownlinkOptions;
  readonly #grants = new Map<string, Map<string, Grant>>();
  readonly #flights = new Map<number, Flight>();
  /** Acknowledgements that may still come for packets sent more than once. */
  readonly #echoes = new Map<number, number>();
  #lastId = 0;

  constructor(options: DownlinkOptions) {
    this.#options = options;
  }

  grant(filter: string, grant: Grant): void {
    const grants = this.#grants.get(grant.device.id) ?? new Map<string, Grant>();
    this.#grants.set(grant.device.id, grants);
    grants.set(filter, grant);
  }

  /** Takes a filter back. */
  revoke(filter: string): void {
    for (const grants of this.#grants.values()) grants.delete(filter);
  }

  /** Takes back all filters of a device, and sends nothing of it again. */
  forget(device: Device): void {
    this.#grants.delete(device.id);
    for (const flight of this.#flights.values()) if (flight.device === device) this.#rest(flight);
  }

  /** Sends the newest configuration to the granted filters of the device, or to one. */
  sendConfig(device: Device, only?: Grant): void {
    const config = latestConfig(device);
    for (const flight of this.#flights.values()) {
      if (flight.what === "config" && flight.device === device) this.#rest(flight);
    }
    for (const grant of only === undefined ? this.#granted(device, "config") : [only]) {
      const topic = this.#options.topics.topicOf(grant.spelled, "config");
      this.#send({ what: "config", device, config, topic, payload: config.payload, qos: grant.qos });
    }
  }

  /** Sends a command if the device may hear it; false otherwise. */
  sendCommand(device: Device, payload: Buffer, folder?: string): boolean {
    const isTop = folder === undefined || folder === "";
    const grant = [...this.#granted(device, "commands"), ...(isTop ? this.#granted(device, "topCommands") : [])].sort(
      (a, b) => b.qos - a.qos,
    )[0];
    if (grant === undefined) return false;
    const topic = this.#options.topics.topicOf(grant.spelled, "commands", folder);
    this.#send({ what: "command", device, topic, payload, qos: grant.qos });
    return true;
  }

  /** Sends an error at QoS 0 to whichever errors topics of the devices are granted; false when none is. */
  sendError(devices: readonly Device[], report: string): boolean {
    let sent = false;
    for (const device of devices) {
      for (const grant of this.#granted(device, "errors")) {
        const topic = this.#options.topics.topicOf(grant.spelled, "errors");
        this.#options.write({ cmd: "publish", topic, payload: report, qos: 0, dup: false, retain: false });
        sent = true;
      }
    }
    return sent;
  }

  /** Takes an acknowledgement; false when nothing waits for it. */
  acknowledge(packetId: number): boolean {
    const flight = this.#flights.get(packetId);
    if (flight === undefined) {
      const echoes = this.#echoes.get(packetId) ?? 0;
      if (echoes > 0) this.#echoes.set(packetId, echoes - 1);
      return echoes > 0;
    }
    this.#rest(flight);
    this.#flights.delete(packetId);
    this.#echoes.set(packetId, flight.sendings - 1);
    if (flight.config !== undefined) flight.config.acknowledgedAt ??= new Date(this.#options.now()).toISOString();
    this.#options.records.add({
      kind: "acknowledged",
      connection: this.#options.connection,
      device: flight.device.id,
      what: flight.what,
      packetId,
      ...(flight.config === undefined ? {} : { version: flight.config.version }),
    });
    return true;
  }

  close(): void {
    for (const flight of this.#flights.values()) this.#rest(flight);
    this.#grants.clear();
  }

  #granted(device: Device, kind: Grant["kind"]): Grant[] {
    return [...(this.#grants.get(device.id)?.values() ?? [])].filter((grant) => grant.kind === kind);
  }

  #send(sending: {
    what: "config" | "command";
    device: Device;
    config?: ConfigVersion;
    topic: string;
    payload: Buffer;
    qos: 0 | 1;
  }): void {
    const { what, device, config, topic, payload, qos } = sending;
    const packet: IPublishPacket = { cmd: "publish", topic, payload, qos, dup: false, retain: false };
    const record = { what, device, ...(config === undefined ? {} : { config }), packet, sendings: 0, timer: undefined };
    if (qos === 0) {
      this.#write({ ...record, packetId: 0 });
      return;
    }
    const packetId = this.#freeId();
    packet.messageId = packetId;
    const flight: Flight = { ...record, packetId };
    this.#flights.set(packetId, flight);
    this.#write(flight);
  }

  #write(flight: Flight): void {
    const { packet, config } = flight;
    flight.sendings++;
    packet.dup = flight.sendings > 1;
    this.#options.write(packet);
    this.#options.records.add({
      kind: "sent",
      connection: this.#options.connection,
      device: flight.device.id,
      what: flight.what,
      topic: packet.topic,
      payload: packet.payload as Buffer,
      qos: packet.qos as 0 | 1,
      again: packet.dup,
      ...(packet.qos === 0 ? {} : { packetId: flight.packetId }),
      ...(config === undefined ? {} : { version: config.version }),
    });
    if (packet.qos > 0) flight.timer = setTimeout(() => this.#write(flight), this.#options.redeliverMs);
  }

  /** Sends it no more; an acknowledgement may still come. */
  #rest(flight: Flight): void {
    clearTimeout(flight.timer);
    flight.timer = undefined;
  }

  #freeId(): number {
    do this.#lastId = (this.#lastId % 65_535) + 1;
    while (this.#flights.has(this.#lastId));
    this.#echoes.delete(this.#lastId);
    return this.#lastId;
  }
}
