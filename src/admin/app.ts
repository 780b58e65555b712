import { Hono, type MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import type { Ledger } from "../message/fate.ts";
import type { Latency } from "../message/latency.ts";
import type { SpoolRepair } from "../message/repair.ts";
import type { Secret } from "../message/secret.ts";
import { ownHostOnly, readersOnly, tokenCheck } from "./access.ts";
import { ledgerDocument } from "./ledger.ts";
import { addLiveRoutes, type Live, type LiveSource } from "./live.ts";
import { addLogRoutes } from "./log.ts";
import { metricsContentType, renderMetrics } from "./metrics.ts";
import { addPageRoutes, pagePolicy } from "./page.ts";
import { healthOf, readinessOf } from "./probes.ts";
import { addRepairRoutes } from "./repair.ts";

/** Where the answers come from. Each is called once per request that needs it, in the same turn. */
export interface AdminSource extends LiveSource {
  /** By gateway, those that are configured no more included, so that they add up to the sum. */
  ledgers(): Readonly<Record<string, Ledger>>;
  /** Left out: `/metrics` has no histograms. */
  readonly latency?: Latency;
  /** Left out: the paths below `/spool` do not exist. */
  readonly repair?: SpoolRepair;
}

export interface AppOptions {
  /** What the server listens on, as in a URL. */
  readonly hostname: string;
  readonly token?: Secret;
}

/** What is told to whoever asks for something else. */
const endpoints = {
  "/healthz": "whether the process works",
  "/readyz": "whether every gateway has a proven path upstream",
  "/metrics": "figures for Prometheus",
  "/ledger": "what became of every message",
  "/status": "links, devices and backlog, as JSON",
  "/history": "the ledger over the last hour, as JSON",
  "/devices": "devices, page by page, as JSON",
} as const;

/** Answers the admin requests: what is asked, who may ask, and how an answer is dressed. Knows nothing of sockets. */
export function createApp(options: AppOptions, source: AdminSource, live: Live): Hono {
  const mayRead = tokenCheck(options.token);
  const app = new Hono();
  app.use(secureHeaders(pageHeaders));
  app.use(neverCached);
  app.use(ownHostOnly(options.hostname));
  app.use(withoutBody);

  // Probes often cannot hold a token; without it they get the bare verdict.
  app.get("/healthz", (context) => {
    const health = healthOf(source.status());
    return context.json(mayRead(context) ? health : { status: health.status }, health.status === "ok" ? 200 : 503);
  });
  app.get("/readyz", (context) => {
    const isVerbose = context.req.query("verbose") !== undefined;
    const readiness = readinessOf(source.status(), { isVerbose });
    const answer = mayRead(context) ? readiness : { status: readiness.status };
    return context.json(answer, readiness.status === "ready" ? 200 : 503);
  });

  addPageRoutes(app);
  app.use(readersOnly(mayRead));
  app.get("/metrics", async (context) =>
    context.body(await renderMetrics(source.status(), source.latency), 200, { "content-type": metricsContentType }),
  );
  app.get("/ledger", (context) => context.json(ledgerDocument(source.ledger(), source.ledgers())));
  app.get("/status", (context) => context.json(source.status()));
  addLiveRoutes(app, live);
  if (source.log !== undefined && live.packets !== undefined) addLogRoutes(app, source.log, live.packets);
  if (source.repair !== undefined) addRepairRoutes(app, source.repair);
  for (const path of ["/healthz", "/readyz", "/metrics", "/ledger", "/status"]) {
    app.all(path, (context) => context.json({ error: "wanted GET" }, 405, { allow: "GET, HEAD" }));
  }

  app.notFound((context) => context.json({ error: "nothing here", paths: Object.keys(endpoints) }, 404));
  // Whoever asks learns that it failed, not how: messages and stacks may hold more than a reader should see.
  app.onError((_error, context) => context.json({ error: "the answer could not be made" }, 500));
  return app;
}

const pageHeaders = {
  contentSecurityPolicy: pagePolicy,
  xFrameOptions: "DENY",
  // It is plain HTTP; a header that asks browsers for TLS would lock them out of the next port as well.
  strictTransportSecurity: false,
};

const neverCached: MiddlewareHandler = async (context, next) => {
  await next();
  context.header("cache-control", "no-store");
};

/** Reading needs no body; whoever sends one gets no more of our time. */
const withoutBody: MiddlewareHandler = async (context, next) => {
  const isReading = context.req.method === "GET" || context.req.method === "HEAD";
  const length = context.req.header("content-length") ?? "0";
  const hasBody = length !== "0" || context.req.header("transfer-encoding") !== undefined;
  if (!isReading || !hasBody) return next();
  return context.json({ error: "wanted no body" }, 413, { connection: "close" });
};
