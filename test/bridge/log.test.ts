import { expect, test } from "vitest";
import { startBridge } from "./bridge-process.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, type LogLine, openPlant } from "./harness.ts";

const telemetry = (device: string) => JSON.stringify({ [device]: [{ ts: 1, values: { t: 1 } }] });

test("a flood of packets that nobody understands is some lines, and their counts are those of the ledger", async () => {
  const plant = await openPlant();
  const bridge = await startBridge(plant.configFile);
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const floods = Array.from({ length: 1000 }, () => gateway.say("nothing/known", "x"));
  await Promise.all(floods);
  await eventually(() => bridge.ledger()).toMatchObject({ dropped: { unknownTopic: 1000 } });
  expect(await bridge.end("SIGTERM")).toBe(0);
  const lines = bridge.log.all.filter(({ msg }) => msg === "packet-not-understood");
  expect(lines.length).toBeGreaterThan(10);
  // Ten to begin with, one at the end, and one for each ten seconds that it took.
  expect(lines.length).toBeLessThan(40);
  expect(lines.reduce((sum, line) => sum + Number(line["repeated"] ?? 1), 0)).toBe(1000);
});

test("SIGUSR2 logs more and then less again, and PUT /log sets the level", async () => {
  const plant = await openPlant({ log: { level: "info" } });
  const bridge = await startBridge(plant.configFile);
  bridge.signal("SIGUSR2");
  await bridge.log.next(changed("info", "debug"));
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await bridge.log.next(({ msg }) => msg === "gateway-connected");
  await gateway.say("v1/gateway/connect", { device: "Device A" });
  await bridge.log.next(({ msg }) => msg === "device-attached");
  bridge.signal("SIGUSR2");
  await bridge.log.next(changed("debug", "info"));
  const answer = await fetch(new URL("/log", bridge.admin), {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: '{"level":"error"}',
  });
  expect(await answer.json()).toMatchObject({ level: "error" });
  await bridge.log.next(changed("info", "error"));
  expect(await bridge.end("SIGTERM")).toBe(0);
});

test("a device's packets are logged when asked for, both sides and nobody else's, without their payloads", async () => {
  const plant = await openPlant({ log: { level: "info" } });
  const bridge = await startBridge(plant.configFile);
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const asked = await fetch(new URL("/log/packets", bridge.admin), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ gateway: "gw-01", device: "Device A" }),
  });
  expect(asked.status).toBe(200);
  await gateway.say("v1/gateway/telemetry", telemetry("Device B"));
  await gateway.say("v1/gateway/telemetry", telemetry("Device A"));
  await bridge.log.next(packet("upstream", "out", "telemetry Device A"));
  const lines = bridge.log.all.filter(({ msg }) => msg === "packet");
  expect(lines[0]).toMatchObject({
    ...{ level: "debug", gateway: "gw-01", side: "local", direction: "in", topic: "v1/gateway/telemetry" },
    messages: ["telemetry Device A"],
  });
  expect(lines.some(packet("upstream", "out", "attach Device A"))).toBe(true);
  expect(JSON.stringify(lines)).not.toContain("Device B");
  expect(JSON.stringify(lines)).not.toContain('\\"t\\"');
  await fetch(new URL("/log/packets", bridge.admin), { method: "DELETE" });
  await gateway.say("v1/gateway/telemetry", telemetry("Device A"));
  await eventually(() => bridge.ledger()).toMatchObject({ received: 3, pending: 0 });
  expect(await bridge.end("SIGTERM")).toBe(0);
  // What followed on the first may still have been shown; the second may not.
  expect(bridge.log.all.filter(packet("local", "in", "telemetry Device A"))).toHaveLength(1);
  expect(bridge.log.all.filter(packet("upstream", "out", "telemetry Device A"))).toHaveLength(1);
});

test("no line holds a secret: at the lowest level, with all packets logged, and whatever is sent where", async () => {
  const plant = await openPlant({ log: { level: "trace" } });
  const bridge = await startBridge(plant.configFile);
  await fetch(new URL("/log/packets", bridge.admin), {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer s3cret-admin" },
    body: JSON.stringify({ gateway: "gw-01" }),
  });
  const token = plant.tokenOf("gw-01");
  await expect(connectGateway(bridge.url, { token: "s3cret-token", reconnectPeriod: 0 })).rejects.toThrow();
  await expect(
    connectGateway(bridge.url, { token: "s3cret-user", password: "s3cret-password", reconnectPeriod: 0 }),
  ).rejects.toThrow();
  await eventually(() => bridge.log.all.filter(({ msg }) => msg === "gateway-refused").length).toBe(2);

  const gateway = await connectGateway(bridge.url, { token, protocolVersion: 4 });
  await gateway.say("v1/gateway/claim", { "Device A": { secretKey: "s3cret-claim", durationMs: 60_000 } });
  await gateway.say("v1/devices/me/attributes", { general_configuration: { security: { accessToken: token } } });
  await gateway.say("v1/devices/me/attributes", { Modbus: { configurationJson: { password: "s3cret-connector" } } });
  await gateway.say("v1/devices/me/attributes", '"s3cret-in-a-wrong-place"');
  await gateway.say("v1/gateway/claim", { "Device A": "s3cret-in-a-wrong-place" });
  await gateway.say("v1/gateway/telemetry", '{"token":"s3cret-not-json');
  await gateway.say("v1/gateway/claim", { "Device A": { secretKey: ["s3cret-of-a-wrong-shape"] } });
  await gateway.say("nothing/known", "s3cret-nobody-knows");
  await gateway.say("v1/gateway/telemetry", telemetry("Device A"));
  await eventually(async () => (await bridge.ledger()).delivered).toBeGreaterThanOrEqual(1);
  await plant.stopCloud();
  await bridge.log.next(({ msg }) => msg === "upstream-closed");
  bridge.signal("SIGHUP");
  await bridge.log.next(({ msg }) => msg === "reloaded");
  expect(await bridge.end("SIGTERM")).toBe(0);

  const text = bridge.text();
  for (const event of ["packet", "packet-not-understood", "gateway-refused", "upstream-closed"]) {
    expect(text).toContain(`"msg":"${event}"`);
  }
  const keyLines = plant.keyOf("gw-01").split("\n").slice(1, -2);
  for (const secret of [token, ...keyLines, "s3cret", "PRIVATE KEY", "eyJ"]) expect(text).not.toContain(secret);
});

function changed(from: string, to: string) {
  return (line: LogLine) => line.msg === "log-changed" && line["from"] === from && line["to"] === to;
}

function packet(side: string, direction: string, message: string) {
  return (line: LogLine) =>
    line.msg === "packet" &&
    line["side"] === side &&
    line["direction"] === direction &&
    (line["messages"] as readonly string[]).includes(message);
}
