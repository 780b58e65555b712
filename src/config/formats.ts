import type { Formats } from "../message/option-schema.ts";
import { type Address, parseAddress } from "./address.ts";

/** How texts of one format are checked, described and shown to editors. */
export interface Format {
  /** What follows "wanted". */
  readonly wanted: string;
  /** For editors, which know nothing of our formats. `${NAME}` and `file:PATH` fit in any place. */
  readonly pattern?: string;
  /** What is wrong, as text that follows "found", or nothing. Without it, what is found is shown. */
  fault(text: string): { readonly found?: string } | undefined;
}

const good = undefined;
const bad = {};

function matching(wanted: string, pattern: string): Format {
  const regexp = new RegExp(pattern, "u");
  return { wanted, pattern, fault: (text) => (regexp.test(text) ? good : bad) };
}

function address(wanted: string, schemes: readonly string[]): Format {
  return {
    wanted,
    pattern: `^(${schemes.join("|")})://[^/@]+/?$`,
    fault: (text) => {
      const parsed: Address | { readonly fault: string } = parseAddress(text, schemes);
      return "fault" in parsed ? { found: parsed.fault } : good;
    },
  };
}

const filled: Format["fault"] = (text) => (text === "" ? { found: "empty text" } : good);

/** Every format a schema may name. */
export const formats: Readonly<Record<keyof Formats, Format>> = {
  duration: {
    wanted: 'a duration such as "500ms", "90s" or "15m"',
    pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$",
    fault: (text) => (parseDuration(text) === undefined ? bad : good),
  },
  size: {
    wanted: 'a size such as "512KB", "64KiB" or "1GiB"',
    pattern: "^[0-9]+(\\.[0-9]+)?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
    fault: (text) => (parseSize(text) === undefined ? bad : good),
  },
  secret: { wanted: `"\${NAME}" or "file:PATH"`, fault: filled },
  content: { wanted: '"file:PATH"', fault: filled },
  path: { wanted: "a path", fault: filled },
  mqttUrl: address('an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"', ["mqtt", "mqtts"]),
  httpUrl: address('an address such as "http://127.0.0.1:9464"', ["http"]),
  folder: matching(
    'a folder such as "responses" or "a/b", without "+", "#" and empty levels',
    "^[^/+#\\u0000]+(/[^/+#\\u0000]+)*$",
  ),
  numericId: matching("a number of up to 20 digits", "^[0-9]{1,20}$"),
  id: matching(
    'an id of up to 255 characters without "/", "+", "#" and control characters',
    "^[^/+#\\u0000-\\u001f\\u007f]{1,255}$",
  ),
  time: {
    wanted: 'a date such as "2027-12-31" or a time such as "2027-12-31T23:59:59Z"',
    pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$",
    fault: (text) => (parseTime(text) === undefined ? bad : good),
  },
};

/** Unix milliseconds from an RFC 3339 time, or from a date, which begins at midnight UTC. */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) return undefined;
  const timeMs = Date.parse(text);
  // 30 February is no mistake to Date.parse.
  const isDay =
    Number.isFinite(timeMs) && new Date(`${text.slice(0, 10)}T00:00:00Z`).toISOString().startsWith(text.slice(0, 10));
  return isDay ? timeMs : undefined;
}

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `"90s"` as milliseconds; nothing where it is no duration of whole milliseconds. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, milliseconds);
}

const bytes: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `"64KiB"` as bytes; nothing where it is no size of whole bytes. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, bytes);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([a-z]+)$/i.exec(text);
  const unit = match === null || !Object.hasOwn(units, match[2] as string) ? undefined : units[match[2] as string];
  if (match === null || unit === undefined) return undefined;
  const exact = Number(match[1]) * unit;
  const whole = Math.round(exact);
  return Math.abs(exact - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}
