declare const brand: unique symbol;

/** The exact source text of one JSON value, without white space around it. Numbers keep their digits, objects their order. */
export type JsonText = string & { readonly [brand]: "JsonText" };

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

/**
 * One value in a JSON text, and its children as deep as was asked for.
 *
 * `keys` and `items` are the members of an object, in order and with repeats; `items` alone the elements of an array;
 * both are `undefined` for scalars and below the depth asked for.
 */
export interface JsonNode {
  readonly kind: JsonKind;
  readonly source: string;
  readonly start: number;
  readonly end: number;
  readonly keys: readonly string[] | undefined;
  readonly items: readonly JsonNode[] | undefined;
}

/** Why a text is not JSON, and where: `offset` counts UTF-16 units. */
export interface JsonFault {
  readonly kind: "fault";
  readonly offset: number;
  readonly reason: string;
}

/** Deeper nesting than any device sends; it bounds the recursion. */
const maxNesting = 512;

/**
 * Reads strict JSON (RFC 8259), all of it checked, and builds nodes for the outer `depth` levels of nesting only.
 *
 * A double would lose digits, an object key order and `__proto__`; so values stay slices of their text.
 */
export function parseJson(source: string, depth = maxNesting): JsonNode | JsonFault {
  const scanner = new Scanner(source);
  const start = scanner.skipSpace(source.charCodeAt(0) === 0xfeff ? 1 : 0);
  const node = scanner.node(start, depth, 0);
  if (node === undefined) return scanner.fault;
  const end = scanner.skipSpace(node.end);
  if (end !== source.length) return { kind: "fault", offset: end, reason: "text after the end of the value" };
  return node;
}

/** The text of a node. */
export function textOf(node: JsonNode): JsonText {
  return node.source.slice(node.start, node.end) as JsonText;
}

/** What a string node says. */
export function stringOf(node: JsonNode): string {
  return unquote(node.source, node.start, node.end);
}

/** The node with its direct children, read now if they were below the depth of the first reading. */
export function expand(node: JsonNode): JsonNode {
  if (node.items !== undefined || (node.kind !== "object" && node.kind !== "array")) return node;
  const whole = new Scanner(node.source).node(node.start, 1, 0);
  return whole ?? node;
}

/** The text as a JSON value if it is one, white space around it removed. */
export function toJsonText(source: string): JsonText | undefined {
  const node = parseJson(source, 0);
  return node.kind === "fault" ? undefined : textOf(node);
}

/** The kind of value a JSON text holds, from its first character. */
export function kindOf(text: JsonText): JsonKind {
  return kindAt(text.charCodeAt(0));
}

/** The members of a JSON object in their order. Of a name that stands twice the last value counts, as in every cloud here. */
export function membersOf(object: JsonText): Map<string, JsonText> {
  const members = new Map<string, JsonText>();
  const node = parseJson(object, 1);
  if (node.kind !== "object" || node.keys === undefined || node.items === undefined) return members;
  for (const [index, item] of node.items.entries()) members.set(node.keys[index] as string, textOf(item));
  return members;
}

/** A JSON object of these members, in this order. */
export function objectText(members: Iterable<readonly [string, JsonText]>): JsonText {
  let text = "{";
  for (const [key, value] of members) text += `${text.length > 1 ? "," : ""}${JSON.stringify(key)}:${value}`;
  return `${text}}` as JsonText;
}

/** A JSON array of these values. */
export function arrayText(values: readonly JsonText[]): JsonText {
  return `[${values.join(",")}]` as JsonText;
}

/** The JSON text of a string, or of a finite number, a boolean or null. */
export function scalarText(value: string | number | boolean | null): JsonText {
  return JSON.stringify(value) as JsonText;
}

function kindAt(code: number): JsonKind {
  switch (code) {
    case 0x7b:
      return "object";
    case 0x5b:
      return "array";
    case 0x22:
      return "string";
    case 0x74:
    case 0x66:
      return "boolean";
    case 0x6e:
      return "null";
    default:
      return "number";
  }
}

