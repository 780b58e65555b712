import type { BridgeStatus, GatewayReport } from "../message/status.ts";

export type Health =
  | { readonly status: "ok" }
  /** The ledger does not add up or the spool cannot be written. */
  | { readonly status: "failing"; readonly reasons: readonly string[] };

export type Readiness = (
  | { readonly status: "ready"; readonly gateways: number }
  | { readonly status: "notReady"; readonly gateways: number; readonly notReady: readonly PathState[] }
) & { readonly paths?: readonly PathState[] };

/** One gateway's path upstream. `reason` is there where it is not proven: a stable word where the connection has one. */
export interface PathState {
  readonly id: string;
  readonly reason?: string;
  readonly detail?: string;
  /** When an acknowledged packet, a ping or a CONNACK last proved it, Unix milliseconds; absent until one has. */
  readonly lastProvenMs?: number;
}

/** Whether the process does its work, as `/healthz` says it. Clouds that cannot be reached are not its fault. */
export function healthOf(status: BridgeStatus): Health {
  return status.healthy ? { status: "ok" } : { status: "failing", reasons: status.reasons };
}

/**
 * Whether every gateway's path upstream is proven, as `/readyz` says it, and which are not and why; with `isVerbose` also
 * those that are, in `paths`.
 */
export function readinessOf(status: BridgeStatus, options: { readonly isVerbose: boolean }): Readiness {
  const notReady = status.gateways.filter((gateway) => !gateway.ready).map(pathState);
  const gateways = status.gateways.length;
  return {
    ...(notReady.length === 0 ? { status: "ready", gateways } : { status: "notReady", gateways, notReady }),
    ...(options.isVerbose ? { paths: status.gateways.map(pathState) } : {}),
  };
}

function pathState({ id, ready, reason, upstream }: GatewayReport): PathState {
  const { detail, lastProvenMs } = upstream;
  return {
    id,
    ...(ready ? {} : { reason: reason ?? upstream.reason ?? `the connection is ${upstream.state}` }),
    ...(ready || detail === undefined ? {} : { detail }),
    ...(lastProvenMs === undefined ? {} : { lastProvenMs }),
  };
}
