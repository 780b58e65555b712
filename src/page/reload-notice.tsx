import type { BridgeStatus } from "../message/status.ts";

/** Temporary: until the reload report lands. */
export function ReloadNotice(_props: { status: BridgeStatus; nowMs: number }) {
  return null;
}