function unquote(source: string, start: number, end: number): string {
  const inner = source.slice(start + 1, end - 1);
  return inner.includes("\\") ? (JSON.parse(source.slice(start, end)) as string) : inner;
}

/**
 * Children of nodes that are not finished, and their keys; each node takes its own off. A list of its own that they are
 * pushed to would get room for seventeen, where most objects have one or two members.
 */
let pendingItems: JsonNode[] = [];
let pendingKeys: string[] = [];
let pending = 0;
const maxPending = 4096;

function forgetPending(): void {
  pending = 0;
  if (pendingItems.length <= maxPending) return;
  pendingItems = [];
  pendingKeys = [];
}

/** Walks one text once. Every method takes an offset and gives the offset behind what it read, or -1 with `fault` set. */
class Scanner {
  readonly #source: string;
  fault: JsonFault = { kind: "fault", offset: 0, reason: "no value" };

  constructor(source: string) {
    this.#source = source;
    forgetPending();
  }

  node(at: number, depth: number, level: number): JsonNode | undefined {
    const source = this.#source;
    const code = source.charCodeAt(at);
    if (depth > 0 && code === 0x7b) return this.#object(at, depth, level);
    if (depth > 0 && code === 0x5b) return this.#array(at, depth, level);
    const end = this.#skip(at, level);
    if (end < 0) return undefined;
    return { kind: kindAt(code), source, start: at, end, keys: undefined, items: undefined };
  }

  skipSpace(at: number): number {
    const source = this.#source;
    for (let i = at; ; i++) {
      const code = source.charCodeAt(i);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return i;
    }
  }

