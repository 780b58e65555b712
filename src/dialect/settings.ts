import type { IdRules, Limits, ReconnectPolicy, RetryPolicy, Traits } from "../message/traits.ts";
import type { ConnectionRules, DialectParameter } from "./dialect.ts";
import { choice, duration, fieldsOfMap, number, size, text } from "./fields.ts";
import { type Blame, oneOf } from "./mistake.ts";
import { vocabulary } from "./vocabulary.ts";
import { describeYaml, type YamlEntry, type YamlNode } from "./yaml-tree.ts";

/** Reads `parameters: { name: { describe, default } }`. */
export function readParameters(
  node: YamlNode | undefined,
  blame: Blame,
): readonly (DialectParameter & { at: YamlEntry })[] {
  if (node === undefined) return [];
  if (node.kind !== "map") {
    blame(node.at, `"parameters" holds ${describeYaml(node)}, wanted a map from names to what they are`);
    return [];
  }
  const taken = new Set([
    "gateway",
    "prefix",
    ...Object.values(vocabulary).flatMap(({ variables }) => Object.keys(variables)),
  ]);
  return node.entries.flatMap((entry) => {
    const { key, at, value } = entry;
    if (!/^[a-z]\w*$/i.test(key)) blame(at, `Unusable parameter name "${key}", wanted letters and digits`);
    if (taken.has(key)) blame(at, `The parameter name "${key}" has a meaning already, wanted another one`);
    const fields = fieldsOfMap(value, `the parameter "${key}"`, ["describe", "default"], blame);
    if (fields === undefined) return [];
    const describe = text(fields.get("describe"), blame);
    if (describe === undefined && !fields.has("describe"))
      blame(value.at, `The parameter "${key}" is not explained, wanted "describe"`);
    const usual = text(fields.get("default"), blame);
    return [{ at: entry, name: key, describe: describe ?? "", ...(usual === undefined ? {} : { default: usual }) }];
  });
}

const connectionKeys = [
  "credentials",
  "protocols",
  "url",
  "clientId",
  "username",
  "audience",
  "keepalive",
  "forbiddenInIds",
];

/** Reads `connection`. `use` is told each `{name}` that a template holds. */
export function readConnection(
  node: YamlNode,
  use: (name: string, entry: YamlEntry) => void,
  blame: Blame,
): ConnectionRules | undefined {
  const fields = fieldsOfMap(node, '"connection"', connectionKeys, blame);
  if (fields === undefined) return undefined;
  const credentials = choice(fields.get("credentials"), ["token", "jwt"], blame);
  if (!fields.has("credentials")) blame(node.at, '"connection" has no "credentials", wanted "token" or "jwt"');
  const protocols = readProtocols(fields.get("protocols"), blame);
  if (!fields.has("protocols")) blame(node.at, '"connection" has no "protocols", wanted a list such as [4]');
  const templates: { url?: string; clientId?: string; username?: string; audience?: string } = {};
  for (const key of ["url", "clientId", "username", "audience"] as const) {
    const entry = fields.get(key);
    const template = text(entry, blame);
    if (template === undefined || entry === undefined) continue;
    templates[key] = template;
    for (const [, name] of template.matchAll(/\{([^{}]*)\}/g)) use(name as string, entry);
  }
  const keepaliveMs = duration(fields.get("keepalive"), blame) ?? 60_000;
  const forbidden = text(fields.get("forbiddenInIds"), blame);
  if (credentials === undefined || protocols === undefined) return undefined;
  return {
    credentials,
    protocols,
    ...templates,
    keepaliveMs,
    ...(forbidden === undefined ? {} : { forbiddenInIds: forbidden }),
  };
}

