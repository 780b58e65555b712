import type { Blame, Place } from "../mistake.ts";

/** One step of a pattern: a character that must stand there, or a gap. */
type Item = { readonly kind: "char"; readonly char: string } | Gap;

/** Some characters: at least `least` of them, none of them `stop`, all in `class` where there is one. */
interface Gap {
  readonly kind: "gap";
  readonly name: string | undefined;
  readonly least: 0 | 1;
  readonly stop: string | undefined;
  readonly class: CharClass | undefined;
}

type CharClass = keyof typeof classes;

const classes = { digits: /^[0-9]$/, word: /^[A-Za-z0-9_]$/ } as const;

/** A text with gaps that is matched in one pass, without going back. */
export interface TextPattern {
  readonly source: string;
  readonly items: readonly Item[];
}

/** `plant/{line}/{unit}`: what stands in the gaps has names, so that it can be filled into another template. */
export interface Template extends TextPattern {
  readonly variables: readonly string[];
}

/** What stands in the gaps of a template. */
export type Filling = ReadonlyMap<string, string>;

/** Reads a text in which `*` stands for anything, also nothing; `\*` is a star and `\\` a backslash. */
export function parseGlob(source: string): TextPattern {
  const items: Item[] = [];
  const chars = [...source];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    if (char === "\\" && (chars[at + 1] === "*" || chars[at + 1] === "\\")) {
      at += 1;
      items.push({ kind: "char", char: chars[at] as string });
    } else if (char === "*") {
      if (items.at(-1)?.kind !== "gap") {
        items.push({ kind: "gap", name: undefined, least: 0, stop: undefined, class: undefined });
      }
    } else items.push({ kind: "char", char });
  }
  return { source, items };
}

/**
 * Reads a pair of templates whose variables are the same: what is read by one is printed by the other. `{name}` takes one or
 * more characters up to the next one that equals the character behind it; `{name:digits}` and `{name:word}` take only
 * those. `{{` and `}}` are braces.
 */
export function parseTemplates(
  local: { readonly source: string; readonly at: Place },
  upstream: { readonly source: string; readonly at: Place },
  blame: Blame,
): { readonly local: Template; readonly upstream: Template } | undefined {
  const one = parseTemplate(local.source, local.at, blame);
  const other = parseTemplate(upstream.source, upstream.at, blame);
  if (one === undefined || other === undefined) return undefined;
  const missing =
    one.variables.find((name) => !other.variables.includes(name)) ??
    other.variables.find((name) => !one.variables.includes(name));
  if (missing !== undefined) {
    const said = one.variables.includes(missing) ? one : other;
    const place = said === one ? upstream : local;
    blame(
      place.at,
      `"${place.source}" has no "{${missing}}", which is in "${said.source}", wanted the same variables in both`,
    );
    return undefined;
  }
  return { local: withClasses(one, other), upstream: withClasses(other, one) };
}

/** The text if nothing in it is a gap. */
export function literalOf({ items }: TextPattern): string | undefined {
  let text = "";
  for (const item of items) {
    if (item.kind === "gap") return undefined;
    text += item.char;
  }
  return text;
}

/** Whether the pattern matches the whole text. */
export function matches({ items }: TextPattern, text: string): boolean {
  let states = closureOf(items, [0]);
  for (const char of text) {
    states = step(items, states, char);
    if (states.length === 0) return false;
  }
  return states.includes(items.length * 2);
}

/** What stands in the gaps of the text, if the template matches it. */
export function readTemplate({ items }: Template, text: string): Filling | undefined {
  const filling = new Map<string, string>();
  let at = 0;
  for (const item of items) {
    if (item.kind === "char") {
      if (!text.startsWith(item.char, at)) return undefined;
      at += item.char.length;
      continue;
    }
    const stop = item.stop === undefined ? -1 : text.indexOf(item.stop, at);
    const end = stop === -1 ? text.length : stop;
    const found = text.slice(at, end);
    if (found === "") return undefined;
    if (item.class !== undefined) {
      const allowed = classes[item.class];
      for (const char of found) if (!allowed.test(char)) return undefined;
    }
    filling.set(item.name ?? "", found);
    at = end;
  }
  return at === text.length ? filling : undefined;
}

/** The template with its gaps filled. */
export function printTemplate({ items }: Template, filling: Filling): string {
  let text = "";
  for (const item of items) text += item.kind === "char" ? item.char : (filling.get(item.name ?? "") ?? "");
  return text;
}

/** What is read by one template, printed by the other; `undefined` where it would not be read back as the same. */
export function convert(from: Template, to: Template, text: string): string | undefined {
  const filling = readTemplate(from, text);
  if (filling === undefined) return undefined;
  const printed = printTemplate(to, filling);
  const again = readTemplate(to, printed);
  if (again === undefined) return undefined;
  for (const [name, value] of filling) if (again.get(name) !== value) return undefined;
  return printed;
}

/** A text that the pattern matches. */
export function sampleOf({ items }: TextPattern): string {
  let text = "";
  for (const item of items) {
    if (item.kind === "char") text += item.char;
    else text += item.class === "digits" ? "7" : item.stop === "x" ? "y" : "x";
  }
  return text;
}

