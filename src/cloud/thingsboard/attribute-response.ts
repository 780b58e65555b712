import { type JsonText, objectText, scalarText } from "../../message/json.ts";
import { type StoredValue, valuesText } from "./stored-value.ts";

type Scope = ReadonlyMap<string, StoredValue>;

/** The attributes asked for that there are, in the order they were set; no keys ask for all. */
export function select(scope: Scope, keys: readonly string[]): Scope {
  return keys.length === 0 ? scope : new Map([...scope].filter(([key]) => keys.includes(key)));
}

/**
 * The answer to a gateway's attribute request, in its peculiar forms (JsonConverter, getJsonObjectForGateway).
 *
 * One name asked for gives `value`, several `values`, nothing found neither; for no names at all each scope is added by
 * itself, with `value` for a scope of one attribute.
 */
export function gatewayResponse(
  request: { readonly id: number; readonly device: string; readonly keys: readonly string[] },
  found: { readonly client: Scope; readonly shared: Scope },
): JsonText {
  let value: JsonText | undefined;
  let values: ReadonlyMap<string, StoredValue> | undefined;
  for (const scope of [found.client, found.shared]) {
    if (scope.size === 0) continue;
    if (scope.size === 1 && request.keys.length <= 1) value = [...scope.values()][0]?.text;
    else values = new Map([...(values ?? []), ...scope]);
  }
  const members: [string, JsonText][] = [
    ["id", scalarText(request.id)],
    ["device", scalarText(request.device)],
  ];
  if (value !== undefined) members.push(["value", value]);
  if (values !== undefined) members.push(["values", valuesText(values)]);
  return objectText(members);
}

/** The answer to a device that asks for attributes of its own; empty scopes are left out. */
export function ownResponse(found: { readonly client: Scope; readonly shared: Scope }): JsonText {
  return objectText(
    (["client", "shared"] as const)
      .filter((scope) => found[scope].size > 0)
      .map((scope) => [scope, valuesText(found[scope])]),
  );
}
