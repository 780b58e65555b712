import { emptyLedger, type Ledger } from "../../src/message/fate.ts";
import type { BridgeStatus, GatewayReport } from "../../src/message/status.ts";

/** 2026-11-20T12:00:00Z: the moment the samples speak of. */
export const sampleNowMs: number = Date.UTC(2026, 10, 20, 12);

/** A ledger that adds up, with something in every member. */
export function busyLedger(): Ledger {
  return {
    received: 1234,
    delivered: 1196,
    pending: 3,
    held: 31,
    quarantined: 1,
    dropped: { unmatched: 2, gone: 1 },
    down: { received: 12, delivered: 11, pending: 0, dropped: { offline: 1 } },
  };
}

/** A gateway that works, with one attached device; `changes` says what is different. */
export function sampleGateway(id: string, changes: Partial<GatewayReport> = {}): GatewayReport {
  return {
    id,
    ready: true,
    local: { connected: true, protocol: 5, sinceMs: sampleNowMs - 60_000 },
    upstream: {
      state: "open",
      lastProvenMs: sampleNowMs - 2_000,
      tokenExpiresMs: sampleNowMs + 3_000_000,
      gapMs: 250,
      closes: { "token-expired": 2 },
    },
    devices: [{ name: "Device A", upstreamId: "Device-A", state: "attached", waiting: 0, lastSeenMs: sampleNowMs }],
    inFlight: 4,
    openCommands: 1,
    ledger: emptyLedger(),
    ...changes,
  };
}

/** A gateway whose cloud cannot be reached and that holds a device back. */
export function brokenGateway(id: string): GatewayReport {
  return sampleGateway(id, {
    ready: false,
    reason: "refused",
    local: { connected: false },
    upstream: {
      state: "waiting",
      reason: "refused",
      detail: "connect ECONNREFUSED 192.0.2.1:8883",
      lastProvenMs: sampleNowMs - 3_600_000,
      closes: { refused: 7 },
    },
    devices: [
      { name: "Device B", state: "attached", waiting: 0 },
      { name: "Device C", state: "held", reason: "GATEWAY_ATTACHMENT_ERROR", waiting: 31, lastSeenMs: sampleNowMs },
    ],
    ledger: busyLedger(),
  });
}

/** A bridge with these gateways; `changes` says what is different. */
export function sampleStatus(gateways: readonly GatewayReport[], changes: Partial<BridgeStatus> = {}): BridgeStatus {
  return {
    version: "1.2.3",
    startedMs: sampleNowMs - 11_520_000,
    listen: ["mqtt://127.0.0.1:1883"],
    healthy: true,
    reasons: [],
    ledger: gateways[0]?.ledger ?? emptyLedger(),
    waitingBytes: 12_595,
    maxBytes: 1024 ** 3,
    gateways,
    ...changes,
  };
}
