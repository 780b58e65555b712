import type { RuleRef } from "../../message/decoded.ts";
import { type JsonText, membersOf, toJsonText } from "../../message/json.ts";
import type { Message } from "../../message/message.ts";
import type { DeviceRules } from "./device-rules.ts";
import type { KeyedKind } from "./rule.ts";
import type { Way } from "./values.ts";

/** The rules that change a message: one of the local side as it came, or one for it as upstream said it. */
export function refsFor(
  message: Message,
  { name, rules }: { readonly name: RuleRef | undefined; readonly rules: DeviceRules },
): readonly RuleRef[] {
  const found = new Set<RuleRef>();
  if (name !== undefined) found.add(name);
  const drop = rules.dropOf(message.kind);
  if (drop !== undefined) found.add(drop.ref);
  const { kind, way, keys } = keysOf(message);
  for (const key of keys) {
    const fate = rules.tables[kind][way](key);
    if (fate.kind === "becomes" || fate.kind === "dropped") found.add(fate.rule.ref);
  }
  if (message.kind === "telemetry" && rules.folder !== undefined) found.add(rules.folder.ref);
  return [...found];
}

function keysOf(message: Message): { readonly kind: KeyedKind; readonly way: Way; readonly keys: readonly string[] } {
  switch (message.kind) {
    case "telemetry": {
      const { body, points = [] } = message;
      const keys = [...points.flatMap(({ values }) => namesIn(values)), ...keysOfBody(body)];
      return { kind: "telemetry", way: "outward", keys };
    }
    case "state":
      return { kind: "state", way: "outward", keys: [...namesIn(message.values), ...keysOfBody(message.body)] };
    case "attributesRequest": {
      const { key, keys = [], scope } = message;
      return {
        kind: scope === "client" ? "state" : "config",
        way: "outward",
        keys: key === undefined ? keys : [key, ...keys],
      };
    }
    case "config": {
      const keys = [...(message.deleted ?? []), ...namesIn(message.values), ...keysOfBody(message.body)];
      return { kind: "config", way: "inward", keys };
    }
    case "attributesResponse":
      return { kind: "config", way: "inward", keys: namesIn(message.values) };
    default:
      return { kind: "telemetry", way: "outward", keys: [] };
  }
}

function namesIn(values: JsonText | undefined): readonly string[] {
  return values === undefined ? [] : [...membersOf(values).keys()];
}

/** The names on the first two levels, whatever the form: what is no key is named by no rule. */
function keysOfBody(body: Uint8Array | undefined): readonly string[] {
  const json = body === undefined ? undefined : toJsonText(Buffer.from(body).toString("utf8"));
  if (json === undefined) return [];
  return namesBelow(JSON.parse(json));
}

function namesBelow(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(namesBelow);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...(key === "values" ? namesBelow(inner) : [])]);
}
