import type { JsonText } from "../../message/json.ts";

/** One value as Gson reads it; numbers keep their digits. */
export type GsonValue =
  | { readonly kind: "object"; readonly members: ReadonlyMap<string, GsonValue> }
  | { readonly kind: "array"; readonly items: readonly GsonValue[] }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "number"; readonly digits: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" };

/** `JsonReader.DEFAULT_NESTING_LIMIT`. */
const maxNesting = 255;

const isNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** What a text without quotes is made of. */
const word = /[^/\\;#={}[\]:, \t\f\r\n]*/y;

/** What may stand in quotes without further ado. */
const plainText: Readonly<Record<string, RegExp>> = { '"': /[^"\\]*/y, "'": /[^'\\]*/y };

const blanks = /[ \t\r\n]*/y;
const restOfLine = /[^\r\n]*/y;

/**
 * Reads JSON as ThingsBoard does: Gson's `JsonParser`, which is lenient.
 *
 * Beyond RFC 8259 it takes names and strings without quotes or in single ones, `=`, `=>` for `:`, `;` for `,`, comments, a
 * byte order mark, and an omitted array element as null. No text at all is null. Of equal names the last counts.
 *
 * @returns `undefined` if it is not JSON even so.
 */
export function parseGson(source: string): GsonValue | undefined {
  try {
    return new GsonReader(source).document();
  } catch (error) {
    if (error instanceof GsonFault) return undefined;
    throw error;
  }
}

/** A value as Gson prints it, without white space. */
export function printGson(value: GsonValue): JsonText {
  return print(value) as JsonText;
}

function print(value: GsonValue): string {
  switch (value.kind) {
    case "object":
      return `{${[...value.members].map(([name, member]) => `${JSON.stringify(name)}:${print(member)}`).join(",")}}`;
    case "array":
      return `[${value.items.map(print).join(",")}]`;
    case "number":
      return value.digits;
    case "null":
      return "null";
    default:
      return JSON.stringify(value.value);
  }
}

class GsonFault extends Error {}

class GsonReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  document(): GsonValue {
    if (this.#source.charCodeAt(0) === 0xfeff) this.#at = 1;
    if (this.#peek() === "") return { kind: "null" };
    // Gson skips what some servers write before JSON so that browsers do not run it.
    if (this.#source.startsWith(")]}'\n", this.#at)) this.#at += 5;
    const value = this.#value(0);
    // JsonParser.parseReader looks for more text only behind a value that is not null.
    if (value.kind !== "null" && this.#peek() !== "") throw new GsonFault();
    return value;
  }

  #value(level: number): GsonValue {
    const char = this.#peek();
    if ((char === "{" || char === "[") && level >= maxNesting) throw new GsonFault();
    if (char === "{") return this.#object(level);
    if (char === "[") return this.#array(level);
    if (char === '"' || char === "'") return { kind: "string", value: this.#quoted(char) };
    const text = this.#unquoted();
    switch (text.toLowerCase()) {
      case "true":
        return { kind: "boolean", value: true };
      case "false":
        return { kind: "boolean", value: false };
      case "null":
        return { kind: "null" };
      default:
        return isNumber.test(text) ? { kind: "number", digits: text } : { kind: "string", value: text };
    }
  }

  #object(level: number): GsonValue {
    const members = new Map<string, GsonValue>();
    this.#at++;
    if (this.#peek() === "}") return this.#end({ kind: "object", members });
    for (;;) {
      const char = this.#peek();
      const name = char === '"' || char === "'" ? this.#quoted(char) : this.#unquoted();
      const colon = this.#take(":=");
      if (colon === "=" && this.#source[this.#at] === ">") this.#at++;
      members.set(name, this.#value(level + 1));
      if (this.#take(",;}") === "}") return { kind: "object", members };
    }
  }

  #array(level: number): GsonValue {
    const items: GsonValue[] = [];
    this.#at++;
    if (this.#peek() === "]") return this.#end({ kind: "array", items });
    for (;;) {
      const isOmitted = [",", ";", "]"].includes(this.#peek());
      items.push(isOmitted ? { kind: "null" } : this.#value(level + 1));
      if (this.#take(",;]") === "]") return { kind: "array", items };
    }
  }

  #end(value: GsonValue): GsonValue {
    this.#at++;
    return value;
  }

  /** Takes the next character, which must be one of these. */
  #take(wanted: string): string {
    const char = this.#peek();
    if (char === "" || !wanted.includes(char)) throw new GsonFault();
    this.#at++;
    return char;
  }

  #unquoted(): string {
    const text = this.#skip(word);
    if (text === "") throw new GsonFault();
    return text;
  }

  #quoted(quote: string): string {
    const plain = plainText[quote] as RegExp;
    this.#at++;
    let text = this.#skip(plain);
    for (;;) {
      const char = this.#source[this.#at++];
      if (char === quote) return text;
      if (char === undefined) throw new GsonFault();
      text += this.#escaped() + this.#skip(plain);
    }
  }

  #escaped(): string {
    const char = this.#source[this.#at++] ?? "";
    if (char === "u") {
      const hex = this.#source.slice(this.#at, this.#at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw new GsonFault();
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const meaning = escapes.get(char);
    if (meaning === undefined) throw new GsonFault();
    return meaning;
  }

  /** The next character that is neither blank nor comment, not taken yet; empty at the end. */
  #peek(): string {
    for (;;) {
      this.#skip(blanks);
      const char = this.#source[this.#at] ?? "";
      if (char === "#" || (char === "/" && this.#source[this.#at + 1] === "/")) this.#skip(restOfLine);
      else if (char === "/" && this.#source[this.#at + 1] === "*") {
        const end = this.#source.indexOf("*/", this.#at + 2);
        if (end < 0) throw new GsonFault();
        this.#at = end + 2;
      } else return char;
    }
  }

  /** Takes as much as a sticky pattern matches, which may be nothing. */
  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#source)?.[0] ?? "";
    this.#at += text.length;
    return text;
  }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["t", "\t"],
  ["b", "\b"],
  ["n", "\n"],
  ["r", "\r"],
  ["f", "\f"],
  ...["\n", "'", '"', "\\", "/"].map((char) => [char, char] as const),
]);
