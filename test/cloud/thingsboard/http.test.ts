import { expect, onTestFinished, test } from "vitest";
import type { ThingsBoardCloud } from "../../../src/cloud/thingsboard/thingsboard-cloud.ts";
import { createThingsBoardApp, serveThingsBoardHttp } from "../../../src/cloud/thingsboard/thingsboard-http.ts";
import { publish } from "../plant.ts";
import { connectAs, hear, openTenant, say } from "./tenant.ts";

async function serve(cloud: ThingsBoardCloud) {
  const http = await serveThingsBoardHttp(cloud, "http://127.0.0.1:0");
  onTestFinished(() => http.close());
  return async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${http.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    return [response.status, await response.text()] as [number, string];
  };
}

test("shared attributes are merged and deleted, digit for digit", async () => {
  const cloud = await openTenant();
  const ask = await serve(cloud);
  const client = await connectAs(cloud, "gw-01");
  await say(client, "v1/gateway/connect", { device: "a/b %" });
  const path = `/devices/${encodeURIComponent("a/b %")}`;
  expect(await ask("PUT", `${path}/shared`, '{"big":9007199254740993}')).toEqual([200, '{"big":9007199254740993}']);
  expect(await ask("PUT", `${path}/shared`, '{"k":"x"}')).toEqual([200, '{"big":9007199254740993,"k":"x"}']);
  expect(await ask("DELETE", `${path}/shared/big`)).toEqual([200, '{"k":"x"}']);
  await client.next("publish");
  await client.next("publish");
  expect(await hear(client)).toMatchObject({ body: { device: "a/b %", data: { deleted: ["big"] } } });
  const [, text] = await ask("GET", path);
  expect(text).toBe(
    '{"name":"a/b %","type":"default","isGateway":false,"isConnected":false,"attachedBy":"gw-01","openCalls":[],"client":{},"shared":{"k":"x"}}',
  );
  const [status, all] = await ask("GET", "/devices");
  expect([status, JSON.parse(all)]).toMatchObject([
    200,
    { devices: [{ name: "gw-01", isConnected: true }, {}, {}, {}] },
  ]);
});

test("a command is answered with the device's answer, 504 without one, and 409 when the device is away", async () => {
  const cloud = await openTenant();
  const ask = await serve(cloud);
  const client = await connectAs(cloud, "gw-01");
  await say(client, "v1/gateway/connect", { device: "A" });
  const answer = ask("POST", "/devices/A/rpc", '{"method":"m","params":[1.0]}');
  expect(await hear(client)).toMatchObject({ body: { data: { id: 0, method: "m", params: [1] } } });
  client.send(publish("v1/gateway/rpc", '{"device":"A","id":0,"data":{"n":1.0}}', 2));
  expect(await answer).toEqual([200, '{"n":1.0}']);
  expect((await ask("POST", "/devices/A/rpc", '{"method":"m","timeout":1}'))[0]).toBe(504);
  expect(await ask("POST", "/devices/A/rpc", '{"method":"m","oneway":true}')).toEqual([200, ""]);
  await say(client, "v1/gateway/disconnect", { device: "A" });
  expect((await ask("POST", "/devices/A/rpc", '{"method":"m","timeout":1}'))[0]).toBe(409);
});

test("what cannot be done is refused", async () => {
  const cloud = await openTenant();
  const ask = await serve(cloud);
  expect((await ask("POST", "/devices/A/rpc", '{"method":"m"}'))[0]).toBe(404);
  expect((await ask("POST", "/devices/plain/rpc", '{"params":1}'))[0]).toBe(400);
  expect((await ask("POST", "/devices/plain/rpc", "no JSON"))[0]).toBe(400);
  expect((await ask("PUT", "/devices/plain/shared", "[]"))[0]).toBe(400);
  expect((await ask("DELETE", "/devices/A/shared/k"))[0]).toBe(404);
  expect((await ask("GET", "/devices/A"))[0]).toBe(404);
  expect((await ask("GET", "/elsewhere"))[0]).toBe(404);
  expect((await ask("PUT", "/devices/plain/shared", "{}", { origin: "http://example.com" }))[0]).toBe(403);
  const huge = { method: "PUT", body: "x".repeat(2_000_000), headers: { "content-length": "2000000" } };
  expect((await createThingsBoardApp(cloud).request("/devices/plain/shared", huge)).status).toBe(413);
});
