import type { Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { DragomanError } from "../errors.ts";
import { textOrBase64 } from "../message/payload-text.ts";
import type { ShownMessage, SpoolRepair } from "../message/repair.ts";
import { jsonOnly, ownPagesOnly } from "./access.ts";
import { type Asked, QueryError, readQuery } from "./repair-query.ts";

/** The paths that change something. */
const repairPaths: readonly string[] = ["/spool/retry", "/spool/discard"];

const maxBodyBytes = 64 * 1024;

/**
 * Serves what `dragoman spool` asks for: `GET /spool` with the members of a query as parameters (`repair-query.ts`), `GET
 * /spool/{gateway}/{seq}/{index}` (secrets masked, unless asked with `payload=whole`), and `POST /spool/retry` and `/spool/discard` with those members as JSON.
 *
 * One answer is one step through the spool; its `next` is the `after` of the step behind it.
 */
export function addRepairRoutes(app: Hono, repair: SpoolRepair): void {
  app.get("/spool", (context) =>
    answer(context, repair, context.req.query(), ({ step }) => ({
      ...{ directory: repair.directory, gateways: repair.gateways() },
      ...repair.list(step),
    })),
  );
  app.get("/spool/:gateway/:seq{[0-9]+}/:index{[0-9]+}", (context) => {
    const { gateway, seq, index } = context.req.param();
    const shown = repair.show(gateway, { seq: Number(seq), index: Number(index) });
    const isWhole = context.req.query("payload") === "whole";
    if (shown !== undefined) return context.json(shownDocument(shown, { isWhole }));
    return context.json({ error: "no such message is held or quarantined" }, 404);
  });
  app.post("/spool/retry", ownPagesOnly, jsonOnly, smallBody, async (context) =>
    answer(context, repair, await bodyOf(context), ({ step }) => repair.retry(step)),
  );
  app.post("/spool/discard", ownPagesOnly, jsonOnly, smallBody, async (context) =>
    answer(context, repair, await bodyOf(context), ({ step, isAll }) => {
      if (!isAll && Object.keys(step.filter).length === 0) {
        throw new QueryError('wanted a filter, or "all": true to discard everything');
      }
      return repair.discard(step);
    }),
  );
  app.all("/spool", (context) => context.json({ error: "wanted GET" }, 405, { allow: "GET, HEAD" }));
  for (const path of repairPaths) {
    app.all(path, (context) => context.json({ error: "wanted POST" }, 405, { allow: "POST" }));
  }
}

/** The message as JSON; its payload as text where it is some. `isWhole`: as it came, secrets and all. */
export function shownDocument(shown: ShownMessage, { isWhole }: { readonly isWhole: boolean }): object {
  const { payload, maskedPayload, ...message } = shown;
  return { ...message, ...textOrBase64(isWhole ? payload : maskedPayload) };
}

async function answer(
  context: Context,
  repair: SpoolRepair,
  query: unknown,
  make: (asked: Asked) => object | Promise<object>,
): Promise<Response> {
  try {
    const asked = readQuery(query);
    const { gateway } = asked.step.filter;
    const known = repair.gateways();
    if (gateway !== undefined && !known.includes(gateway)) {
      return context.json({ error: "this gateway has nothing in the spool", gateways: known }, 404);
    }
    return context.json(await make(asked));
  } catch (error) {
    if (error instanceof QueryError) return context.json({ error: error.message }, 400);
    if (error instanceof DragomanError) return context.json({ error: error.message }, 503);
    throw error;
  }
}

async function bodyOf(context: Context): Promise<unknown> {
  return context.req.json().catch(() => undefined);
}

const smallBody = bodyLimit({
  maxSize: maxBodyBytes,
  onError: (context) => context.json({ error: "the body is too large" }, 413, { connection: "close" }),
});
