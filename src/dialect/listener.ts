import type { ListenerRules, TokenRules } from "../message/listener-rules.ts";
import { choice, duration, type Fields, fieldsOfMap, number, size } from "./fields.ts";
import { type Blame, oneOf } from "./mistake.ts";
import { readProtocols } from "./settings.ts";
import type { YamlEntry, YamlNode } from "./yaml-tree.ts";

const listenerKeys = ["protocols", "refusals", "token", "qos", "idle", "telemetry", "state", "stateInterval"];
const tokenKeys = ["skew", "lifetime", "grace", "audience", "encoding"];
/** CONNACK is one byte. */
const code = { least: 1, most: 255 };

/** Reads `listener`: how a device that connects is met. */
export function readListener(node: YamlNode | undefined, blame: Blame): ListenerRules | undefined {
  if (node === undefined) return undefined;
  const fields = fieldsOfMap(node, '"listener"', listenerKeys, blame);
  if (fields === undefined) return undefined;
  demand(["protocols", "token"], { node, what: '"listener"', fields }, blame);
  const protocols = readProtocols(fields.get("protocols"), blame);
  const token = readToken(fields.get("token"), blame);
  const rest = {
    refusals: readRefusals(fields.get("refusals"), blame),
    qos: choice(fields.get("qos"), [1, 2] as const, blame) ?? 2,
    ...withoutUndefined({
      idleMs: duration(fields.get("idle"), blame),
      telemetryBytes: size(fields.get("telemetry"), blame),
      stateBytes: size(fields.get("state"), blame),
      stateIntervalMs: duration(fields.get("stateInterval"), blame),
    }),
  };
  return protocols === undefined || token === undefined ? undefined : { protocols, token, ...rest };
}

/** Without a word on it, a client is refused in MQTT's own terms (3.1.1, 3.2.2.3). */
function readRefusals(entry: YamlEntry | undefined, blame: Blame): ListenerRules["refusals"] {
  const fields =
    entry === undefined
      ? undefined
      : fieldsOfMap(entry.value, '"refusals"', ["protocol", "clientId", "credentials"], blame);
  const protocol = number(fields?.get("protocol"), code, blame);
  return {
    ...(protocol === undefined ? {} : { protocol }),
    clientId: number(fields?.get("clientId"), code, blame) ?? 2,
    credentials: number(fields?.get("credentials"), code, blame) ?? 5,
  };
}

function readToken(entry: YamlEntry | undefined, blame: Blame): TokenRules | undefined {
  const fields = entry && fieldsOfMap(entry.value, '"token"', tokenKeys, blame);
  if (entry === undefined || fields === undefined) return undefined;
  demand(tokenKeys, { node: entry.value, what: '"token"', fields }, blame);
  const skewMs = duration(fields.get("skew"), blame);
  const lifetimeMs = duration(fields.get("lifetime"), blame);
  const graceMs = duration(fields.get("grace"), blame);
  const audience = choice(fields.get("audience"), ["checked", "ignored"] as const, blame);
  const encoding = choice(fields.get("encoding"), ["strict", "lenient"] as const, blame);
  if (skewMs === undefined || lifetimeMs === undefined || graceMs === undefined) return undefined;
  if (audience === undefined || encoding === undefined) return undefined;
  return { skewMs, lifetimeMs, graceMs, audience, encoding };
}

function demand(
  wanted: readonly string[],
  { node, what, fields }: { readonly node: YamlNode; readonly what: string; readonly fields: Fields },
  blame: Blame,
): void {
  const missing = wanted.filter((key) => !fields.has(key));
  if (missing.length > 0) blame(node.at, `${what} does not say ${oneOf(missing)}, wanted all of them`);
}

function withoutUndefined<Value extends object>(
  value: Value,
): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}
