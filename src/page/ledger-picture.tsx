import { imbalanceOf, type Ledger } from "../message/fate.ts";
import { count } from "./format.ts";

/** One term of the sum, and how many messages met it. */
export interface FateCount {
  readonly fate: "delivered" | "pending" | "held" | "quarantined" | "dropped";
  readonly messages: number;
}

/** In the order of the equation. */
export function fatesOf(ledger: Ledger): readonly FateCount[] {
  const dropped = Object.values(ledger.dropped).reduce((sum, messages) => sum + messages, 0);
  return [
    { fate: "delivered", messages: ledger.delivered },
    { fate: "pending", messages: ledger.pending },
    { fate: "held", messages: ledger.held },
    { fate: "quarantined", messages: ledger.quarantined },
    { fate: "dropped", messages: dropped },
  ];
}

const meanings: Readonly<Record<FateCount["fate"], string>> = {
  delivered: "acknowledged by the cloud",
  pending: "on disk, on its way",
  held: "waits for its device",
  quarantined: "waits for you",
  dropped: "let go under a rule",
};

/**
 * The ledger as two bars of one length: what came in, and what became of it. They balance, or it says by how much not.
 * What is not delivered is often too little to be seen, so a third bar shows it alone.
 */
export function LedgerPicture({ ledger }: { ledger: Ledger }) {
  const fates = fatesOf(ledger);
  const rest = fates.filter(({ fate }) => fate !== "delivered");
  const restTotal = rest.reduce((sum, { messages }) => sum + messages, 0);
  const off = imbalanceOf(ledger);
  return (
    <>
      <p class={`equation ${off === 0 ? "" : "bad-text"}`}>
        <span>
          <b>{count(ledger.received)}</b> received
        </span>
        {fates.map(({ fate, messages }, index) => (
          <span key={fate}>
            {index === 0 ? "= " : "+ "}
            <b>{count(messages)}</b> {fate}
          </span>
        ))}
        <span class={off === 0 ? "good-text" : ""}>{off === 0 ? "✓ balances" : `✗ off by ${count(off)}`}</span>
      </p>
      <div aria-hidden="true">
        <Bar
          fates={ledger.received === 0 ? [] : [{ fate: "received", messages: ledger.received }]}
          total={ledger.received}
        />
        <Bar fates={fates} total={ledger.received} />
        {restTotal > 0 && restTotal < ledger.received && (
          <>
            <p class="quiet caption">not delivered, enlarged</p>
            <Bar fates={rest} total={restTotal} />
          </>
        )}
      </div>
      <dl class="legend">
        {fates.map(({ fate, messages }) => (
          <div key={fate}>
            <dt>
              <span class={`swatch ${fate}`} aria-hidden="true" /> {fate}
            </dt>
            <dd>
              <b>{count(messages)}</b> <span class="quiet">{meanings[fate]}</span>
              {fate === "dropped" && <DropReasons dropped={ledger.dropped} />}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Bar({ fates, total }: { fates: readonly { fate: string; messages: number }[]; total: number }) {
  return (
    <div class="bar">
      {fates
        .filter(({ messages }) => messages > 0)
        .map(({ fate, messages }) => (
          <div
            key={fate}
            class={`segment ${fate}`}
            style={{ flexGrow: messages / Math.max(1, total) }}
            title={`${count(messages)} ${fate}`}
          />
        ))}
    </div>
  );
}

function DropReasons({ dropped }: Pick<Ledger, "dropped">) {
  const reasons = Object.entries(dropped).sort(([, a], [, b]) => b - a);
  if (reasons.length === 0) return null;
  return (
    <ul class="reasons">
      {reasons.map(([reason, messages]) => (
        <li key={reason}>
          {count(messages)} <code>{reason}</code>
        </li>
      ))}
    </ul>
  );
}
