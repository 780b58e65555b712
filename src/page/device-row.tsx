import type { ListedDevice } from "../admin/devices.ts";
import { ago, count, dateAndTime, duration } from "./format.ts";
import { linkTo } from "./route.ts";
import { TextBlock } from "./text-block.tsx";

export function DeviceRow({ device: entry, nowMs }: { device: ListedDevice; nowMs: number }) {
  const { device, gateway, state, reason, held, waiting, lastSeenMs, desired, reported } = entry;
  return (
    <tr>
      <th scope="row" data-label="Device">
        {device} <small class="quiet">at {gateway}</small>
      </th>
      <td data-label="State">
        {held === undefined ? (
          <span class={`badge ${state === "attached" ? "good" : ""}`}>{state}</span>
        ) : (
          <a class="badge warn" href={linkTo("quarantine", { gateway, device })}>
            held
          </a>
        )}{" "}
        {held === undefined ? reason : held.reason}
        {held?.sinceMs !== undefined && `, for ${duration(nowMs - held.sinceMs)}`}
      </td>
      <td data-label="Waiting" class="number">
        {count(waiting)}
      </td>
      <td data-label="Last seen">
        {lastSeenMs === undefined ? "–" : <time title={dateAndTime(lastSeenMs)}>{ago(lastSeenMs, nowMs)}</time>}
      </td>
      <td data-label="Documents">
        <Document name="desired" text={desired} />
        <Document name="reported" text={reported} />
        {desired === undefined && reported === undefined && "–"}
      </td>
    </tr>
  );
}

/** A document of a device: JSON text, unfolded when asked for. */
function Document({ name, text }: { name: string; text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <details class="document">
      <summary>{name}</summary>
      <TextBlock text={text} label={name} />
    </details>
  );
}
