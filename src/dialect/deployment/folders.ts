import { type JsonText, membersOf, objectText } from "../../message/json.ts";
import type { Point, Telemetry } from "../../message/message.ts";
import type { DeviceRules } from "./device-rules.ts";

/** Telemetry whose keys are named as upstream, as one message per folder, in the order in which folders first appear. */
export function inFolders(message: Telemetry, { folder, tables }: DeviceRules): readonly Telemetry[] {
  const { points } = message;
  if (points === undefined || message.folder !== undefined) return [message];
  const otherwise = folder?.folder?.name ?? "";
  const folderOf = (key: string) => {
    const fate = tables.telemetry.inward(key);
    return (fate.kind === "becomes" ? fate.entry.folder : undefined) ?? otherwise;
  };
  const byFolder = new Map<string, Point[]>();
  for (const point of points) {
    for (const [name, values] of splitValues(point.values, folderOf, otherwise)) {
      const list = byFolder.get(name) ?? [];
      if (list.length === 0) byFolder.set(name, list);
      list.push({ ...point, values });
    }
  }
  return [...byFolder].map(([name, list]) => ({ ...message, ...(name === "" ? {} : { folder: name }), points: list }));
}

/** The members of some values by the folder they go to, each in its order; no members at all go to `otherwise`. */
function splitValues(
  values: JsonText,
  folderOf: (key: string) => string,
  otherwise: string,
): readonly (readonly [string, JsonText])[] {
  const byFolder = new Map<string, [string, JsonText][]>();
  for (const [key, value] of membersOf(values)) {
    const folder = folderOf(key);
    const list = byFolder.get(folder) ?? [];
    if (list.length === 0) byFolder.set(folder, list);
    list.push([key, value]);
  }
  if (byFolder.size < 2) return [[[...byFolder.keys()][0] ?? otherwise, values]];
  return [...byFolder].map(([folder, list]) => [folder, objectText(list)]);
}
