import type { Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { type LogControl, type LogThreshold, logThresholds } from "../message/log.ts";
import type { TraceFilter } from "../message/trace.ts";
import { jsonOnly, ownPagesOnly } from "./access.ts";
import type { PacketLog } from "./packet-log.ts";
import { QueryError } from "./repair-query.ts";

const maxBodyBytes = 16 * 1024;
const maxText = 1024;
const defaultSeconds = 600;
const maxSeconds = 3600;

const filterKeys = ["gateway", "device", "kind"] as const;

/** Serves `/log` and `/log/packets`: docs/logs.md, "While it runs". */
export function addLogRoutes(app: Hono, log: LogControl, packets: PacketLog): void {
  const state = () => ({ level: log.level, packets: packets.followed, suppressed: log.suppressed });
  app.get("/log", (context) => context.json(state()));
  app.put("/log", ownPagesOnly, jsonOnly, smallBody, (context) =>
    answer(context, (body) => {
      log.level = levelIn(body);
      return state();
    }),
  );
  app.post("/log/packets", ownPagesOnly, jsonOnly, smallBody, (context) =>
    answer(context, (body) => {
      const { filter, seconds } = followingIn(body);
      if (!packets.follow(filter, seconds * 1000))
        throw new QueryError("too many at once: DELETE /log/packets ends all");
      return state();
    }),
  );
  app.delete("/log/packets", ownPagesOnly, (context) => {
    packets.close();
    return context.json(state());
  });
  app.all("/log", (context) => context.json({ error: "wanted GET or PUT" }, 405, { allow: "GET, HEAD, PUT" }));
  app.all("/log/packets", (context) =>
    context.json({ error: "wanted POST or DELETE" }, 405, { allow: "POST, DELETE" }),
  );
}

function levelIn(body: unknown): LogThreshold {
  const level = isObject(body) ? body["level"] : undefined;
  const known = logThresholds.find((each) => each === level);
  if (known !== undefined) return known;
  throw new QueryError(`"level" must be one of ${logThresholds.join(", ")}`);
}

function followingIn(body: unknown): { readonly filter: TraceFilter; readonly seconds: number } {
  if (!isObject(body)) throw new QueryError("wanted a JSON object");
  const { seconds = defaultSeconds, ...named } = body;
  const strange = Object.keys(named).find((key) => !filterKeys.some((known) => known === key));
  if (strange !== undefined) throw new QueryError(`found "${strange}", wanted ${filterKeys.join(", ")} or seconds`);
  const filter: Partial<Record<(typeof filterKeys)[number], string>> = {};
  for (const key of filterKeys) {
    const text = named[key];
    if (text === undefined) continue;
    if (typeof text !== "string" || text === "" || text.length > maxText) throw new QueryError(`"${key}" must be text`);
    filter[key] = text;
  }
  if (filter.gateway === undefined && filter.device === undefined) throw new QueryError('wanted "gateway" or "device"');
  if (typeof seconds !== "number" || !Number.isInteger(seconds) || seconds < 1 || seconds > maxSeconds) {
    throw new QueryError(`"seconds" must be a whole number from 1 to ${maxSeconds}`);
  }
  return { filter, seconds };
}

async function answer(context: Context, make: (body: unknown) => object): Promise<Response> {
  try {
    return context.json(make(await context.req.json().catch(() => undefined)));
  } catch (error) {
    if (error instanceof QueryError) return context.json({ error: error.message }, 400);
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const smallBody = bodyLimit({
  maxSize: maxBodyBytes,
  onError: (context) => context.json({ error: "the body is too large" }, 413, { connection: "close" }),
});
