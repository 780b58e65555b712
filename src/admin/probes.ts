import type { BridgeStatus, GatewayReport } from "../message/status.ts";

export type Health =
  | { readonly status: "ok" }
  /** The ledger does not add up or the spool cannot be written. */
  | { readonly status: "failing"; readonly reasons: readonly string[] };

export type Readiness =
  | { readonly status: "ready"; readonly gateways: number }
  | { readonly status: "notReady"; readonly gateways: number; readonly notReady: readonly NotReady[] };

/** A gateway without a proven path upstream. `reason` is a stable word where the connection has one. */
export interface NotReady {
  readonly id: string;
  readonly reason: string;
  readonly detail?: string;
}

/** Whether the process does its work, as `/healthz` says it. Clouds that cannot be reached are not its fault. */
export function healthOf(status: BridgeStatus): Health {
  return status.healthy ? { status: "ok" } : { status: "failing", reasons: status.reasons };
}

/** Whether every gateway's path upstream is proven, as `/readyz` says it, and which are not and why. */
export function readinessOf(status: BridgeStatus): Readiness {
  const notReady = status.gateways.filter((gateway) => !gateway.ready).map(whyNotReady);
  const gateways = status.gateways.length;
  return notReady.length === 0 ? { status: "ready", gateways } : { status: "notReady", gateways, notReady };
}

function whyNotReady({ id, reason, upstream }: GatewayReport): NotReady {
  const why = reason ?? upstream.reason ?? `the connection is ${upstream.state}`;
  return { id, reason: why, ...(upstream.detail === undefined ? {} : { detail: upstream.detail }) };
}
