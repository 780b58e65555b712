import type { KeyEntry, KeyedKind, MappingRule } from "./rule.ts";
import { convert, matches } from "./text-pattern.ts";

/** What becomes of one key on its way to the other side. */
export type KeyFate =
  | { readonly kind: "same" }
  | { readonly kind: "becomes"; readonly key: string; readonly entry: KeyEntry; readonly rule: MappingRule }
  | { readonly kind: "dropped"; readonly rule: MappingRule }
  /** What it would become reads back as something else. */
  | { readonly kind: "unrepresentable"; readonly reason: string };

/** What becomes of keys of one kind of message, for devices to which the same rules apply. */
export interface KeyTable {
  /** No rule says anything about any key. */
  readonly isEmpty: boolean;
  /** For a key as the local side knows it. */
  outward(key: string): KeyFate;
  /** For a key as the upstream side knows it. */
  inward(key: string): KeyFate;
}

const cacheSize = 4096;
const same: KeyFate = { kind: "same" };

/**
 * The table of these rules. The first rule that names a key decides, in a rule a key before a template; and only what reads
 * back as itself goes through, so that no two keys ever become one.
 */
export function createKeyTable(all: readonly MappingRule[], kind: KeyedKind): KeyTable {
  const rules = all
    .filter(({ kinds, dropsAll }) => kinds.includes(kind) && dropsAll === undefined)
    .map((rule) => ({ rule, entries: [...rule.keys].sort((a, b) => Number(b.isLiteral) - Number(a.isLiteral)) }))
    .filter(({ rule, entries }) => entries.length > 0 || rule.drops.length > 0);

  return { isEmpty: rules.length === 0, outward: remember(outward), inward: remember(inward) };

  function outward(key: string): KeyFate {
    const fate = named(key);
    if (fate.kind === "dropped") return fate;
    const back = origin(fate.kind === "becomes" ? fate.key : key);
    if (fate.kind === "becomes" ? back?.key === key : back === undefined) return fate;
    const called = fate.kind === "becomes" ? `, called "${fate.key}" upstream,` : "";
    return { kind: "unrepresentable", reason: `the key "${key}"${called} would read back as "${back?.key ?? key}"` };
  }

  function inward(key: string): KeyFate {
    const from = origin(key);
    if (from !== undefined) return from;
    const fate = named(key);
    if (fate.kind !== "becomes") return fate;
    return {
      kind: "unrepresentable",
      reason: `the key "${key}" would be taken for the one that is called "${fate.key}" upstream`,
    };
  }

  /** What the rules say about a key of the local side. */
  function named(key: string): KeyFate {
    for (const { rule, entries } of rules) {
      for (const entry of entries) {
        const to = convert(entry.local, entry.upstream, key);
        if (to !== undefined) return { kind: "becomes", key: to, entry, rule };
      }
      if (rule.drops.some((glob) => matches(glob, key))) return { kind: "dropped", rule };
    }
    return same;
  }

  /** The key of the local side that becomes this one, if another or the same one does so by a rule. */
  function origin(key: string): Extract<KeyFate, { kind: "becomes" }> | undefined {
    for (const { rule, entries } of rules) {
      for (const entry of entries) {
        const from = convert(entry.upstream, entry.local, key);
        if (from === undefined) continue;
        const fate = named(from);
        if (fate.kind === "becomes" && fate.entry === entry) return { kind: "becomes", key: from, entry, rule };
      }
    }
    return undefined;
  }
}

function remember(look: (key: string) => KeyFate): (key: string) => KeyFate {
  const known = new Map<string, KeyFate>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const fate = look(key);
    if (known.size >= cacheSize) known.delete(known.keys().next().value as string);
    known.set(key, fate);
    return fate;
  };
}
