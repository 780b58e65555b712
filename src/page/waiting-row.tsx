import { useState } from "preact/hooks";
import type { WaitingMessage } from "../message/repair.ts";
import { getJson } from "./api.ts";
import { ago, bytes, dateAndTime } from "./format.ts";
import { type ShownDocument, ShownMessage } from "./shown-message.tsx";

export interface WaitingRowProps {
  readonly message: WaitingMessage;
  readonly nowMs: number;
  readonly isBusy: boolean;
  readonly onRetry: () => void;
  readonly onDiscard: () => void;
}

/** One message that waits; unfolded, the packet it came in and how the rules read it now. */
export function WaitingRow({ message, nowMs, isBusy, onRetry, onDiscard }: WaitingRowProps) {
  const { id, gateway, device, fate, reason, arrivedMs, topic } = message;
  const [shown, setShown] = useState<ShownDocument>();
  const [error, setError] = useState<string>();
  const show = async (isOpen: boolean) => {
    if (!isOpen) return;
    try {
      setShown(await getJson<ShownDocument>(`spool/${encodeURIComponent(gateway)}/${id.replace(".", "/")}`));
      setError(undefined);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <li class="panel waiting">
      <div class="waiting-head">
        <span class={`badge ${fate === "held" ? "warn" : "bad"}`}>{fate}</span>
        <strong class="reason">{reason}</strong>
        <span class="actions">
          <button type="button" disabled={isBusy} onClick={onRetry} aria-label={`Retry message ${id}`}>
            Retry
          </button>
          <button
            type="button"
            class="danger"
            disabled={isBusy}
            onClick={onDiscard}
            aria-label={`Discard message ${id}`}
          >
            Discard…
          </button>
        </span>
      </div>
      <p class="quiet facts">
        <span>{device ?? "no device"}</span>
        <span>{gateway}</span>
        <span>
          <time title={dateAndTime(arrivedMs)}>{ago(arrivedMs, nowMs)}</time>
        </span>
        <span>{bytes(message.bytes)}</span>
        <span>message {id}</span>
      </p>
      <details onToggle={({ currentTarget }) => void show((currentTarget as HTMLDetailsElement).open)}>
        <summary>
          <code>{topic}</code>
        </summary>
        {error !== undefined && <p class="note bad">{error}</p>}
        {shown !== undefined && <ShownMessage message={shown} />}
      </details>
    </li>
  );
}
