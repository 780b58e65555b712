import { type JsonText, parseJson } from "../../message/json.ts";
import type { AttributesRequest, AttributesResponse, DeviceId } from "../../message/message.ts";
import type { DeviceRules } from "./device-rules.ts";
import type { KeyTable } from "./key-table.ts";
import type { KeyedKind } from "./rule.ts";
import { mapValue, mapValues } from "./values.ts";

/** Questions for attributes and their answers. */
export interface Questions {
  /** The question with the names that upstream has for what is asked. A name that upstream has not is left as it is. */
  ask(message: AttributesRequest, device: DeviceId, rules: DeviceRules): AttributesRequest;
  /** The answer in the words of the question. */
  answer(
    message: AttributesResponse,
    device: DeviceId,
    rules: DeviceRules,
  ):
    | { readonly kind: "message"; readonly message: AttributesResponse }
    | { readonly kind: "unrepresentable"; readonly reason: string };
}

interface Question {
  readonly kind: KeyedKind;
  /** What was asked for, where that was one name. */
  readonly key: string | undefined;
}

/** More are not remembered at a time; the oldest are given up. */
const maxOpen = 4096;

/** An answer may say nothing but a value: what was asked for is remembered until it is there. */
export function createQuestions(): Questions {
  const open = new Map<string, Question>();

  return {
    ask(message, device, { tables }) {
      const { id, key, keys, scope } = message;
      const kind: KeyedKind = scope === "client" ? "state" : "config";
      if (tables.state.isEmpty && tables.config.isEmpty) return message;
      const at = `${id}/${device}`;
      open.delete(at);
      open.set(at, { kind, key: key ?? (keys?.length === 1 ? keys[0] : undefined) });
      if (open.size > maxOpen) open.delete(open.keys().next().value as string);
      const upstreamName = (name: string) => {
        const fate = tables[kind].outward(name);
        return fate.kind === "becomes" ? fate.key : name;
      };
      return {
        ...message,
        ...(key === undefined ? {} : { key: upstreamName(key) }),
        ...(keys === undefined ? {} : { keys: keys.map(upstreamName) }),
      };
    },

    answer(message, device, { tables }) {
      const at = `${message.id}/${device}`;
      const asked = open.get(at);
      open.delete(at);
      const table = tables[asked?.kind ?? "config"];
      if (table.isEmpty) return { kind: "message", message };
      const { value, values, ...others } = message;
      const lone = value === undefined ? undefined : loneValue(value, asked?.key, table);
      const mapped = values === undefined ? undefined : mapValues(values, table, "inward");
      if (mapped?.kind === "unrepresentable") return mapped;
      return {
        kind: "message",
        message: {
          ...others,
          ...(lone === undefined ? {} : { value: lone }),
          ...(mapped === undefined || mapped.emptiedBy !== undefined ? {} : { values: mapped.values }),
        },
      };
    },
  };
}

/** A value without a name. After a question for everything nobody knows what it is, nor its scale: it is left out. */
function loneValue(value: JsonText, asked: string | undefined, table: KeyTable): JsonText | undefined {
  if (asked === undefined) return undefined;
  const fate = table.outward(asked);
  if (fate.kind === "same") return value;
  const node = fate.kind === "becomes" ? parseJson(value, 0) : undefined;
  return node === undefined || node.kind === "fault" ? undefined : mapValue(node, fate, "inward");
}