/** Reads a list of MQTT levels. */
export function readProtocols(entry: YamlEntry | undefined, blame: Blame): readonly (3 | 4 | 5)[] | undefined {
  if (entry === undefined) return undefined;
  const items = entry.value.kind === "list" ? entry.value.items : [];
  const levels = items.map((item) =>
    item.kind === "scalar" ? ([3, 4, 5] as const).find((level) => level === item.value) : undefined,
  );
  if (levels.length > 0 && levels.every((level) => level !== undefined)) return levels;
  blame(
    entry.value.at,
    `"protocols" is ${describeYaml(entry.value)}, wanted a list of MQTT levels: 3, 4 or 5, preferred first`,
  );
  return undefined;
}

const traitValues: { readonly [Trait in keyof Traits]: readonly Traits[Trait][] } = {
  attach: ["implied", "required"],
  config: ["document", "changes"],
  state: ["document", "changes"],
  commands: ["replied", "oneWay"],
  errors: ["topic", "none"],
  time: ["payload", "arrival"],
  body: ["points", "bytes"],
  packet: ["devices", "device"],
};

/** Reads `traits`; every one of them has to be said. */
export function readTraits(node: YamlNode, blame: Blame): Traits | undefined {
  const names = Object.keys(traitValues) as (keyof Traits)[];
  const fields = fieldsOfMap(node, '"traits"', names, blame);
  if (fields === undefined) return undefined;
  const missing = names.filter((name) => !fields.has(name));
  if (missing.length > 0) blame(node.at, `"traits" does not say ${oneOf(missing)}, wanted all of them`);
  const found = names.map((name) => [name, choice(fields.get(name), traitValues[name] as readonly string[], blame)]);
  return found.every(([, value]) => value !== undefined) ? (Object.fromEntries(found) as unknown as Traits) : undefined;
}

