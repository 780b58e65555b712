import { useState } from "preact/hooks";
import type { WaitingMessage } from "../message/repair.ts";
import { queryOf } from "./api.ts";
import { Choice } from "./choice.tsx";
import { ConfirmDialog } from "./confirm-dialog.tsx";
import { count } from "./format.ts";
import { GatewayChoice } from "./gateway-choice.tsx";
import { replaceRoute } from "./route.ts";
import { SearchField } from "./search-field.tsx";
import { type Told, type Treatment, treatWaiting } from "./treat-waiting.ts";
import { useWaiting, type WaitingFilter } from "./use-waiting.ts";
import type { ViewProps } from "./view.ts";
import { WaitingRow } from "./waiting-row.tsx";

const fates = ["held", "quarantined"] as const;

/** What is about to be done: to one message, or to all that the filter fits. */
type Intent = { readonly action: Treatment; readonly message?: WaitingMessage };

/** What is held or quarantined and why; each can be looked at, tried again or discarded. */
export function QuarantineView({ route, status, live }: ViewProps) {
  const named = (name: keyof WaitingFilter) => route.query.get(name) ?? "";
  const filter = { gateway: named("gateway"), fate: named("fate"), device: named("device"), reason: named("reason") };
  const isFiltered = queryOf(filter) !== "";
  const { held, quarantined } = status.ledger;
  const { messages, hasMore, error, showMore, refresh } = useWaiting(filter, `${held} ${quarantined}`);
  const [told, setTold] = useState<Told>();
  const [intent, setIntent] = useState<Intent>();
  const [isBusy, setBusy] = useState(false);

  const act = async ({ action, message }: Intent) => {
    setIntent(undefined);
    setBusy(true);
    setTold(await treatWaiting(action, message ?? filter));
    setBusy(false);
    refresh();
  };
  const choose = (members: Partial<WaitingFilter>) => replaceRoute("quarantine", { ...filter, ...members });

  return (
    <section aria-labelledby="quarantine-title">
      <div class="heading">
        <h2 id="quarantine-title">Held and quarantined</h2>
        <GatewayChoice status={status} value={filter.gateway} onChoose={(gateway) => choose({ gateway })} />
        <Choice label="Fate" all="both" values={fates} value={filter.fate} onChoose={(fate) => choose({ fate })} />
        <SearchField label="Device" value={filter.device} onEnter={(device) => choose({ device })} />
        <SearchField label="Reason" value={filter.reason} onType={(reason) => choose({ reason })} />
      </div>
      <p class="quiet">
        {count(held)} held until the cloud takes the device, {count(quarantined)} quarantined until someone decides.
        Nothing here is lost, and nothing holds up the rest.
      </p>
      <p role="status" class={told === undefined ? "unseen" : `note ${told.grade}`}>
        {told?.text}
      </p>
      {error !== undefined && <p class="note bad">{error}</p>}
      {messages?.length === 0 && (
        <p class="quiet">
          {hasMore
            ? "Nothing fits this so far."
            : isFiltered
              ? "Nothing fits this."
              : "Nothing is held or quarantined."}
        </p>
      )}
      {messages !== undefined && messages.length > 0 && (
        <>
          <div class="actions">
            <button type="button" disabled={isBusy} onClick={() => setIntent({ action: "retry" })}>
              Retry {isFiltered ? "all that fit" : "all"}
            </button>
            <button type="button" class="danger" disabled={isBusy} onClick={() => setIntent({ action: "discard" })}>
              Discard {isFiltered ? "all that fit" : "all"}…
            </button>
          </div>
          <ul class="plain">
            {messages.map((message) => (
              <WaitingRow
                key={`${message.gateway} ${message.id}`}
                {...{ message, isBusy }}
                nowMs={live.nowMs}
                onRetry={() => void act({ action: "retry", message })}
                onDiscard={() => setIntent({ action: "discard", message })}
              />
            ))}
          </ul>
        </>
      )}
      {hasMore && (
        <button type="button" onClick={showMore}>
          Show more
        </button>
      )}
      {intent !== undefined && (
        <ConfirmDialog
          {...question(intent, isFiltered)}
          onConfirm={() => void act(intent)}
          onCancel={() => setIntent(undefined)}
        />
      )}
    </section>
  );
}

function question({ action, message }: Intent, isFiltered: boolean) {
  const all = isFiltered ? "all that fits the filter" : "everything that is held or quarantined";
  const what = message === undefined ? all : `message ${message.id}`;
  if (action === "discard") {
    return {
      title: `Discard ${what}?`,
      text: "It is taken off the disk, counted as dropped, and cannot be brought back.",
      confirm: "Discard",
      isDangerous: true,
    };
  }
  return {
    title: `Retry ${what}?`,
    text: "Quarantined messages are read by the rules as they are now. What fails again comes back here.",
    confirm: "Retry",
    isDangerous: false,
  };
}
