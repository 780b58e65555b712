import { useState } from "preact/hooks";
import { imbalanceOf } from "../message/fate.ts";
import type { BridgeStatus, GatewayReport } from "../message/status.ts";
import { bytes, plural } from "./format.ts";
import { GatewayLinks } from "./gateway-links.tsx";
import { ReloadNotice } from "./reload-notice.tsx";
import { SearchField } from "./search-field.tsx";
import type { ViewProps } from "./view.ts";

const pageSize = 50;
/** So few are shown unfolded. */
const fewGateways = 3;

/** Both links of every gateway and their state, the worst first. */
export function LinksView({ status, live, route }: ViewProps) {
  const [search, setSearch] = useState(route.query.get("gateway") ?? "");
  const [shown, setShown] = useState(pageSize);
  const unready = status.gateways.filter(({ ready }) => !ready).length;
  const fitting = status.gateways.filter(({ id }) => id.toLowerCase().includes(search.toLowerCase())).sort(worstFirst);
  return (
    <section aria-labelledby="links-title">
      <div class="heading">
        <h2 id="links-title">Links</h2>
        {status.gateways.length > fewGateways && <SearchField label="Gateway" value={search} onType={setSearch} />}
      </div>
      {status.reload !== undefined && <ReloadNotice reload={status.reload} nowMs={live.nowMs} />}
      <SpoolUse status={status} />
      {fitting.slice(0, shown).map((gateway) => (
        <GatewayLinks
          key={gateway.id}
          {...{ gateway }}
          nowMs={live.nowMs}
          isOpen={status.gateways.length <= fewGateways || (!gateway.ready && unready <= fewGateways)}
        />
      ))}
      {fitting.length === 0 && <p class="quiet">No gateway's id contains this.</p>}
      {fitting.length > shown && (
        <button type="button" onClick={() => setShown(shown + pageSize)}>
          Show more of {plural(fitting.length, "gateway")}
        </button>
      )}
    </section>
  );
}

function SpoolUse({ status: { waitingBytes, maxBytes } }: { status: BridgeStatus }) {
  const share = maxBytes === 0 ? 0 : waitingBytes / maxBytes;
  return (
    <div class="spool">
      <label for="spool-use">Spool</label>
      <meter id="spool-use" min={0} max={1} low={0.7} high={0.9} optimum={0} value={share}>
        {Math.round(share * 100)} %
      </meter>
      <span>
        {bytes(waitingBytes)} of {bytes(maxBytes)} wait on disk
        {share >= 0.9 && " · gateways are refused when it is full"}
      </span>
    </div>
  );
}

/** Of those that are equally bad by name, not by figures: rows that change places every second cannot be read. */
function worstFirst(a: GatewayReport, b: GatewayReport): number {
  return (
    Number(a.ready) - Number(b.ready) ||
    Math.abs(imbalanceOf(b.ledger)) - Math.abs(imbalanceOf(a.ledger)) ||
    a.id.localeCompare(b.id)
  );
}
