import { isMap, isScalar, isSeq, parseDocument } from "yaml";
import { readText } from "../../config/source.ts";
import { builtInMappings } from "../../mappings.ts";

/** The dialects that come with the package; none of them is compiled for that. */
export function dialectNames(): readonly string[] {
  return builtInMappings().map(({ name }) => name);
}

/** The ids of the gateways in a configuration, as far as they can be seen: it may be half written, and is not checked. */
export function gatewayIdsIn(file: string): readonly string[] {
  const read = readText(file);
  if ("fault" in read) return [];
  const { contents } = parseDocument(read.text, { uniqueKeys: false });
  const gateways = isMap(contents) ? contents.get("gateways") : undefined;
  if (!isSeq(gateways)) return [];
  return gateways.items.flatMap((gateway) => {
    const id = isMap(gateway) ? gateway.get("id", true) : undefined;
    return isScalar(id) && typeof id.value === "string" ? [id.value] : [];
  });
}
