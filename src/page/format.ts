const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** All digits, in groups. */
export function count(value: number): string {
  return whole.format(value);
}

/** Three digits, for axes: `1.23M`. */
export function roughly(value: number): string {
  return short.format(value);
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let scaled = value;
  let unit = 0;
  for (; scaled >= 1024 && unit < units.length - 1; unit += 1) scaled /= 1024;
  return `${scaled < 10 && unit > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`;
}

/** A length of time in its two largest units: `3 s`, `12 min`, `2 h 5 min`, `4 d 1 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined([hours, "h"], [minutes % 60, "min"]);
  return joined([Math.floor(hours / 24), "d"], [hours % 24, "h"]);
}

/** `3 s ago`, as seen from now. */
export function ago(atMs: number, nowMs: number): string {
  return nowMs - atMs < 1500 ? "just now" : `${duration(nowMs - atMs)} ago`;
}

export function timeOfDay(atMs: number): string {
  return clock.format(atMs);
}

export function dateAndTime(atMs: number): string {
  return moment.format(atMs);
}

/** `1 device`, `2 devices`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A file's name and the folder it is in. */
export function shortPath(path: string): string {
  return path.split(/[\\/]/).slice(-2).join("/");
}

/** Short enough to be read in one line. */
const shortText = 60;

/** JSON with one member per line where the text is some and long, digits as they are; other text as it is. */
export function laidOut(text: string): string {
  if (text.length <= shortText) return text;
  let depth = 0;
  let result = "";
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  // Not by JSON.stringify, which would write large numbers anew.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "}" || token === "]") {
      depth -= 1;
      result = /[{[]$/.test(result) ? result + token : `${result}\n${"  ".repeat(depth)}${token}`;
      continue;
    }
    if (/[{[]$/.test(result) || result.endsWith(",\n"))
      result += result.endsWith("\n") ? "  ".repeat(depth) : `\n${"  ".repeat(depth)}`;
    if (token === "{" || token === "[") depth += 1;
    result += token === ":" ? ": " : token === "," ? ",\n" : token;
  }
  return result;
}

function joined(...parts: readonly (readonly [number, string])[]): string {
  return parts
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}