  #object(at: number, depth: number, level: number): JsonNode | undefined {
    const source = this.#source;
    const first = pending;
    let i = this.skipSpace(at + 1);
    let isOpen = source.charCodeAt(i) !== 0x7d;
    while (isOpen) {
      const keyEnd = this.#string(i);
      if (keyEnd < 0) return undefined;
      const colon = this.skipSpace(keyEnd);
      if (source.charCodeAt(colon) !== 0x3a) return this.#failNode(colon, 'wanted ":"');
      const item = this.node(this.skipSpace(colon + 1), depth - 1, level + 1);
      if (item === undefined) return undefined;
      pendingKeys[pending] = unquote(source, i, keyEnd);
      pendingItems[pending++] = item;
      i = this.skipSpace(item.end);
      const code = source.charCodeAt(i);
      isOpen = code !== 0x7d;
      if (isOpen && code !== 0x2c) return this.#failNode(i, 'wanted "," or "}"');
      if (isOpen) i = this.skipSpace(i + 1);
    }
    const keys = pendingKeys.slice(first, pending);
    const items = pendingItems.slice(first, pending);
    pending = first;
    return { kind: "object", source, start: at, end: i + 1, keys, items };
  }

  #array(at: number, depth: number, level: number): JsonNode | undefined {
    const source = this.#source;
    const first = pending;
    let i = this.skipSpace(at + 1);
    let isOpen = source.charCodeAt(i) !== 0x5d;
    while (isOpen) {
      const item = this.node(i, depth - 1, level + 1);
      if (item === undefined) return undefined;
      pendingKeys[pending] = "";
      pendingItems[pending++] = item;
      i = this.skipSpace(item.end);
      const code = source.charCodeAt(i);
      isOpen = code !== 0x5d;
      if (isOpen && code !== 0x2c) return this.#failNode(i, 'wanted "," or "]"');
      if (isOpen) i = this.skipSpace(i + 1);
    }
    const items = pendingItems.slice(first, pending);
    pending = first;
    return { kind: "array", source, start: at, end: i + 1, keys: undefined, items };
  }

  #skip(at: number, level: number): number {
    const source = this.#source;
    switch (source.charCodeAt(at)) {
      case 0x22:
        return this.#string(at);
      case 0x7b:
        return this.#skipMany(at, level, true);
      case 0x5b:
        return this.#skipMany(at, level, false);
      case 0x74:
        return this.#word(at, "true");
      case 0x66:
        return this.#word(at, "false");
      case 0x6e:
        return this.#word(at, "null");
      default:
        return this.#number(at);
    }
  }

  #skipMany(at: number, level: number, isObject: boolean): number {
    if (level >= maxNesting) return this.#fail(at, `nested deeper than ${maxNesting} levels`);
    const source = this.#source;
    const close = isObject ? 0x7d : 0x5d;
    let i = this.skipSpace(at + 1);
    if (source.charCodeAt(i) === close) return i + 1;
    for (;;) {
      if (isObject) {
        i = this.#string(i);
        if (i < 0) return -1;
        i = this.skipSpace(i);
        if (source.charCodeAt(i) !== 0x3a) return this.#fail(i, 'wanted ":"');
        i = this.skipSpace(i + 1);
      }
      i = this.#skip(i, level + 1);
      if (i < 0) return -1;
      i = this.skipSpace(i);
      const code = source.charCodeAt(i);
      if (code === close) return i + 1;
      if (code !== 0x2c) return this.#fail(i, `wanted "," or "${isObject ? "}" : "]"}"`);
      i = this.skipSpace(i + 1);
    }
  }

  #string(at: number): number {
    const source = this.#source;
    if (source.charCodeAt(at) !== 0x22) return this.#fail(at, "wanted a string in double quotes");
    for (let i = at + 1; ; i++) {
      const code = source.charCodeAt(i);
      if (code === 0x22) return i + 1;
      if (code === 0x5c) {
        const escaped = source.charCodeAt(++i);
        if (escaped === 0x75) {
          for (const last = i + 4; i < last; ) {
            if (!isHexDigit(source.charCodeAt(++i))) return this.#fail(i, "wanted four hexadecimal digits");
          }
        } else if (!isEscape(escaped)) return this.#fail(i, "unknown escape in a string");
      } else if (!(code >= 0x20))
        return this.#fail(i, Number.isNaN(code) ? "text ends in a string" : "control character in a string");
    }
  }

  #number(at: number): number {
    const source = this.#source;
    let i = source.charCodeAt(at) === 0x2d ? at + 1 : at;
    const whole = this.#digits(i);
    if (whole === i)
      return this.#fail(i, at < source.length ? "wanted a JSON value" : "text ends where a value was wanted");
    if (whole > i + 1 && source.charCodeAt(i) === 0x30) return this.#fail(i, "a number with a leading zero");
    i = whole;
    if (source.charCodeAt(i) === 0x2e) {
      const end = this.#digits(i + 1);
      if (end === i + 1) return this.#fail(end, "wanted a digit behind the decimal point");
      i = end;
    }
    if ((source.charCodeAt(i) | 0x20) === 0x65) {
      const sign = source.charCodeAt(i + 1);
      const first = sign === 0x2b || sign === 0x2d ? i + 2 : i + 1;
      const end = this.#digits(first);
      if (end === first) return this.#fail(end, "wanted a digit in the exponent");
      i = end;
    }
    return i;
  }

  #digits(at: number): number {
    const source = this.#source;
    for (let i = at; ; i++) {
      const code = source.charCodeAt(i);
      if (!(code >= 0x30 && code <= 0x39)) return i;
    }
  }

  #word(at: number, word: string): number {
    return this.#source.startsWith(word, at) ? at + word.length : this.#fail(at, `wanted "${word}"`);
  }

  #fail(offset: number, reason: string): -1 {
    this.fault = { kind: "fault", offset, reason };
    return -1;
  }

  #failNode(offset: number, reason: string): undefined {
    this.#fail(offset, reason);
    return undefined;
  }
}

function isHexDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}

/** One of `"`, `\`, `/`, `b`, `f`, `n`, `r`, `t`. */
function isEscape(code: number): boolean {
  switch (code) {
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true;
    default:
      return false;
  }
}
