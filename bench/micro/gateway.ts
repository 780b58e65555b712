import { createGateway } from "../../src/gateway/gateway.ts";
import type { JsonText } from "../../src/message/json.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { changing, defaultRules, documented } from "../../test/gateway/play.ts";
import { type Timing, timeInTurn } from "../timing.ts";

const devices = Array.from({ length: 64 }, (_, index) => `sensor-${index}` as DeviceId);
const inHand = 200;
/** Paced, but never slowed. */
const paced = { telemetryBytes: 256_000, messagesPerSecond: 1e9, bytesPerSecond: 1e12, pace: 0.8 };

/** One-device telemetry through the rules with nothing in the way: in, published, acknowledged, settled. */
export async function measure(): Promise<readonly Timing[]> {
  const one = telemetry(1);
  const many = telemetry(inHand);
  const body = bodyOnly();
  const bare = "making the body alone";
  const ns = timeInTurn({ one, many, body });
  return [
    { name: "one telemetry message, acknowledged at once", ns: ns.one, against: bare },
    { name: `the same with ${inHand} unacknowledged`, ns: ns.many, against: bare },
    { name: bare, ns: ns.body },
  ];
}

function telemetry(unacknowledged: number): () => void {
  const gateway = attachedGateway();
  const tokens: number[] = [];
  let nowMs = 1_000_000;
  let seq = 1000;
  return () => {
    seq += 1;
    nowMs += 0.01;
    const device = devices[seq % devices.length] as DeviceId;
    const values = `{"temperature":21.5,"humidity":${seq},"status":"ok"}` as JsonText;
    const effects = gateway.handle(
      {
        kind: "arrived",
        record: { seq, arrivedMs: nowMs, isOpen },
        bytes: 100,
        connection: 1,
        messages: [{ kind: "telemetry", device, points: [{ ts: 1483228800000, values }] }],
        queue: true,
      },
      nowMs,
    );
    for (const effect of effects) if (effect.kind === "publish") tokens.push(effect.token);
    if (tokens.length >= unacknowledged) {
      for (const token of tokens) gateway.handle({ kind: "acknowledged", token, code: 0 }, nowMs);
      tokens.length = 0;
    }
  };
}

function bodyOnly(): () => Uint8Array {
  let seq = 1000;
  return () => {
    seq += 1;
    return Buffer.from(`[{"ts":1483228800000,"values":{"temperature":21.5,"humidity":${seq},"status":"ok"}}]`);
  };
}

function attachedGateway(): ReturnType<typeof createGateway> {
  const gateway = createGateway({
    id: "bench",
    local: { ...changing, limits: {} },
    upstream: { ...documented, limits: paced },
    inFlight: 256,
    attachTimeoutMs: 10_000,
    settleMs: 0,
    facts: [],
    rules: defaultRules,
  });
  gateway.handle({ kind: "localConnected", connection: 1 }, 1000);
  gateway.handle({ kind: "upstreamOpened" }, 1000);
  for (const [index, device] of devices.entries()) {
    const messages = [{ kind: "attach", device }] as const;
    const effects = gateway.handle(
      {
        kind: "arrived",
        record: { seq: index + 1, arrivedMs: 1000, isOpen },
        bytes: 0,
        connection: 1,
        messages,
        queue: true,
      },
      1000,
    );
    for (const effect of effects) {
      if (effect.kind === "publish") gateway.handle({ kind: "acknowledged", token: effect.token, code: 0 }, 1000);
    }
  }
  return gateway;
}

function isOpen(): boolean {
  return true;
}
