/** Every filter ThingsBoard grants (processSubscribe); they are compared as strings, wildcards have no meaning. */
const grantable: ReadonlySet<string> = new Set([
  "v1/gateway/attributes",
  "v1/gateway/attributes/response",
  "v1/gateway/rpc",
  "v1/devices/me/attributes",
  "v1/devices/me/attributes/response/+",
  "v1/devices/me/rpc/request/+",
  "v1/devices/me/rpc/response/+",
  "v2/a",
  "v2/a/j",
  "v2/a/p",
  ...["v2/a/res", "v2/r/req", "v2/r/res"].flatMap((base) => [`${base}/+`, `${base}/j/+`, `${base}/p/+`]),
  "v2/fw/response/+/chunk/+",
  "v2/fw/error",
  "v2/sw/response/+/chunk/+",
  "v2/sw/error",
]);

/** The QoS granted for a filter: the one asked for, at most 1; `undefined` if it is refused. */
export function grantFor(filter: string, qos: 0 | 1 | 2): 0 | 1 | undefined {
  if (!grantable.has(filter)) return undefined;
  return qos === 0 ? 0 : 1;
}

/** Filters that have a device's own commands delivered. */
export const commandFilters: ReadonlySet<string> = new Set([
  "v1/devices/me/rpc/request/+",
  "v2/r/req/+",
  "v2/r/req/j/+",
]);

/** Filters that have changes of a device's own shared attributes delivered. */
export const attributeFilters: ReadonlySet<string> = new Set(["v1/devices/me/attributes", "v2/a", "v2/a/j"]);
