import { Choice } from "./choice.tsx";
import { count, plural } from "./format.ts";
import { GatewayChoice } from "./gateway-choice.tsx";
import { replaceRoute } from "./route.ts";
import { SearchField } from "./search-field.tsx";
import { TraceEntryView } from "./trace-entry.tsx";
import type { TraceFilter, ViewProps } from "./view.ts";
import { kinds } from "./vocabulary.ts";

/** Packets as they pass: each as it was, what it means, and what it became. The newest is on top. */
export function TraceView({ live, status, trace }: ViewProps) {
  const { isPaused, onPause, filter } = trace;
  const { entries, missed } = live.trace;
  const choose = (members: Partial<TraceFilter>) => {
    live.trace.clear();
    replaceRoute("trace", { ...filter, ...members });
  };
  return (
    <section aria-labelledby="trace-title">
      <div class="heading">
        <h2 id="trace-title">Live trace</h2>
        <GatewayChoice status={status} value={filter.gateway} onChoose={(gateway) => choose({ gateway })} />
        <SearchField label="Device" value={filter.device} onEnter={(device) => choose({ device })} />
        <Choice label="Kind" all="all" values={kinds} value={filter.kind} onChoose={(kind) => choose({ kind })} />
        <button type="button" aria-pressed={isPaused} onClick={() => onPause(!isPaused)}>
          {isPaused ? "Go on" : "Pause"}
        </button>
        <button type="button" onClick={() => choose({})}>
          Clear
        </button>
      </div>
      <p class="quiet">
        {isPaused ? "Paused: packets that pass now are not shown. " : ""}
        {entries.length > 0 && `${plural(entries.length, "entry").replace("entrys", "entries")}. `}
        {missed > 0 && `${count(missed)} packets passed too fast to be shown. `}
        What is secret, and what nobody understood, is shown as •••.
      </p>
      {entries.length === 0 && !isPaused && (
        <p class="quiet">Waiting for the next packet… Packets are traced only while this view is open.</p>
      )}
      <ol class="plain trace" aria-label="Packets, the newest first">
        {entries.map((entry) => (
          <TraceEntryView key={entry.key} entry={entry} />
        ))}
      </ol>
    </section>
  );
}
