import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectAsync } from "mqtt";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { mintToken } from "./identity.ts";
import { identityOf, openPlant } from "./plant.ts";

const run = promisify(execFile);
let folder: string;
let cloud: Cloud;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dragoman-"));
  const certificate = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-keyout",
    "server.key",
    "-out",
    "server.pem",
  ];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", "-nodes", "-days", "1", ...certificate, ...names], {
    cwd: folder,
    stdio: "ignore",
  });
});
afterEach(() => cloud.close());
afterAll(() => rmSync(folder, { recursive: true }));

const read = (name: string) => readFileSync(join(folder, name), "utf8");

test("MQTT.js attaches, publishes, is configured and commanded, over TLS", async () => {
  cloud = await openPlant({
    dialect: "clearblade",
    listen: ["mqtts://127.0.0.1:0"],
    tls: { certificate: read("server.pem"), key: read("server.key") },
  });
  const client = await connectAsync(cloud.urls[0] ?? "", {
    clientId: cloud.clientIdOf("gw-01"),
    username: "unused",
    password: mintToken(identityOf("gw-01")),
    protocolVersion: 4,
    reconnectPeriod: 0,
    ca: read("server.pem"),
  });
  const heard: [string, string][] = [];
  client.on("message", (topic, payload) => heard.push([topic, payload.toString()]));
  await client.subscribeAsync("/devices/gw-01/errors", { qos: 0 });
  await client.publishAsync("/devices/sensor-7/attach", "{}", { qos: 1 });
  cloud.setConfig("sensor-7", '{"interval":30}');
  await client.subscribeAsync(["/devices/sensor-7/config", "/devices/sensor-7/commands/#"], { qos: 1 });
  await client.publishAsync("/devices/sensor-7/events", "hello", { qos: 1 });
  expect(cloud.sendCommand("sensor-7", "on", "led")).toEqual({ delivered: true });
  await cloud.next("acknowledged", ({ what }) => what === "config");
  await cloud.next("acknowledged", ({ what }) => what === "command");
  expect(heard).toEqual([
    ["/devices/sensor-7/config", '{"interval":30}'],
    ["/devices/sensor-7/commands/led", "on"],
  ]);
  expect(await cloud.next("telemetry")).toMatchObject({ gateway: "gw-01", device: "sensor-7" });
  await client.endAsync();
  expect(await cloud.next("closed")).toMatchObject({ by: "device", reason: "disconnect" });
});

test("mosquitto_pub publishes for a plain device, and is told when its token is bad", async () => {
  cloud = await openPlant();
  const { hostname, port } = new URL(cloud.urls[0] ?? "");
  const login = (password: string) => [
    "-h",
    hostname,
    "-p",
    port,
    "-i",
    cloud.clientIdOf("sensor-7"),
    "-u",
    "unused",
    "-P",
    password,
  ];
  const message = ["-q", "1", "-t", "/devices/sensor-7/events/door", "-m", "open"];
  await run("mosquitto_pub", ["-V", "mqttv311", ...login(mintToken(identityOf("sensor-7"))), ...message]);
  expect(cloud.received()).toMatchObject([{ kind: "telemetry", device: "sensor-7", folder: "door" }]);
  const refused = run("mosquitto_pub", ["-V", "mqttv311", ...login("bad"), ...message]);
  await expect(refused).rejects.toMatchObject({ code: 5 });
});

test("listening fails with a reason", async () => {
  cloud = await openPlant();
  const taken = cloud.urls[0] ?? "";
  await expect(openPlant({ listen: [taken] })).rejects.toMatchObject({
    code: "ERR_LISTEN",
    message: `Cannot listen on "${taken}": port is taken`,
  });
  await expect(openPlant({ listen: ["mqtts://127.0.0.1:0"] })).rejects.toMatchObject({
    message: 'Cannot listen on "mqtts://127.0.0.1:0": mqtts needs a certificate and a key',
  });
  await expect(openPlant({ listen: ["ws://127.0.0.1:0"] })).rejects.toMatchObject({ code: "ERR_LISTEN" });
});
