/** Time a device has to answer a command through `commands.replies`, where no other is set. */
const repliesTimeout = "10s";

/** The rules for all gateways with those of one gateway before them, as they stand in the file, without defaults. */
export function mergeRules(all: object | undefined, own: object | undefined): object {
  const rules = merge(all ?? {}, own ?? {});
  const { commands } = rules as { commands?: { replies?: string | null; timeout?: string } };
  if (typeof commands?.replies !== "string" || commands.timeout !== undefined) return rules;
  return { ...rules, commands: { ...commands, timeout: repliesTimeout } };
}

function merge(all: object, own: object): object {
  const merged = new Map<string, unknown>(Object.entries(all));
  for (const [key, value] of Object.entries(own)) {
    const other = merged.get(key);
    merged.set(key, isMapping(other) && isMapping(value) ? merge(other, value) : value);
  }
  return Object.fromEntries(merged);
}

function isMapping(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
