import type { BridgeStatus } from "../message/status.ts";
import { dateAndTime, duration, plural } from "./format.ts";
import type { Live } from "./use-live.ts";

export type Grade = "good" | "warn" | "bad";

/** The whole state in one sentence, and how bad it is. */
export function verdictOf(status: BridgeStatus): { readonly grade: Grade; readonly text: string } {
  if (!status.healthy) return { grade: "bad", text: "The bridge itself is failing" };
  const away = status.gateways.filter(({ ready }) => !ready).length;
  const all = status.gateways.length;
  if (away > 0)
    return { grade: "warn", text: `${away} of ${plural(all, "gateway")} without a proven path to the cloud` };
  return {
    grade: "good",
    text: all === 1 ? "The gateway's path is proven" : `All ${plural(all, "gateway")} have a proven path`,
  };
}

/** Says at a glance whether anything wants attention. Screen readers hear it when it changes, not at every figure. */
export function Verdict({ live: { status, isConnected, nowMs } }: { live: Live }) {
  if (status === undefined) return null;
  const { grade, text } = verdictOf(status);
  return (
    <div class="verdict">
      <p role="status" class={`grade ${isConnected ? grade : "bad"}`}>
        {isConnected ? text : "The bridge does not answer; the figures below are its last"}
      </p>
      {status.reasons.map((reason) => (
        <p key={reason} class="note bad">
          {reason}
        </p>
      ))}
      <p class="quiet facts">
        <span>version {status.version}</span>
        <span title={`since ${dateAndTime(status.startedMs)}`}>up {duration(nowMs - status.startedMs)}</span>
        <span>{status.listen.length === 0 ? "not listening" : `listening on ${status.listen.join(", ")}`}</span>
      </p>
    </div>
  );
}
