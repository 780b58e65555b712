import { afterEach, beforeEach, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { createHttpApp, serveHttp } from "../../src/cloud/http.ts";
import { connectAs, openPlant, publish, subscribe } from "./plant.ts";

let cloud: Cloud;
let http: Awaited<ReturnType<typeof serveHttp>>;
beforeEach(async () => {
  cloud = await openPlant({ more: [{ id: "Device%20A" }] });
  cloud.bind("gw-01", "Device%20A");
  http = await serveHttp(cloud, "http://127.0.0.1:0");
});
afterEach(async () => {
  await http.close();
  await cloud.close();
});

async function ask(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) {
  const response = await fetch(`${http.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  return [response.status, await response.json()];
}

test("PUT config and POST commands reach the device byte for byte", async () => {
  const client = await connectAs(cloud, "gw-01");
  client.send(publish("/devices/Device%20A/attach", "", 2));
  client.send(subscribe(3, ["/devices/Device%20A/commands/#", 0], ["/devices/Device%20A/config", 0]));
  await client.next("publish");
  const body = '{"big":12345678901234567890}';
  expect(await ask("PUT", "/devices/Device%2520A/config", body)).toEqual([200, { device: "Device%20A", version: 2 }]);
  expect((await client.next("publish")).payload.toString()).toBe(body);
  // As it is shown, pasted.
  expect(await ask("POST", "/devices/Device%20A/commands", Buffer.of(0, 255))).toEqual([
    200,
    { device: "Device%20A", delivered: true },
  ]);
  expect(await client.next("publish")).toMatchObject({
    topic: "/devices/Device%20A/commands",
    payload: Buffer.of(0, 255),
  });
  const chunked = { method: "POST", body: new Blob(["x"]).stream(), duplex: "half" } as RequestInit;
  await fetch(`${http.url}/devices/Device%20A/commands/ota/start%20now`, chunked);
  expect(await client.next("publish")).toMatchObject({ topic: "/devices/Device%20A/commands/ota/start now" });
});

test("what cannot be done is answered as the vendors' API does", async () => {
  const error = (code: number, status: string, message: string) => [code, { error: { code, message, status } }];
  expect(await ask("POST", "/devices/sensor-7/commands", "x")).toEqual(
    error(400, "FAILED_PRECONDITION", "device is not connected"),
  );
  expect(await ask("POST", "/devices/ghost-1/commands", "x")).toEqual(error(404, "NOT_FOUND", "no such device"));
  expect(await ask("PUT", "/devices/ghost-1/config", "x")).toEqual(
    error(404, "NOT_FOUND", 'Cannot configure "ghost-1": no such device'),
  );
  expect(await ask("PUT", "/devices/gw-01/config", "x".repeat(65_537))).toEqual(
    error(400, "FAILED_PRECONDITION", 'Cannot configure "gw-01": 65537 bytes, at most 65536'),
  );
  const huge = { method: "PUT", body: "x".repeat(2_000_000), headers: { "content-length": "2000000" } };
  expect((await createHttpApp(cloud).request("/devices/gw-01/config", huge)).status).toBe(413);
  const chunked = { method: "PUT", body: new Blob(["x".repeat(2_000_000)]).stream(), duplex: "half" } as RequestInit;
  expect((await createHttpApp(cloud).request("/devices/gw-01/config", chunked)).status).toBe(413);
  expect((await ask("GET", "/elsewhere"))[0]).toBe(404);
  expect((await ask("PUT", "/devices/gw-01/config", "x", { origin: "http://example.com" }))[0]).toBe(403);
});

test("GET devices shows what the registry knows", async () => {
  const client = await connectAs(cloud, "gw-01");
  client.send(publish("/devices/sensor-7/attach", "", 2));
  client.send(publish("/devices/sensor-7/state", "on", 3));
  await client.settle();
  const [status, answer] = await ask("GET", "/devices");
  expect(status).toBe(200);
  expect((answer as { devices: { id: string }[] }).devices.map(({ id }) => id)).toContain("Device%20A");
  expect((await ask("GET", "/devices/sensor-7"))[1]).toMatchObject({
    id: "sensor-7",
    attachedBy: "gw-01",
    connected: false,
    config: { version: 1, payload: "", acknowledgedAt: null },
    state: { payload: "on" },
  });
  expect((await ask("GET", "/devices/gw-01"))[1]).toMatchObject({
    isGateway: true,
    connected: true,
    attached: ["sensor-7"],
  });
});

test("an address that cannot be used is refused with a reason", async () => {
  await expect(serveHttp(cloud, http.url)).rejects.toMatchObject({ code: "ERR_LISTEN" });
  await expect(serveHttp(cloud, "127.0.0.1:80")).rejects.toMatchObject({ code: "ERR_LISTEN" });
});
