import { imbalanceOf, type Ledger } from "../message/fate.ts";
import { count } from "./format.ts";
import { HistoryCharts } from "./history.tsx";
import { type FateCount, fatesOf, LedgerPicture } from "./ledger-picture.tsx";
import { linkTo } from "./route.ts";
import type { ViewProps } from "./view.ts";

/** What became of every message, as figures that add up, and how it went over time. */
export function LedgerView({ status }: ViewProps) {
  const { ledger, gateways } = status;
  return (
    <section aria-labelledby="ledger-title">
      <h2 id="ledger-title">Ledger</h2>
      <div class="panel">
        <h3>From the gateways</h3>
        <LedgerPicture ledger={ledger} />
      </div>
      <HistoryCharts />
      <div class="panel">
        <h3>From the clouds</h3>
        <DownLedger down={ledger.down} />
      </div>
      {gateways.length > 0 && (
        <div class="panel">
          <h3>By gateway</h3>
          <GatewayLedgers gateways={gateways} />
        </div>
      )}
    </section>
  );
}

function DownLedger({ down }: { down: Ledger["down"] }) {
  const dropped = Object.entries(down.dropped);
  return (
    <p>
      {count(down.received)} received = {count(down.delivered)} delivered + {count(down.pending)} pending +{" "}
      {count(sum(down.dropped))} dropped
      {dropped.length > 0 && ` (${dropped.map(([reason, times]) => `${count(times)} ${reason}`).join(", ")})`}
    </p>
  );
}

const maxRows = 100;

const columns: Readonly<Record<FateCount["fate"], string>> = {
  delivered: "Delivered",
  pending: "Pending",
  held: "Held",
  quarantined: "Quarantined",
  dropped: "Dropped",
};

function GatewayLedgers({ gateways }: Pick<ViewProps["status"], "gateways">) {
  const rows = [...gateways].sort((a, b) => trouble(b.ledger) - trouble(a.ledger) || a.id.localeCompare(b.id));
  return (
    <div class="table-frame">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Gateway</th>
            {["Received", ...Object.values(columns)].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
            <th scope="col">Balance</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, maxRows).map(({ id, ledger }) => (
            <tr key={id}>
              <th scope="row" data-label="Gateway">
                <a href={linkTo("links", { gateway: id })}>{id}</a>
              </th>
              <td data-label="Received" class="number">
                {count(ledger.received)}
              </td>
              {fatesOf(ledger).map(({ fate, messages }) => (
                <td key={fate} data-label={columns[fate]} class="number">
                  {count(messages)}
                </td>
              ))}
              <td data-label="Balance">
                {imbalanceOf(ledger) === 0 ? "✓" : <strong class="bad-text">off by {imbalanceOf(ledger)}</strong>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > maxRows && (
        <p class="quiet">
          and {count(rows.length - maxRows)} more gateways, none of them with more held or quarantined
        </p>
      )}
    </div>
  );
}

function trouble(ledger: Ledger): number {
  return Math.abs(imbalanceOf(ledger)) * 1e9 + ledger.held + ledger.quarantined;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, value) => total + value, 0);
}
