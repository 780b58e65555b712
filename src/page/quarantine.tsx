import { useEffect, useState } from "preact/hooks";
import type { RepairOutcome, WaitingMessage, WaitingPage } from "../message/repair.ts";
import { getJson, postJson, queryOf } from "./api.ts";
import { ConfirmDialog } from "./confirm-dialog.tsx";
import { count, plural } from "./format.ts";
import { GatewayChoice } from "./gateway-choice.tsx";
import { replaceRoute } from "./route.ts";
import type { ViewProps } from "./view.ts";
import { WaitingRow } from "./waiting-row.tsx";

const pageSize = 50;
/** How much one request treats; the server's own bound. */
const stepSize = 1000;

const filters = ["gateway", "fate", "device", "reason"] as const;
type Filter = Readonly<Record<(typeof filters)[number], string>>;
type Action = "retry" | "discard";
/** What is about to be done: to one message, or to all that the filter fits. */
type Intent = { readonly action: Action; readonly message?: WaitingMessage };

/** What is held or quarantined and why; each can be looked at, tried again or discarded. */
export function QuarantineView({ route, status, live }: ViewProps) {
  const filter = Object.fromEntries(filters.map((name) => [name, route.query.get(name) ?? ""])) as Filter;
  const filterKey = queryOf(filter);
  const [messages, setMessages] = useState<readonly WaitingMessage[]>();
  const [next, setNext] = useState<string>();
  const [outcome, setOutcome] = useState<{ grade: "good" | "warn" | "bad"; text: string }>();
  const [intent, setIntent] = useState<Intent>();
  const [isBusy, setBusy] = useState(false);

  const load = async (after?: string) => {
    try {
      const page = await getJson<WaitingPage>(`spool${queryOf({ ...filter, limit: pageSize, after })}`);
      setMessages((before) => (after === undefined ? page.messages : [...(before ?? []), ...page.messages]));
      setNext(page.next);
    } catch (error) {
      setOutcome({ grade: "bad", text: messageOf(error) });
    }
  };
  const { held, quarantined } = status.ledger;
  // Anew when the filter changes, and when there is more or less of it.
  useEffect(() => void load(), [filterKey, held, quarantined]);

  const act = async ({ action, message }: Intent) => {
    setIntent(undefined);
    setBusy(true);
    try {
      setOutcome(
        outcomeInWords(
          action,
          await treat(action, message === undefined ? filter : { gateway: message.gateway, id: message.id }),
        ),
      );
    } catch (error) {
      setOutcome({ grade: "bad", text: `Cannot ${action}: ${messageOf(error)}` });
    }
    setBusy(false);
    await load();
  };
  const choose = (members: Partial<Filter>) => replaceRoute("quarantine", { ...filter, ...members });
  const isEmpty = messages?.length === 0 && next === undefined;

  return (
    <section aria-labelledby="quarantine-title">
      <div class="heading">
        <h2 id="quarantine-title">Held and quarantined</h2>
        <GatewayChoice status={status} value={filter.gateway} onChoose={(gateway) => choose({ gateway })} />
        <label class="inline">
          Fate
          <select value={filter.fate} onChange={({ currentTarget }) => choose({ fate: currentTarget.value })}>
            <option value="">both</option>
            <option value="held">held</option>
            <option value="quarantined">quarantined</option>
          </select>
        </label>
        <label class="inline">
          Device
          <input
            type="search"
            value={filter.device}
            onChange={({ currentTarget }) => choose({ device: currentTarget.value })}
          />
        </label>
        <label class="inline">
          Reason
          <input
            type="search"
            value={filter.reason}
            onInput={({ currentTarget }) => choose({ reason: currentTarget.value })}
          />
        </label>
      </div>
      <p class="quiet">
        {count(held)} held until the cloud takes the device, {count(quarantined)} quarantined until someone decides.
        Nothing here is lost, and nothing holds up the rest.
      </p>
      <p role="status" class={outcome === undefined ? "unseen" : `note ${outcome.grade}`}>
        {outcome?.text}
      </p>
      {isEmpty && <p class="quiet">{filterKey === "" ? "Nothing is held or quarantined." : "Nothing fits this."}</p>}
      {messages !== undefined && messages.length > 0 && (
        <>
          <div class="actions">
            <button type="button" disabled={isBusy} onClick={() => setIntent({ action: "retry" })}>
              Retry {filterKey === "" ? "all" : "all that fit"}
            </button>
            <button type="button" class="danger" disabled={isBusy} onClick={() => setIntent({ action: "discard" })}>
              Discard {filterKey === "" ? "all" : "all that fit"}…
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
          {next !== undefined && (
            <button type="button" onClick={() => void load(next)}>
              Show more
            </button>
          )}
        </>
      )}
      {intent !== undefined && (
        <ConfirmDialog
          {...question(intent, filterKey)}
          onConfirm={() => void act(intent)}
          onCancel={() => setIntent(undefined)}
        />
      )}
    </section>
  );
}

/** Goes through all that fits, step by step, and adds up what became of it. */
async function treat(action: Action, filter: object): Promise<RepairOutcome> {
  const said = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
  const wanted = Object.keys(said).length === 0 ? { all: true } : said;
  let total: RepairOutcome = { done: 0, kept: 0, examples: [], idle: [] };
  for (let after: string | undefined; ; ) {
    const body = { ...wanted, limit: stepSize, ...(after === undefined ? {} : { after }) };
    const { next, ...step } = await postJson<RepairOutcome>(`spool/${action}`, body);
    total = {
      done: total.done + step.done,
      kept: total.kept + step.kept,
      examples: [...total.examples, ...step.examples],
      idle: [...new Set([...total.idle, ...step.idle])],
    };
    if (next === undefined) return total;
    after = next;
  }
}

function outcomeInWords(action: Action, { done, kept, examples, idle }: RepairOutcome) {
  const did = action === "retry" ? "tried again" : "discarded";
  const sentences = [`${plural(done, "message")} ${did}.`];
  if (kept > 0)
    sentences.push(`${plural(kept, "message")} left as they were: ${examples[0]?.reason ?? "no reason given"}.`);
  if (idle.length > 0) sentences.push(`Not configured, so waiting: ${idle.join(", ")}.`);
  return { grade: done > 0 && kept === 0 ? "good" : "warn", text: sentences.join(" ") } as const;
}

function question({ action, message }: Intent, filterKey: string) {
  const what =
    message === undefined
      ? filterKey === ""
        ? "everything that is held or quarantined"
        : "all that fits the filter"
      : `message ${message.id}`;
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
