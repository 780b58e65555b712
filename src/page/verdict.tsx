import type { BridgeStatus } from "../message/status.ts";
import { count, dateAndTime, duration, plural } from "./format.ts";
import { linkTo } from "./route.ts";
import type { Live } from "./use-live.ts";

export type Grade = "good" | "warn" | "bad";

/** The whole state in one sentence, and how bad it is. */
export function verdictOf(status: BridgeStatus): { readonly grade: Grade; readonly text: string } {
  if (!status.healthy) return { grade: "bad", text: "The bridge itself is failing" };
  const all = plural(status.gateways.length, "gateway");
  const unproven = status.gateways.filter(({ ready }) => !ready).length;
  if (unproven > 0) return { grade: "warn", text: `${unproven} of ${all} without a proven path to the cloud` };
  const away = status.gateways.filter(({ local }) => !local.connected).length;
  const proven = `${all} with a proven path to the cloud`;
  if (away > 0) return { grade: "warn", text: `${proven}, ${count(away)} not connected here` };
  return { grade: "good", text: proven };
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
      {status.reload?.outcome === "refused" && (
        <p class="note bad">
          A changed configuration was refused, so the one before is in use.{" "}
          <a href={linkTo("links")}>Where it is wrong</a>
        </p>
      )}
      <p class="quiet facts">
        {status.version !== "" && <span>version {status.version}</span>}
        <span title={`since ${dateAndTime(status.startedMs)}`}>up {duration(nowMs - status.startedMs)}</span>
        <span>{status.listen.length === 0 ? "not listening" : `listening on ${status.listen.join(", ")}`}</span>
      </p>
    </div>
  );
}