/** Reads `ids`; left out, any text will do. */
export function readIds(node: YamlNode | undefined, blame: Blame): IdRules {
  if (node === undefined) return { form: "free" };
  const fields = fieldsOfMap(
    node,
    '"ids"',
    ["form", "pattern", "minLength", "maxLength", "unescaped", "reservedPrefixes"],
    blame,
  );
  if (fields === undefined) return { form: "free" };
  const form = choice(fields.get("form"), ["free", "restricted"], blame);
  if (!fields.has("form")) blame(node.at, '"ids" has no "form", wanted "free" or "restricted"');
  const pattern = regularExpression(fields.get("pattern"), (source) => source);
  const unescaped = regularExpression(fields.get("unescaped"), (source) => `[${source}]`);
  const length = { least: 1, most: Number.MAX_SAFE_INTEGER };
  const minLength = number(fields.get("minLength"), length, blame);
  const maxLength = number(fields.get("maxLength"), length, blame);
  const reserved = fields.get("reservedPrefixes")?.value;
  const prefixes =
    reserved?.kind === "list"
      ? reserved.items.flatMap((item) => (item.kind === "scalar" ? [item.source] : []))
      : undefined;
  if (reserved !== undefined && prefixes === undefined) {
    blame(reserved.at, `"reservedPrefixes" is ${describeYaml(reserved)}, wanted a list of texts`);
  }
  return {
    form: form ?? "free",
    ...(pattern === undefined ? {} : { pattern }),
    ...(minLength === undefined ? {} : { minLength }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(unescaped === undefined ? {} : { unescaped }),
    ...(prefixes === undefined ? {} : { reservedPrefixes: prefixes }),
  };

  function regularExpression(entry: YamlEntry | undefined, wrap: (source: string) => string): string | undefined {
    const source = text(entry, blame);
    if (source === undefined || entry === undefined) return undefined;
    try {
      new RegExp(`^(?:${wrap(source)})$`, "u");
      return source;
    } catch {
      blame(entry.value.at, `"${entry.key}" is ${describeYaml(entry.value)}, wanted a regular expression`);
      return undefined;
    }
  }
}

const limitSizes = {
  telemetry: "telemetryBytes",
  state: "stateBytes",
  config: "configBytes",
  command: "commandBytes",
  packet: "packetBytes",
  bytesPerSecond: "bytesPerSecond",
} as const;
const limitNumbers = { messagesPerSecond: "messagesPerSecond", pace: "pace", attached: "attached" } as const;

/** Reads `limits`: sizes (`256KB`), rates, and `stateInterval`. */
export function readLimits(node: YamlNode | undefined, blame: Blame): Limits {
  if (node === undefined) return {};
  const keys = [...Object.keys(limitSizes), ...Object.keys(limitNumbers), "stateInterval"];
  const fields = fieldsOfMap(node, '"limits"', keys, blame);
  const limits: { -readonly [Key in keyof Limits]: Limits[Key] } = {};
  for (const [key, name] of Object.entries(limitSizes)) {
    const bytes = size(fields?.get(key), blame);
    if (bytes !== undefined) limits[name] = bytes;
  }
  for (const [key, name] of Object.entries(limitNumbers)) {
    const most = key === "pace" ? 1 : Number.MAX_SAFE_INTEGER;
    const value = number(fields?.get(key), { least: key === "pace" ? 0 : 1, most }, blame);
    if (value !== undefined) limits[name] = value;
  }
  const interval = duration(fields?.get("stateInterval"), blame);
  if (interval !== undefined) limits.stateIntervalMs = interval;
  return limits;
}

const actions = ["hold", "reattach", "reattachSlowly", "quarantine", "forget", "backoff"] as const;

/** Reads `errors`: what each code means for a retry. */
export function readRetries(node: YamlNode | undefined, blame: Blame): ReadonlyMap<string, RetryPolicy> {
  const retries = new Map<string, RetryPolicy>();
  for (const { key, at, value } of entriesOf(node, "errors", blame)) {
    const fields = fieldsOfMap(value, `the error "${key}"`, ["action", "every", "again", "first", "cap"], blame);
    const action = choice(fields?.get("action"), actions, blame);
    if (fields !== undefined && !fields.has("action"))
      blame(at, `The error "${key}" has no "action", wanted ${oneOf(actions)}`);
    if (fields === undefined || action === undefined) continue;
    const times = {
      everyMs: duration(fields.get("every"), blame),
      againMs: duration(fields.get("again"), blame),
      firstMs: duration(fields.get("first"), blame),
      capMs: duration(fields.get("cap"), blame),
    };
    retries.set(key, { action, ...withoutUndefined(times) });
  }
  return retries;
}

/** Reads `reconnects`: how long to wait before connecting again, by reason; `default` is for the others. */
export function readReconnects(node: YamlNode | undefined, blame: Blame): readonly ReconnectPolicy[] {
  return entriesOf(node, "reconnects", blame).flatMap(({ key, value }) => {
    const fields = fieldsOfMap(value, `the reconnect "${key}"`, ["first", "cap", "jitter", "quickTries"], blame);
    if (fields === undefined) return [];
    for (const name of ["first", "cap"]) {
      if (!fields.has(name)) blame(value.at, `The reconnect "${key}" has no "${name}", wanted a duration`);
    }
    const firstMs = duration(fields.get("first"), blame) ?? 0;
    const capMs = duration(fields.get("cap"), blame) ?? 0;
    const jitterMs = duration(fields.get("jitter"), blame) ?? 0;
    const quickTries = number(fields.get("quickTries"), { least: 1, most: 100 }, blame);
    return [{ reason: key, firstMs, capMs, jitterMs, ...(quickTries === undefined ? {} : { quickTries }) }];
  });
}

function entriesOf(node: YamlNode | undefined, section: string, blame: Blame): readonly YamlEntry[] {
  if (node === undefined) return [];
  if (node.kind === "map") return node.entries.filter(({ value }) => value.kind !== "scalar" || value.value !== null);
  blame(node.at, `"${section}" holds ${describeYaml(node)}, wanted a map`);
  return [];
}

function withoutUndefined<Value extends object>(
  value: Value,
): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}
