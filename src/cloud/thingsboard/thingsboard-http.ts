import { type Context, Hono } from "hono";
import { type JsonText, membersOf, objectText, toJsonText } from "../../message/json.ts";
import { decodeSegment, isForeignPage, readBody, type Served, segmentsOf, serveApp } from "../serve-app.ts";
import { readRpcOrder } from "./rpc-order.ts";
import type { ThingsBoardCloud, ThingsBoardDevice } from "./thingsboard-cloud.ts";

const maxBodyBytes = 1024 * 1024;

/**
 * Lets shared attributes be set and commands be sent over HTTP: `GET /devices[/{name}]`, `PUT /devices/{name}/shared` (a JSON
 * object, merged), `DELETE /devices/{name}/shared/{key}`, `POST /devices/{name}/rpc` (`{"method","params","timeout"}`, answered
 * with the device's answer, 504 when none came in time and 409 when there was no active connection).
 *
 * There is no login, so pages of other sites are turned away, which could otherwise post here from a browser.
 *
 * @throws {DragomanError} `ERR_LISTEN`.
 */
export function serveThingsBoardHttp(cloud: ThingsBoardCloud, url: string): Promise<Served> {
  return serveApp(createThingsBoardApp(cloud), url);
}

/** The answers, without the sockets. */
export function createThingsBoardApp(cloud: ThingsBoardCloud): Hono {
  const app = new Hono();
  app.use((context, next) =>
    isForeignPage(context) ? Promise.resolve(refuse(context, 403, "pages of other sites may not ask here")) : next(),
  );
  const nameIn = (context: Context) => decodeSegment(segmentsOf(context)[1] ?? "");

  app.get("/devices", (context) => json(context, `{"devices":[${cloud.devices().map(textOf).join(",")}]}`));
  app.get("/devices/:name", (context) => {
    const device = cloud.deviceOf(nameIn(context));
    return device === undefined ? refuse(context, 404, "no such device") : json(context, textOf(device));
  });
  app.put("/devices/:name/shared", async (context) => {
    const name = nameIn(context);
    const body = await readBody(context, maxBodyBytes);
    if (body === undefined) return refuse(context, 413, "request body is too large");
    cloud.setShared(name, body.toString("utf8"));
    return json(context, cloud.sharedAttributes(name) ?? "{}");
  });
  app.delete("/devices/:name/shared/:key", (context) => {
    const name = nameIn(context);
    cloud.deleteShared(name, [decodeSegment(segmentsOf(context)[3] ?? "")]);
    return json(context, cloud.sharedAttributes(name) ?? "{}");
  });
  app.post("/devices/:name/rpc", async (context) => {
    const body = await readBody(context, maxBodyBytes);
    if (body === undefined) return refuse(context, 413, "request body is too large");
    const order = readRpcOrder(membersOf((toJsonText(body.toString("utf8")) ?? "{}") as JsonText));
    if (order === undefined) return refuse(context, 400, 'wanted {"method","params","timeout","persistent","oneway"}');
    const { method, params, options } = order;
    const outcome = await cloud.sendRpc(nameIn(context), method, params, options);
    switch (outcome.kind) {
      case "reply":
        return json(context, outcome.data);
      case "delivered":
        return context.body(null, 200);
      case "timeout":
        return refuse(context, 504, "no answer in time");
      case "offline":
        return refuse(context, 409, "no active connection");
    }
  });

  app.notFound((context) =>
    refuse(
      context,
      404,
      "wanted GET /devices, PUT /devices/{name}/shared, DELETE /devices/{name}/shared/{key} or POST /devices/{name}/rpc",
    ),
  );
  app.onError((error, context) => {
    if (!(error instanceof RangeError)) return refuse(context, 500, "internal error");
    return refuse(context, / no such device$/.test(error.message) ? 404 : 400, error.message);
  });
  return app;
}

function refuse(context: Context, status: 400 | 403 | 404 | 409 | 413 | 500 | 504, message: string): Response {
  return context.json({ status, message }, status);
}

/** JSON that is text already, digit for digit. */
function json(context: Context, text: string): Response {
  return context.body(text, 200, { "content-type": "application/json" });
}

function textOf({ client, shared, ...facts }: ThingsBoardDevice): JsonText {
  const members = membersOf(JSON.stringify(facts) as JsonText);
  return objectText([...members, ["client", client], ["shared", shared]]);
}
