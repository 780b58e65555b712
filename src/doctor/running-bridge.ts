import type { BridgeStatus, GatewayReport } from "../message/status.ts";

/**
 * Whether a bridge runs with this configuration: `no`; `yes`, with its status where it could be asked and else why not; or
 * `perhaps`, where nothing can tell.
 */
export type RunningBridge =
  | { readonly runs: "no" }
  | { readonly runs: "yes"; readonly status: BridgeStatus }
  | { readonly runs: "yes" | "perhaps"; readonly why: string };

/** What the running bridge says about a gateway, if it can be asked. */
export function reportOf(bridge: RunningBridge, gateway: string): GatewayReport | undefined {
  return "status" in bridge ? bridge.status.gateways.find(({ id }) => id === gateway) : undefined;
}
