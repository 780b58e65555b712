import { useState } from "preact/hooks";
import type { DevicesDocument } from "../admin/devices.ts";
import { queryOf } from "./api.ts";
import { DeviceRow } from "./device-row.tsx";
import { plural } from "./format.ts";
import { GatewayChoice } from "./gateway-choice.tsx";
import { replaceRoute } from "./route.ts";
import { SearchField } from "./search-field.tsx";
import { useAnswer } from "./use-answer.ts";
import type { ViewProps } from "./view.ts";

const pageSize = 50;
const refreshMs = 3_000;

/** Every device that was heard of: whether it is attached, what holds it, and its documents. */
export function DevicesView({ route, status, live }: ViewProps) {
  const gateway = route.query.get("gateway") ?? "";
  const search = route.query.get("search") ?? "";
  const [offset, setOffset] = useState(0);
  const { data, error } = useAnswer<DevicesDocument>(
    `devices${queryOf({ gateway, search, offset, limit: pageSize })}`,
    refreshMs,
  );
  const filter = (members: { gateway?: string; search?: string }) => {
    setOffset(0);
    replaceRoute("devices", { gateway, search, ...members });
  };
  return (
    <section aria-labelledby="devices-title">
      <div class="heading">
        <h2 id="devices-title">Devices</h2>
        <GatewayChoice status={status} value={gateway} onChoose={(chosen) => filter({ gateway: chosen })} />
        <SearchField label="Name" value={search} onType={(typed) => filter({ search: typed })} />
      </div>
      {error !== undefined && <p class="note bad">{error}</p>}
      {data !== undefined && data.total === 0 && (
        <p class="quiet">
          {gateway === "" && search === "" ? "No device has been heard of yet." : "No device fits this."}
        </p>
      )}
      {data !== undefined && data.total > 0 && (
        <>
          <div class="table-frame">
            <table class="rows">
              <thead>
                <tr>
                  <th scope="col">Device</th>
                  <th scope="col">State</th>
                  <th scope="col" class="number">
                    Waiting
                  </th>
                  <th scope="col">Last seen</th>
                  <th scope="col">Documents</th>
                </tr>
              </thead>
              <tbody>
                {data.devices.map((device) => (
                  <DeviceRow key={`${device.gateway}\n${device.device}`} {...{ device }} nowMs={live.nowMs} />
                ))}
              </tbody>
            </table>
          </div>
          <Pages {...{ offset }} total={data.total} shown={data.devices.length} onTurn={setOffset} />
        </>
      )}
    </section>
  );
}

function Pages(props: { offset: number; shown: number; total: number; onTurn: (offset: number) => void }) {
  const { offset, shown, total, onTurn } = props;
  if (total <= pageSize) return <p class="quiet">{plural(total, "device")}</p>;
  return (
    <div class="pages">
      <button type="button" disabled={offset === 0} onClick={() => onTurn(Math.max(0, offset - pageSize))}>
        Previous
      </button>
      <span>
        {offset + 1} to {offset + shown} of {plural(total, "device")}
      </span>
      <button type="button" disabled={offset + shown >= total} onClick={() => onTurn(offset + pageSize)}>
        Next
      </button>
    </div>
  );
}
