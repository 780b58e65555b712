import { DragomanError } from "../errors.ts";
import type { DeviceId } from "../message/message.ts";
import type { IdRules } from "../message/traits.ts";

/** The upstream's id of a device, or why it can have none. */
export type Named = { readonly id: DeviceId } | { readonly problem: string };

/** Device names of the local side as ids of the upstream side, and back. */
export interface Names {
  toUpstream(name: DeviceId): Named;
  /** What `toUpstream` made the id from; an id that it never makes stands for itself. */
  toLocal(id: DeviceId): DeviceId;
}

/** Names that a deployment chose: both ways, each undoing the other. What it says nothing about stands for itself. */
export interface Naming {
  outward(name: string): string;
  inward(name: string): string;
}

/** Before an escaped name that would be no id without it. No escape makes `%_`, so it reads back. */
const escapePrefix = "x%_";

/** All gateways of a cloud have the same rules. */
const knownNames = new WeakMap<IdRules, Names>();
const sameNames: Names = { toUpstream: (id) => ({ id }), toLocal: (id) => id };

/**
 * Names for an upstream with these id rules: a legal id stands for itself, any other name is escaped reversibly, byte by
 * byte as `%XX`.
 *
 * @throws {DragomanError} `ERR_MAPPING_INVALID` when the rules hold a broken pattern.
 */
export function compileNames(rules: IdRules): Names {
  if (rules.form === "free") return sameNames;
  const known = knownNames.get(rules);
  if (known !== undefined) return known;
  const { isLegal, plain } = formOf(rules);
  const maxLength = rules.maxLength ?? Number.POSITIVE_INFINITY;

  const names: Names = {
    toUpstream: convert,
    toLocal(id) {
      const name = nameOfEscaped(id);
      if (name === undefined) return id;
      const back = convert(name as DeviceId);
      return "id" in back && back.id === id ? (name as DeviceId) : id;
    },
  };
  knownNames.set(rules, names);
  return names;

  function convert(name: DeviceId): Named {
    if (isLegal(name)) return { id: name };
    if (/\p{Surrogate}/u.test(name)) return { problem: "the name is not well-formed text: give the device an alias" };
    const escaped = escapeName(name, plain);
    const id = isLegal(escaped) ? escaped : `${escapePrefix}${escaped}`;
    if (isLegal(id)) return { id: id as DeviceId };
    const { length: characters } = escaped.length > maxLength ? escaped : id;
    const length =
      characters > maxLength ? `${characters} characters, at most ${maxLength} fit` : "not allowed upstream";
    return { problem: `no id can be made of the name (${length}): give the device an alias` };
  }
}

/** The same names with a deployment's own choice before them. */
export function withNaming(names: Names, naming: Naming | undefined): Names {
  if (naming === undefined) return names;
  const chosen: Names = {
    toUpstream(name) {
      const named = names.toUpstream(naming.outward(name) as DeviceId);
      if ("problem" in named) return named;
      const back = chosen.toLocal(named.id);
      if (back === name) return named;
      return { problem: `its id would be "${named.id}", which is that of "${back}": give one of the devices an alias` };
    },
    toLocal(id) {
      const called = names.toLocal(id);
      const name = naming.inward(called);
      // A device that has this very name here is called something else upstream: this is not it.
      return (naming.outward(name) === called ? name : `${escapePrefix}${called}`) as DeviceId;
    },
  };
  return chosen;
}

/** What ids look like. */
interface IdForm {
  isLegal(id: string): boolean;
  /** The bytes that an escaped name has as they are. */
  readonly plain: ReadonlySet<number>;
}

function formOf(rules: IdRules): IdForm {
  const unescaped = compilePattern(`^[${rules.unescaped ?? "A-Za-z0-9._~-"}]$`);
  const plain = new Set<number>();
  for (let byte = 0; byte < 0x80; byte++) if (unescaped.test(String.fromCharCode(byte))) plain.add(byte);
  plain.delete(0x25);
  return { isLegal: compileLegal(rules), plain };
}

function compileLegal(rules: IdRules): (id: string) => boolean {
  const { minLength = 1, maxLength = Number.POSITIVE_INFINITY } = rules;
  const pattern = rules.pattern === undefined ? undefined : compilePattern(`^(?:${rules.pattern})$`);
  const reserved = (rules.reservedPrefixes ?? []).map((prefix) => prefix.toLowerCase());
  // MQTT 3.1.1, 4.7.1: wildcards and the separator cannot stand in one level of a topic, whatever the cloud allows.
  const impossible = /[+#/\0]/;
  return (id) => {
    if (id.length < minLength || id.length > maxLength || impossible.test(id)) return false;
    if (pattern !== undefined && !pattern.test(id)) return false;
    return !reserved.some((prefix) => id.slice(0, prefix.length).toLowerCase() === prefix);
  };
}

function compilePattern(source: string): RegExp {
  try {
    return new RegExp(source, "u");
  } catch (cause) {
    throw new DragomanError("ERR_MAPPING_INVALID", `Cannot compile id pattern "${source}": no regular expression`, {
      cause,
    });
  }
}

function escapeName(name: string, plain: ReadonlySet<number>): string {
  let escaped = "";
  for (const byte of Buffer.from(name)) {
    escaped += plain.has(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

function nameOfEscaped(id: string): string | undefined {
  const escaped = id.startsWith(escapePrefix) ? id.slice(escapePrefix.length) : id;
  if (!escaped.includes("%")) return escaped;
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
