import {
  arrayText,
  type JsonText,
  kindOf,
  membersOf,
  objectText,
  parseJson,
  scalarText,
  stringOf,
} from "../message/json.ts";
import type { Core } from "./core.ts";

/** Attributes in which a ThingsBoard gateway publishes its own configuration, its access token included. */
const ownConfiguration = new Set([
  "general_configuration",
  "storage_configuration",
  "grpc_configuration",
  "logs_configuration",
  "active_connectors",
]);

/**
 * Keeps back what a gateway reports of its own configuration: fixed keys, and each connector's, known by its name in the
 * last list of connectors or by its looks.
 */
export class OwnAttributes {
  readonly #core: Core;
  #connectors: ReadonlySet<string> = new Set();

  constructor(core: Core) {
    this.#core = core;
  }

  restore(value: string): void {
    this.#connectors = new Set(stringsIn(value as JsonText));
  }

  /** What of the gateway's own attributes may go up; absent if nothing may. */
  withhold(values: JsonText): JsonText | undefined {
    if (this.#isOpen) return values;
    const members = membersOf(values);
    const listed = members.get("active_connectors");
    if (listed !== undefined) this.#remember(stringsIn(listed));
    const passed = [...members].filter(([key, value]) => !this.#isOwn(key, value));
    if (passed.length === members.size) return values;
    return passed.length === 0 ? undefined : objectText(passed);
  }

  get #isOpen() {
    return !this.#core.adapt.guardsGateway || this.#core.options.rules.attributes.gateway === "forward";
  }

  #isOwn(key: string, value: JsonText): boolean {
    if (ownConfiguration.has(key) || this.#connectors.has(key)) return true;
    if (kindOf(value) !== "object") return false;
    const members = membersOf(value);
    return members.has("configuration") || members.has("configurationJson");
  }

  #remember(names: readonly string[]): void {
    const isSame = names.length === this.#connectors.size && names.every((name) => this.#connectors.has(name));
    if (isSame) return;
    this.#connectors = new Set(names);
    this.#core.store("connectors", arrayText([...this.#connectors].map(scalarText)));
  }
}

/** The texts in a list, also where the list stands inside an object or, as JSON, inside a string. */
function stringsIn(text: JsonText): readonly string[] {
  const root = parseJson(text, 3);
  if (root.kind === "string") {
    const inner = stringOf(root);
    return inner.startsWith("[") ? stringsIn(inner as JsonText) : [];
  }
  if (root.kind !== "array" && root.kind !== "object") return [];
  const lists = root.kind === "array" ? [root] : (root.items ?? []).filter(({ kind }) => kind === "array");
  return lists.flatMap((list) => (list.items ?? []).filter(({ kind }) => kind === "string").map(stringOf));
}
