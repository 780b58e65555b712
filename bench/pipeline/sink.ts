import { createServer, type Socket } from "node:net";
import { answerWith } from "./child.ts";
import { frameSplitter, packetType, readDue } from "./frames.ts";
import { portOf } from "./port.ts";

/** What the sink is asked: where to listen, or how many readings came, and how late those due since then were. */
export type SinkQuestion = { readonly kind: "listen" } | { readonly kind: "count"; readonly sinceMs?: number };

export interface SinkCount {
  readonly events: number;
  /** When the last came, on the clock of `performance.timeOrigin + performance.now()`. */
  readonly lastMs: number;
  /** Milliseconds from when a message was due to its arrival here; absent where there were none. */
  readonly e2eP50?: number;
  readonly e2eP99?: number;
}

let events = 0;
let lastMs = 0;
const dues: number[] = [];
const latencies: number[] = [];

/** A cloud that takes everything: it acknowledges each packet and counts the telemetry. */
const server = createServer((socket) => {
  socket.setNoDelay(true).on("error", () => socket.destroy());
  socket.on(
    "data",
    frameSplitter((packet, bodyStart) => respond(socket, packet, bodyStart)),
  );
});

answerWith<SinkQuestion>(async (question) => {
  if (question.kind === "count") return { events, lastMs, ...latencySince(question.sinceMs) } satisfies SinkCount;
  return { port: await portOf(server) };
});

function respond(socket: Socket, packet: Buffer, bodyStart: number): void {
  socket.cork();
  process.nextTick(() => socket.uncork());
  const header = packet[0] ?? 0;
  switch (header >> 4) {
    case packetType.connect:
      socket.write(Buffer.from([packetType.connack << 4, 2, 0, 0]));
      return;
    case packetType.publish: {
      const topicEnd = bodyStart + 2 + packet.readUInt16BE(bodyStart);
      if (packet.subarray(topicEnd - 7, topicEnd).equals(eventsLevel)) {
        events += 1;
        lastMs = performance.timeOrigin + performance.now();
        const dueMs = readDue(packet);
        if (dueMs !== undefined) {
          dues.push(dueMs);
          latencies.push(lastMs - dueMs);
        }
      }
      if ((header & 0b110) !== 0) {
        socket.write(Buffer.from([packetType.puback << 4, 2, packet[topicEnd] ?? 0, packet[topicEnd + 1] ?? 0]));
      }
      return;
    }
    case packetType.subscribe:
      socket.write(subscriptionsTaken(packet, bodyStart));
      return;
    case packetType.pingreq:
      socket.write(Buffer.from([packetType.pingresp << 4, 0]));
      return;
  }
}

function latencySince(sinceMs: number | undefined): Pick<SinkCount, "e2eP50" | "e2eP99"> {
  if (sinceMs === undefined) return {};
  const sorted = Float64Array.from(latencies.filter((_, index) => (dues[index] as number) >= sinceMs)).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
  return sorted.length === 0 ? {} : { e2eP50: at(0.5), e2eP99: at(0.99) };
}

const eventsLevel = Buffer.from("/events");

function subscriptionsTaken(packet: Buffer, bodyStart: number): Buffer {
  const codes: number[] = [];
  for (let at = bodyStart + 2; at < packet.length; ) {
    at += 2 + packet.readUInt16BE(at);
    codes.push((packet[at] ?? 0) & 0b11);
    at += 1;
  }
  const id = packet.subarray(bodyStart, bodyStart + 2);
  return Buffer.concat([Buffer.from([packetType.suback << 4, 2 + codes.length]), id, Buffer.from(codes)]);
}
