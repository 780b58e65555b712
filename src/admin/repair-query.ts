import type { RepairFilter, RepairStep } from "../message/repair.ts";

const defaultLimit = 100;
const maxLimit = 1000;

/** A step, and whether to treat everything was asked for by name. */
export interface Asked {
  readonly step: RepairStep;
  readonly isAll: boolean;
}

/** A query that is none; the message says what was wanted. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}

/** What may be asked, as text in a URL or as JSON. `id` is `SEQ` or `SEQ.INDEX`. */
type Query = Readonly<
  Partial<Record<"gateway" | "device" | "reason" | "fate" | "minAgeMs" | "id" | "limit" | "after" | "all", unknown>>
>;

const texts: readonly (keyof Query)[] = ["gateway", "device", "reason", "after"];
const counts: readonly (keyof Query)[] = ["minAgeMs", "limit"];
const known: readonly string[] = [...texts, ...counts, "fate", "id", "all"];

/**
 * Reads what is asked for.
 *
 * @throws {QueryError}
 */
export function readQuery(value: unknown): Asked {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new QueryError("wanted a JSON object");
  const query = value as Query;
  const strange = Object.keys(query).find((key) => !known.includes(key));
  if (strange !== undefined) throw new QueryError(`found "${strange}", wanted one of ${known.join(", ")}`);
  for (const key of texts) {
    if (query[key] !== undefined && typeof query[key] !== "string") throw new QueryError(`"${key}" must be text`);
  }
  const { after, gateway, device, reason } = query as Readonly<Record<string, string | undefined>>;
  const fate = fateIn(query);
  const minAgeMs = countIn(query, "minAgeMs");
  const filter = {
    ...(gateway === undefined ? {} : { gateway }),
    ...(device === undefined ? {} : { device: device as NonNullable<RepairFilter["device"]> }),
    ...(reason === undefined ? {} : { reason }),
    ...(fate === undefined ? {} : { fate }),
    ...(minAgeMs === undefined ? {} : { minAgeMs }),
    ...idIn(query.id),
  };
  const limit = Math.min(maxLimit, Math.max(1, countIn(query, "limit") ?? defaultLimit));
  return { step: { filter, limit, ...(after === undefined ? {} : { after }) }, isAll: query.all === true };
}

function fateIn({ fate }: Query): RepairFilter["fate"] {
  if (fate === undefined || fate === "held" || fate === "quarantined") return fate;
  throw new QueryError('"fate" must be "held" or "quarantined"');
}

function countIn(query: Query, key: "minAgeMs" | "limit"): number | undefined {
  const value = query[key];
  if (value === undefined) return undefined;
  const count = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  throw new QueryError(`"${key}" must be a whole number, not negative`);
}

function idIn(id: unknown): Pick<RepairFilter, "seq" | "index"> {
  if (id === undefined) return {};
  const match =
    typeof id === "string" || typeof id === "number" ? /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(String(id)) : null;
  if (match === null) throw new QueryError('"id" must be the number of a packet, or SEQ.INDEX');
  const [, seq, index] = match;
  return { seq: Number(seq), ...(index === undefined ? {} : { index: Number(index) }) };
}
