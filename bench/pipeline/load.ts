import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { answerWith } from "./child.ts";
import { connectPacket, dueMark, frameSplitter, packetType, publishTemplate, writeDue } from "./frames.ts";

/**
 * How to load a bridge: gateways by their tokens, each with so many devices, all of them in each packet.
 *
 * `rate`: that many messages per second over all gateways, however slow the answers are. `window`: each gateway keeps
 * that many unacknowledged.
 */
export interface Load {
  readonly port: number;
  readonly tokens: readonly string[];
  /** Default 1. */
  readonly devices?: number;
  readonly pace: { readonly rate: number } | { readonly window: number };
  readonly warmUpMs: number;
  readonly durationMs: number;
}

/** What came of it. Latencies count from the moment a message was due, so a generator or a bridge that lags shows. */
export interface LoadResult {
  /** Sent while measuring, and of these acknowledged until two seconds after. */
  readonly sent: number;
  readonly acknowledged: number;
  /** Messages of the warm-up, which also arrive upstream. */
  readonly warmUp: number;
  readonly startedMs: number;
  readonly acknowledgedPerSecond: number;
  /** Milliseconds of the acknowledged ones; absent where there are none. */
  readonly p50?: number;
  readonly p99?: number;
  readonly max?: number;
}

const patienceMs = 2_000;

interface Gateway {
  readonly socket: Socket;
  readonly template: { readonly bytes: Buffer; readonly idAt: number };
  /** Where the time at which it is due stands in it, for the sink. */
  readonly dueAt: number;
  /** When the message of each packet identifier was due; 0 for none. */
  readonly dueMs: Float64Array;
  nextId: number;
  unacknowledged: number;
}

answerWith<Load>(async (load) => {
  const gateways = await Promise.all(load.tokens.map((token, index) => connectGateway(load, token, index)));
  const latencies: number[] = [];
  let sent = 0;
  let warmUp = 0;
  let lastAckMs = 0;
  let measureFrom = Number.POSITIVE_INFINITY;

  for (const gateway of gateways) {
    gateway.socket.on(
      "data",
      frameSplitter((packet, bodyStart) => {
        if ((packet[0] ?? 0) >> 4 !== packetType.puback) return;
        const id = packet.readUInt16BE(bodyStart);
        const dueMs = gateway.dueMs[id] ?? 0;
        if (dueMs === 0) return;
        gateway.dueMs[id] = 0;
        gateway.unacknowledged -= 1;
        if (dueMs < measureFrom) return;
        lastAckMs = performance.now();
        latencies.push(lastAckMs - dueMs);
      }),
    );
  }

  const send = (gateway: Gateway, dueMs: number) => {
    const packet = Buffer.from(gateway.template.bytes);
    packet.writeUInt16BE(gateway.nextId, gateway.template.idAt);
    writeDue(packet, gateway.dueAt, performance.timeOrigin + dueMs);
    gateway.dueMs[gateway.nextId] = dueMs;
    gateway.nextId = (gateway.nextId % 65535) + 1;
    gateway.unacknowledged += 1;
    gateway.socket.write(packet);
    if (dueMs >= measureFrom) sent += 1;
    else warmUp += 1;
  };

  await run(load, gateways, send, load.warmUpMs);
  measureFrom = performance.now();
  const startedMs = performance.timeOrigin + measureFrom;
  await run(load, gateways, send, load.durationMs);
  const deadline = performance.now() + patienceMs;
  while (latencies.length < sent && performance.now() < deadline) await turn(5);
  for (const { socket } of gateways) socket.destroy();

  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
  return {
    sent,
    acknowledged: latencies.length,
    warmUp,
    startedMs,
    acknowledgedPerSecond: latencies.length / ((lastAckMs - measureFrom) / 1000),
    ...(sorted.length === 0 ? {} : { p50: at(0.5), p99: at(0.99), max: at(1) }),
  } satisfies LoadResult;
});

/** Connects a gateway and attaches its devices; resolves when all is acknowledged or, upstream away, will not be. */
async function connectGateway({ port, devices = 1 }: Load, token: string, index: number): Promise<Gateway> {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  await once(socket, "connect");
  socket.write(connectPacket(`load-${index}`, token));
  await once(socket, "data");
  const names = Array.from({ length: devices }, (_, number) => `Device-${index}-${number}`);
  for (const device of names) {
    const attach = publishTemplate("v1/gateway/connect", JSON.stringify({ device }));
    attach.bytes.writeUInt16BE(1, attach.idAt);
    socket.write(attach.bytes);
    await Promise.race([once(socket, "data"), turn(patienceMs)]);
  }
  const values = { temperature: 21.5, humidity: 48, pressure: 1013.25, serial: 9007199254740993n.toString() };
  const telemetry = Object.fromEntries(names.map((device) => [device, [{ ts: 1700000000000 + index, values }]]));
  // The time stands in the last device's reading only.
  const text = JSON.stringify(telemetry).replace(/(.*)"temperature"/, `$1${dueMark}0000000000000000,"temperature"`);
  const template = publishTemplate("v1/gateway/telemetry", text);
  const dueAt = template.bytes.indexOf(dueMark) + dueMark.length;
  return { socket, template, dueAt, dueMs: new Float64Array(65536), nextId: 2, unacknowledged: 0 };
}

async function run(
  { pace }: Load,
  gateways: readonly Gateway[],
  send: (gateway: Gateway, dueMs: number) => void,
  durationMs: number,
): Promise<void> {
  const startMs = performance.now();
  let count = 0;
  for (;;) {
    const elapsedMs = Math.min(performance.now() - startMs, durationMs);
    const isLast = elapsedMs === durationMs;
    for (const { socket } of gateways) socket.cork();
    if ("rate" in pace) {
      for (const due = Math.floor((elapsedMs / 1000) * pace.rate); count < due; count++) {
        send(gateways[count % gateways.length] as Gateway, startMs + (count / pace.rate) * 1000);
      }
    } else if (!isLast) {
      const nowMs = performance.now();
      for (const gateway of gateways) while (gateway.unacknowledged < pace.window) send(gateway, nowMs);
    }
    for (const { socket } of gateways) socket.uncork();
    if (isLast) return;
    // A timer at a fixed rate leaves the processor to others; a full window is refilled as soon as answers come.
    await ("rate" in pace ? turn(1) : new Promise((resolve) => setImmediate(resolve)));
  }
}

function turn(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
