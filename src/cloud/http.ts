import { type Context, Hono } from "hono";
import { textOrBase64 } from "../message/payload-text.ts";
import type { Cloud, CommandOutcome } from "./cloud.ts";
import { type Device, latestConfig } from "./registry.ts";
import { decodeSegment, isForeignPage, readBody, type Served, segmentsOf, serveApp } from "./serve-app.ts";

/** Larger than the largest command; what exactly is too large the cloud says itself. */
const maxBodyBytes = 1024 * 1024;

/**
 * Lets configurations and commands be sent over HTTP: `PUT /devices/{id}/config`, `POST /devices/{id}/commands[/folder…]`
 * (the body is sent as it is) and `GET /devices`. Errors have the envelope of the vendors' admin API.
 *
 * There is no login, so pages of other sites are turned away, which could otherwise post here from a browser.
 *
 * @returns The URL with the real port, and how to stop.
 * @throws {DragomanError} `ERR_LISTEN`.
 */
export function serveHttp(cloud: Cloud, url: string): Promise<Served> {
  return serveApp(createHttpApp(cloud), url);
}

/** The answers, without the sockets. */
export function createHttpApp(cloud: Cloud): Hono {
  const app = new Hono();
  app.use((context, next) =>
    isForeignPage(context) ? Promise.resolve(refuse(context, 403, "pages of other sites may not ask here")) : next(),
  );

  app.get("/devices", (context) => context.json({ devices: cloud.devices().map((device) => describe(cloud, device)) }));
  app.get("/devices/:id", (context) => {
    const device = find(cloud, segmentsOf(context)[1] ?? "");
    return device === undefined ? refuse(context, 404, "no such device") : context.json(describe(cloud, device));
  });
  app.put("/devices/:id/config", async (context) => {
    const segment = segmentsOf(context)[1] ?? "";
    const id = find(cloud, segment)?.id ?? decodeSegment(segment);
    const body = await readBody(context, maxBodyBytes);
    if (body === undefined) return refuse(context, 413, "request body is too large");
    const version = cloud.setConfig(id, body);
    return context.json({ device: id, version });
  });
  app.post("/devices/:id/commands/*", async (context) => {
    const [, segment = "", , ...folders] = segmentsOf(context);
    const id = find(cloud, segment)?.id ?? decodeSegment(segment);
    const folder = folders.map(decodeSegment).join("/");
    const body = await readBody(context, maxBodyBytes);
    if (body === undefined) return refuse(context, 413, "request body is too large");
    const outcome = cloud.sendCommand(id, body, folder === "" ? undefined : folder);
    if (outcome.delivered) return context.json({ device: id, delivered: true });
    const isUnknown = outcome.reason === "unknown-device";
    return refuse(context, isUnknown ? 404 : 400, reasons[outcome.reason]);
  });

  app.notFound((context) =>
    refuse(context, 404, "wanted GET /devices, PUT /devices/{id}/config or POST /devices/{id}/commands[/folder]"),
  );
  app.onError((error, context) => {
    if (error instanceof RangeError)
      return refuse(context, / no such device$/.test(error.message) ? 404 : 400, error.message);
    return refuse(context, 500, "internal error");
  });
  return app;
}

const reasons: Readonly<Record<Exclude<CommandOutcome, { delivered: true }>["reason"], string>> = {
  "unknown-device": "no such device",
  offline: "device is not connected",
  unsubscribed: "device has not subscribed to commands",
};

const statuses = {
  400: "FAILED_PRECONDITION",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  413: "INVALID_ARGUMENT",
  500: "INTERNAL",
};

function refuse(context: Context, code: keyof typeof statuses, message: string): Response {
  return context.json({ error: { code, message, status: statuses[code] } }, code);
}

function describe(cloud: Cloud, device: Device): object {
  const config = latestConfig(device);
  const gateway = cloud.gatewayOf(device.id);
  return {
    id: device.id,
    numericId: device.numericId,
    isGateway: device.gateway !== undefined,
    blocked: device.blocked,
    connected: cloud.isConnected(device.id),
    ...(gateway === undefined ? {} : { attachedBy: gateway }),
    ...(device.gateway === undefined
      ? {}
      : {
          authMethod: device.gateway.authMethod,
          bound: [...device.gateway.bound],
          attached: cloud.attached(device.id),
        }),
    config: { version: config.version, acknowledgedAt: config.acknowledgedAt ?? null, ...textOrBase64(config.payload) },
    state: device.states.length === 0 ? null : textOrBase64(device.states.at(-1) ?? Buffer.alloc(0)),
    ...(device.lastErrorStatus === undefined ? {} : { lastErrorStatus: device.lastErrorStatus }),
  };
}

/**
 * The device a path segment names. Ids may hold `%`, which a path must escape; one that was pasted as it is is found too.
 */
function find(cloud: Cloud, segment: string): Device | undefined {
  return cloud.deviceOf(decodeSegment(segment)) ?? cloud.deviceOf(segment);
}
