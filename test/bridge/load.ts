import type { Cloud } from "../../src/cloud/cloud.ts";
import { openRawGateway, publishPacket, type RawGateway } from "./raw-gateway.ts";

/** Telemetry of several devices, numbered per device from 1, and what became of each. */
export interface Load {
  /** Connects and sends the next `count` messages at once, device by device in turn. */
  send(url: string, token: string, count: number): Promise<RawGateway>;
  /** Messages that have been acknowledged, as `device number`. */
  readonly acknowledged: ReadonlySet<string>;
  readonly sent: number;
}

export const loadDevices = ["Pump 1", "pump-2", "Pump/3", "007", "Übung"] as const;

export function createLoad(): Load {
  const acknowledged = new Set<string>();
  let sent = 0;
  return {
    acknowledged,
    get sent() {
      return sent;
    },
    async send(url, token, count) {
      const gateway = await openRawGateway(url);
      gateway.send({
        ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clean: true, keepalive: 0 },
        ...{ clientId: "load", username: token },
      });
      await gateway.next("connack");
      const waiting = new Map<number, string>();
      const packets = Array.from({ length: count }, (_, index) => {
        const device = loadDevices[sent % loadDevices.length] as string;
        const number = Math.floor(sent / loadDevices.length) + 1;
        sent += 1;
        waiting.set(index + 1, `${device} ${number}`);
        const payload = JSON.stringify({ [device]: [{ ts: number, values: { number } }] });
        return publishPacket("v1/gateway/telemetry", payload, { id: index + 1 });
      });
      gateway.onPacket((packet) => {
        const message = packet.cmd === "puback" ? waiting.get(packet.messageId ?? 0) : undefined;
        if (message !== undefined) acknowledged.add(message);
      });
      gateway.send(...packets);
      return gateway;
    },
  };
}

/** What a cloud has heard of a load, beside what it was told had arrived safely. */
export interface Audit {
  /** Acknowledged to the gateway and not in the cloud. */
  readonly lost: readonly string[];
  /** First arrivals with a smaller number than one of the same device before. */
  readonly disordered: readonly string[];
  /** Different messages in the cloud. */
  readonly arrived: number;
}

export function audit(load: Load, clouds: readonly Cloud[]): Audit {
  const names = new Map(loadDevices.map((name) => [idOf(name), name]));
  const arrived = new Set<string>();
  const last = new Map<string, number>();
  const disordered: string[] = [];
  for (const record of clouds.flatMap((cloud) => cloud.received())) {
    if (record.kind !== "telemetry") continue;
    const name = names.get(record.device) ?? record.device;
    for (const { ts } of JSON.parse(record.payload.toString()) as { ts: number }[]) {
      const message = `${name} ${ts}`;
      if (arrived.has(message)) continue;
      arrived.add(message);
      if (ts < (last.get(name) ?? 0)) disordered.push(message);
      last.set(name, Math.max(ts, last.get(name) ?? 0));
    }
  }
  return { lost: [...load.acknowledged].filter((message) => !arrived.has(message)), disordered, arrived: arrived.size };
}

/** The id of a load's device in the cloud, spelled out by hand. */
function idOf(name: (typeof loadDevices)[number]): string {
  const ids = {
    "Pump 1": "Pump%201",
    "pump-2": "pump-2",
    "Pump/3": "Pump%2F3",
    "007": "x%_007",
    Übung: "x%_%C3%9Cbung",
  };
  return ids[name];
}
