import JSON5 from "json5";

/**
 * Longer texts are not tried, in UTF-16 units: the parser takes about a microsecond for each, and nothing else runs meanwhile.
 * ThingsBoard itself takes packets of 65,536 bytes at most.
 */
const maxLength = 65_536;

/**
 * Rewrites JSON5 (json5.org: comments, single quotes, names without quotes, trailing commas, hexadecimal) as strict JSON.
 *
 * Nothing goes through numbers or objects of JavaScript, so digits, order and repeated names stay. NaN and Infinity
 * become strings, as ThingsBoard stores them. `undefined` if the text is not JSON5 either.
 */
export function toStrictJson(source: string): string | undefined {
  // JSON5 warns of these line ends on the console, and a dialect does not talk.
  if (source.length > maxLength || /[\u2028\u2029]/.test(source)) return undefined;
  try {
    JSON5.parse(source);
  } catch {
    return undefined;
  }
  return rewrite(source);
}

/** Walks a text that is known to be JSON5. */
function rewrite(source: string): string {
  let out = "";
  let isCommaOpen = false;
  let isKeyNext = false;
  const nesting: string[] = [];
  const put = (text: string) => {
    out += isCommaOpen ? `,${text}` : text;
    isCommaOpen = false;
  };
  for (let i = skipBlank(source, 0); i < source.length; i = skipBlank(source, i)) {
    const char = source[i] as string;
    switch (char) {
      case "{":
      case "[":
        put(char);
        nesting.push(char);
        isKeyNext = char === "{";
        i += 1;
        break;
      case "}":
      case "]":
        isCommaOpen = false;
        out += char;
        nesting.pop();
        isKeyNext = false;
        i += 1;
        break;
      case ":":
        out += ":";
        isKeyNext = false;
        i += 1;
        break;
      case ",":
        isCommaOpen = true;
        isKeyNext = nesting.at(-1) === "{";
        i += 1;
        break;
      case '"':
      case "'": {
        const end = endOfString(source, i);
        const inner = source.slice(i + 1, end - 1);
        put(JSON.stringify(inner.includes("\\") ? JSON5.parse<string>(source.slice(i, end)) : inner));
        i = end;
        break;
      }
      default: {
        const end = endOfWord(source, i);
        const word = source.slice(i, end);
        put(isKeyNext ? JSON.stringify(nameOf(word)) : strictValue(word));
        i = end;
      }
    }
  }
  return out;
}

/** The offset of the next character that is neither white space nor in a comment. */
function skipBlank(source: string, start: number): number {
  let i = start;
  for (;;) {
    if (source.startsWith("//", i)) {
      while (i < source.length && !/[\n\r]/.test(source[i] as string)) i += 1;
    } else if (source.startsWith("/*", i)) {
      i = source.indexOf("*/", i + 2) + 2;
    } else if (i < source.length && isBlank(source[i] as string)) {
      i += 1;
    } else {
      return i;
    }
  }
}

function isBlank(char: string): boolean {
  return char === " " || (char.charCodeAt(0) < 0x80 ? char >= "\t" && char <= "\r" : /\s/.test(char));
}

function endOfString(source: string, start: number): number {
  const quote = source[start];
  let i = start + 1;
  while (source[i] !== quote) i += source[i] === "\\" ? 2 : 1;
  return i + 1;
}

function endOfWord(source: string, start: number): number {
  let i = start;
  while (i < source.length && !",:]}/'\"".includes(source[i] as string) && !isBlank(source[i] as string)) i += 1;
  return i;
}

function nameOf(word: string): string {
  return word.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function strictValue(word: string): string {
  if (word === "true" || word === "false" || word === "null") return word;
  const sign = word.startsWith("-") ? "-" : "";
  const unsigned = word.replace(/^[+-]/, "");
  if (unsigned === "NaN") return '"NaN"';
  if (unsigned === "Infinity") return `"${sign}Infinity"`;
  if (/^0[xX]/.test(unsigned)) return `${sign}${BigInt(unsigned)}`;
  return sign + unsigned.replace(/^\./, "0.").replace(/\.(?!\d)/, "");
}
