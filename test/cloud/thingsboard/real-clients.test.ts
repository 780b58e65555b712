import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { connectAsync } from "mqtt";
import { expect, onTestFinished, test } from "vitest";
import { openTenant } from "./tenant.ts";

const run = promisify(execFile);

test.each([3, 4, 5] as const)("MQTT.js at level %i attaches, uploads, asks, is told and commanded", async (level) => {
  const cloud = await openTenant();
  const client = await connectAsync(
    cloud.urls[0] ?? "",
    {
      username: "token-of-gw-01",
      clientId: "short",
      protocolVersion: level,
      protocolId: level === 3 ? "MQIsdp" : "MQTT",
      reconnectPeriod: 0,
    },
    false,
  );
  const heard: [string, unknown][] = [];
  client.on("message", (topic, payload) => {
    heard.push([topic, JSON.parse(payload.toString())]);
    if (topic === "v1/gateway/rpc") client.publish(topic, '{"device":"A","id":0,"data":{"on":true}}', { qos: 1 });
  });
  await client.subscribeAsync(["v1/gateway/attributes", "v1/gateway/attributes/response", "v1/gateway/rpc"], {
    qos: 1,
  });
  await client.publishAsync("v1/gateway/connect", '{"device":"A"}', { qos: 1 });
  await client.publishAsync("v1/gateway/telemetry", '{"A":[{"ts":1,"values":{"t":42}}]}', { qos: 1 });
  expect(await cloud.next("telemetry")).toMatchObject({ gateway: "gw-01", device: "A", tsMs: 1, values: '{"t":42}' });
  cloud.setShared("A", '{"interval":30}');
  await client.publishAsync(
    "v1/gateway/attributes/request",
    '{"id":1,"device":"A","client":false,"keys":["interval","none"]}',
    { qos: 1 },
  );
  expect(await cloud.sendRpc("A", "setLed", "true")).toEqual({ kind: "reply", data: '{"on":true}' });
  expect(heard).toEqual([
    ["v1/gateway/attributes", { device: "A", data: { interval: 30 } }],
    ["v1/gateway/attributes/response", { id: 1, device: "A", values: { interval: 30 } }],
    ["v1/gateway/rpc", { device: "A", data: { id: 0, method: "setLed", params: true } }],
  ]);
  await cloud.next("acknowledged");
  await client.endAsync();
  expect(await cloud.next("closed")).toMatchObject({ by: "device", reason: "disconnect" });
});

test("MQTT.js is told why a publish of MQTT 5 was not taken", async () => {
  const cloud = await openTenant();
  const url = cloud.urls[0] ?? "";
  const client = await connectAsync(url, { username: "token-of-gw-01", protocolVersion: 5, reconnectPeriod: 0 });
  const refused = client.publishAsync("v1/gateway/telemetry", '{"A":["x"]}', { qos: 1 });
  await expect(refused).rejects.toMatchObject({ code: 0x99 });
  await client.endAsync();
  const wrong = connectAsync(url, { username: "x", protocolVersion: 5, reconnectPeriod: 0 }, false);
  await expect(wrong).rejects.toMatchObject({ code: 0x86 });
});

test.each(["mqttv31", "mqttv311", "mqttv5"])("mosquitto_pub and mosquitto_sub work with %s", async (version) => {
  const cloud = await openTenant();
  const { hostname, port } = new URL(cloud.urls[0] ?? "");
  const base = ["-V", version, "-h", hostname, "-p", port, "-q", "1"];
  const message = ["-t", "v1/gateway/telemetry", "-m", '{"A":[{"t":1}]}'];
  await run("mosquitto_pub", [...base, "-u", "token-of-gw-01", ...message]);
  expect(await cloud.next("telemetry")).toMatchObject({ device: "A", values: '{"t":1}' });
  await expect(run("mosquitto_pub", [...base, "-u", "nobody", ...message])).rejects.toBeDefined();
  const listener = spawn("mosquitto_sub", [
    ...base,
    "-u",
    "token-of-plain",
    "-t",
    "v1/devices/me/attributes",
    "-C",
    "1",
  ]);
  onTestFinished(() => void listener.kill());
  await cloud.next("subscribed");
  cloud.setShared("plain", '{"n":1}');
  const [line] = (await once(listener.stdout, "data")) as [Buffer];
  expect(line.toString().trim()).toBe('{"n":1}');
});
