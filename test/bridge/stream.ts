import type { Cloud } from "../../src/cloud/cloud.ts";
import { openRawGateway, publishPacket } from "./raw-gateway.ts";

export const streamDevices = ["pump-1", "pump-2", "pump-3", "pump-4"] as const;

/** What a slow machine has not acknowledged yet; beyond that nothing is added. */
const maxWaiting = 1000;

/** A gateway that sends telemetry without a pause, each message with the next number, devices in turn. */
export interface Stream {
  readonly sent: number;
  /** Numbers that have been acknowledged. */
  readonly acknowledged: ReadonlySet<number>;
  readonly isClosed: boolean;
  /** Ends the sending, and resolves when everything is acknowledged. */
  stop(): Promise<void>;
}

/** @param perSecond How many messages are sent in a second, as far as the machine keeps up. */
export async function startStream(url: string, token: string, perSecond: number): Promise<Stream> {
  const everyMs = 10;
  const gateway = await openRawGateway(url, { protocolVersion: 4 });
  gateway.send({
    ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, keepalive: 0 },
    ...{ clientId: "stream", username: token },
  });
  await gateway.next("connack");
  const acknowledged = new Set<number>();
  const waiting = new Map<number, number>();
  let sent = 0;
  let isClosed = false;
  let settled = () => {};
  void gateway.closed.then(() => {
    isClosed = true;
  });
  gateway.onPacket((packet) => {
    if (packet.cmd !== "puback") return;
    acknowledged.add(waiting.get(packet.messageId ?? 0) ?? 0);
    waiting.delete(packet.messageId ?? 0);
    if (waiting.size === 0) settled();
  });
  const timer = setInterval(() => {
    if (waiting.size > maxWaiting) return;
    const packets = [];
    for (let count = 0; count < (perSecond * everyMs) / 1000; count++) {
      sent += 1;
      const id = ((sent - 1) % 65_535) + 1;
      waiting.set(id, sent);
      const device = streamDevices[sent % streamDevices.length] as string;
      const payload = JSON.stringify({ [device]: [{ ts: sent, values: { number: sent } }] });
      packets.push(publishPacket("v1/gateway/telemetry", payload, { id }));
    }
    if (!isClosed) gateway.send(...packets);
  }, everyMs);
  return {
    acknowledged,
    get sent() {
      return sent;
    },
    get isClosed() {
      return isClosed;
    },
    stop() {
      clearInterval(timer);
      return new Promise((resolve) => {
        settled = resolve;
        if (waiting.size === 0) resolve();
      });
    },
  };
}

/** One message of a stream as the cloud got it. */
export interface Arrived {
  readonly device: string;
  readonly number: number;
  /** What its key was called. */
  readonly key: string;
}

/** All that has arrived of streams, in the order of arrival. */
export function arrivedOf(cloud: Cloud): readonly Arrived[] {
  return cloud.received().flatMap((record) => {
    if (record.kind !== "telemetry") return [];
    const points = JSON.parse(record.payload.toString()) as { ts: number; values: Record<string, number> }[];
    return points.map(({ ts, values }) => ({ device: record.device, number: ts, key: Object.keys(values)[0] ?? "" }));
  });
}

/** What arrived behind a later message of its device. */
export function disorderOf(arrived: readonly Arrived[]): readonly Arrived[] {
  const last = new Map<string, number>();
  return arrived.filter(({ device, number }) => {
    const isLate = number <= (last.get(device) ?? 0);
    last.set(device, Math.max(number, last.get(device) ?? 0));
    return isLate;
  });
}
