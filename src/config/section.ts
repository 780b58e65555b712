import { foundText } from "./describe.ts";
import type { Report } from "./report.ts";
import { escapePointer, type Source } from "./source.ts";

/**
 * One mapping of the configuration, for checks that a schema cannot make. What is absent, and what has a mistake already,
 * both read as undefined, so that one mistake is not told twice.
 */
export interface Section {
  readonly pointer: string;
  /** Whether the key stands there, right or wrong. */
  has(key: string): boolean;
  keys(): readonly string[];
  text(key: string): string | undefined;
  flag(key: string): boolean;
  number(key: string): number | undefined;
  /** Whether a mistake in it is known already. */
  hasMistakes(): boolean;
  section(key: string): Section;
  /** The elements of a list. */
  items(key: string): readonly Section[];
  /** The texts of a list, each with a way to report a mistake about it. */
  texts(key: string): readonly { readonly text: string; readonly report: (mistake: string) => void }[];
  /** The value as a message may show it. */
  found(key: string): string;
  /** Reports a mistake about the value of a key, or about the section. */
  report(text: string, key?: string, about?: "value" | "key"): void;
}

export function sectionOf(source: Source, report: Report, pointer = ""): Section {
  const members = membersOf(source.nodes.get(pointer)?.value);
  const below = (key: string | number) => `${pointer}/${escapePointer(String(key))}`;
  const sound = (key: string) =>
    Object.hasOwn(members, key) && !report.isWrong(below(key)) ? members[key] : undefined;
  const elements = (key: string) => {
    const list = Object.hasOwn(members, key) ? members[key] : undefined;
    return Array.isArray(list) ? list.map((item: unknown, index) => ({ item, at: `${below(key)}/${index}` })) : [];
  };
  return {
    pointer,
    has: (key) => Object.hasOwn(members, key),
    keys: () => Object.keys(members),
    text: (key) => {
      const value = sound(key);
      return typeof value === "string" ? value : undefined;
    },
    flag: (key) => sound(key) === true,
    number: (key) => {
      const value = sound(key);
      return typeof value === "number" ? value : undefined;
    },
    hasMistakes: () => report.isWrong(pointer),
    section: (key) => sectionOf(source, report, below(key)),
    items: (key) => elements(key).map(({ at }) => sectionOf(source, report, at)),
    texts: (key) =>
      elements(key).flatMap(({ item, at }) =>
        typeof item === "string" && !report.isWrong(at)
          ? [{ text: item, report: (mistake: string) => report.add(at, mistake) }]
          : [],
      ),
    found: (key) => foundText(members[key], source.nodes.get(below(key))?.origin ?? "inline", false),
    report: (text, key, about) => report.add(key === undefined ? pointer : below(key), text, about),
  };
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