/** A text that both patterns match, if there is one: the two are walked side by side. */
export function commonText(one: TextPattern, other: TextPattern): string | undefined {
  const chars = alphabetOf(one, other);
  const start = { one: closureOf(one.items, [0]), other: closureOf(other.items, [0]), text: "" };
  const seen = new Set([keyOf(start)]);
  for (const here of walk()) {
    if (here.one.includes(one.items.length * 2) && here.other.includes(other.items.length * 2)) return here.text;
  }
  return undefined;

  function* walk(): Generator<typeof start> {
    const queue = [start];
    for (let here = queue.shift(); here !== undefined; here = queue.shift()) {
      yield here;
      for (const char of chars) {
        const next = {
          one: step(one.items, here.one, char),
          other: step(other.items, here.other, char),
          text: here.text + char,
        };
        if (next.one.length === 0 || next.other.length === 0 || seen.has(keyOf(next))) continue;
        seen.add(keyOf(next));
        queue.push(next);
      }
    }
  }

  function keyOf(place: { readonly one: readonly number[]; readonly other: readonly number[] }): string {
    return `${place.one.join(",")}|${place.other.join(",")}`;
  }
}

function parseTemplate(source: string, at: Place, blame: Blame): Template | undefined {
  const parts = source.match(/\{\{|\}\}|\{[^{}]*\}|[\s\S]/gu) ?? [];
  const items: Item[] = [];
  const variables: string[] = [];
  for (const part of parts) {
    if (part === "{{" || part === "}}") items.push({ kind: "char", char: part.slice(1) });
    else if (part.length === 1 || !part.startsWith("{")) {
      if (part === "{" || part === "}") return wrong(`has a lone "${part}", wanted "${part}${part}" for a brace`);
      items.push({ kind: "char", char: part });
    } else {
      const [, name, charClass] = /^\{([A-Za-z]\w*)(?::(\w+))?\}$/.exec(part) ?? [];
      if (name === undefined) return wrong(`has "${part}", wanted a variable such as "{line}" or "{line:digits}"`);
      if (charClass !== undefined && !Object.hasOwn(classes, charClass)) {
        return wrong(`has the unknown class "${charClass}", wanted "${Object.keys(classes).join('" or "')}"`);
      }
      if (variables.includes(name)) return wrong(`has "{${name}}" twice, wanted each variable once`);
      if (items.at(-1)?.kind === "gap") {
        return wrong(`has nothing between "{${variables.at(-1)}}" and "{${name}}", wanted text that tells them apart`);
      }
      variables.push(name);
      items.push({ kind: "gap", name, least: 1, stop: undefined, class: charClass as CharClass | undefined });
    }
  }
  return { source, variables, items: items.map((item, index) => stopped(item, items[index + 1])) };

  function wrong(what: string): undefined {
    blame(at, `"${source}" ${what}`);
    return undefined;
  }
}

/** A gap ends where the character behind it stands. */
function stopped(item: Item, next: Item | undefined): Item {
  return item.kind === "gap" && next?.kind === "char" ? { ...item, stop: next.char } : item;
}

/** The class of a variable may be written on either side. */
function withClasses(template: Template, other: Template): Template {
  const items = template.items.map((item): Item => {
    if (item.kind === "char" || item.class !== undefined) return item;
    const twin = other.items.find((candidate) => candidate.kind === "gap" && candidate.name === item.name);
    return twin?.kind === "gap" ? { ...item, class: twin.class } : item;
  });
  return { ...template, items };
}

/** States of a walk: `2n` is before item n, `2n + 1` within the gap n with enough of it taken. */
function step(items: readonly Item[], states: readonly number[], char: string): readonly number[] {
  const next: number[] = [];
  for (const state of states) {
    const item = items[state >> 1];
    if (item === undefined) continue;
    if (item.kind === "char") {
      if (item.char === char) next.push(state + 2);
    } else if (char !== item.stop && (item.class === undefined || classes[item.class].test(char))) {
      next.push(state | 1);
    }
  }
  return closureOf(items, next);
}

function closureOf(items: readonly Item[], states: readonly number[]): readonly number[] {
  const all = new Set(states);
  for (const state of all) {
    const item = items[state >> 1];
    if (item?.kind !== "gap") continue;
    if ((state & 1) === 1) all.add(state + 1);
    else if (item.least === 0) all.add(state + 2);
  }
  // A star takes whatever a place before it could still lead to: those are given up, so that there are never many.
  let star = 0;
  for (const state of all) if (isStar(items[state >> 1])) star = Math.max(star, state & ~1);
  return [...all].filter((state) => state >= star).sort((a, b) => a - b);
}

function isStar(item: Item | undefined): boolean {
  return item?.kind === "gap" && item.least === 0;
}

/** The characters that two patterns tell apart, and one for each class that stands for the others. */
function alphabetOf(one: TextPattern, other: TextPattern): readonly string[] {
  const said = [...one.items, ...other.items].flatMap((item) =>
    item.kind === "char" ? [item.char] : item.stop === undefined ? [] : [item.stop],
  );
  const unsaid = (candidates: string) => [...candidates].find((char) => !said.includes(char)) ?? [];
  return [...new Set([...said, unsaid("abcdefghijklmnopqrstuvwxyz"), unsaid("7012345689"), unsaid("-.:/ #~!")].flat())];
}
