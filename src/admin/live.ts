import type { Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Ledger } from "../message/fate.ts";
import type { LogControl } from "../message/log.ts";
import type { Playground } from "../message/playground.ts";
import type { BridgeStatus } from "../message/status.ts";
import type { TraceSource } from "../message/trace.ts";
import { jsonOnly, ownPagesOnly } from "./access.ts";
import { devicesDocument } from "./devices.ts";
import { Events } from "./events.ts";
import { History } from "./history.ts";
import { countOf, QueryError, textOf } from "./live-query.ts";
import { PacketLog } from "./packet-log.ts";
import { readPlaygroundRequest } from "./playground-request.ts";

/** What the page at `/` shows as it happens. */
export interface LiveSource {
  status(): BridgeStatus;
  /** The sum over all gateways. */
  ledger(): Ledger;
  /** Left out: `/events` has no trace. */
  readonly trace?: TraceSource;
  /** Left out, or without a trace: the paths below `/log` do not exist. */
  readonly log?: LogControl;
  /** Left out: `/playground` does not exist. */
  readonly playground?: Playground;
}

const maxBodyBytes = 256 * 1024;
const maxSeconds = 3_600;
const maxDevices = 200;

/** What the live routes keep between requests: open streams, the ledger's past, and whose packets are logged. */
export class Live {
  readonly source: LiveSource;
  readonly events: Events;
  readonly history: History;
  readonly packets: PacketLog | undefined;

  constructor(source: LiveSource) {
    this.source = source;
    this.events = new Events(source);
    this.history = new History(() => source.ledger());
    const { log, trace } = source;
    this.packets = log === undefined || trace === undefined ? undefined : new PacketLog(log, trace);
  }

  close(): void {
    this.events.close();
    this.history.close();
    this.packets?.close();
  }
}

/** Serves `/events`, `/history`, `/devices` and `/playground`: docs/operating.md, "Over HTTP". */
export function addLiveRoutes(app: Hono, live: Live): void {
  const { source, events, history } = live;
  app.get("/events", ownPagesOnly, (context) =>
    answer(context, () => {
      if (context.req.query("trace") !== "1") return events.answer(context, {});
      const filter = {
        ...textOf(context, "gateway"),
        ...textOf(context, "device"),
        ...textOf(context, "kind"),
      };
      return events.answer(context, { trace: filter });
    }),
  );
  app.get("/history", (context) =>
    answer(context, () => {
      const seconds = Math.min(maxSeconds, countOf(context, "seconds") ?? maxSeconds);
      return context.json(history.document(seconds));
    }),
  );
  app.get("/devices", (context) =>
    answer(context, () => {
      const limit = Math.min(maxDevices, countOf(context, "limit") ?? maxDevices);
      const offset = countOf(context, "offset") ?? 0;
      const question = { ...textOf(context, "gateway"), ...textOf(context, "search"), offset, limit };
      return context.json(devicesDocument(source.status(), question));
    }),
  );
  const { playground } = source;
  if (playground !== undefined) {
    app.get("/playground", async (context) => context.json({ dialects: await playground.dialects() }));
    app.post("/playground", ownPagesOnly, jsonOnly, smallBody, (context) =>
      answer(context, async () => {
        const request = readPlaygroundRequest(await context.req.json().catch(() => undefined));
        const answered = await playground.try(request);
        return "refused" in answered ? context.json({ error: answered.refused }, 422) : context.json(answered);
      }),
    );
    app.all("/playground", (context) =>
      context.json({ error: "wanted GET or POST" }, 405, { allow: "GET, HEAD, POST" }),
    );
  }
  for (const path of ["/events", "/history", "/devices"]) {
    app.all(path, (context) => context.json({ error: "wanted GET" }, 405, { allow: "GET, HEAD" }));
  }
}

async function answer(context: Context, make: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof QueryError) return context.json({ error: error.message }, 400);
    throw error;
  }
}

const smallBody = bodyLimit({
  maxSize: maxBodyBytes,
  onError: (context) => context.json({ error: "the body is too large" }, 413, { connection: "close" }),
});
