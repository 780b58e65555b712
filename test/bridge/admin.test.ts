import { expect, test } from "vitest";
import type { BridgeStatus } from "../../src/message/status.ts";
import { runProgram, startBridge } from "./bridge-process.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

/** Secrets that pass through the bridge, and must not stay in anything it says. */
const startUpSecrets = ["broker-pass-1", "opc-pass-2"];

test("the admin server of a running bridge tells its health, readiness, ledger, metrics and status", async () => {
  const plant = await openPlant({ upstream: { keepalive: "5s" } });
  const { cloud } = plant;
  const bridge = await startBridge(plant.configFile);
  const token = plant.tokenOf("gw-01");
  const gateway = await connectGateway(bridge.url, { token });

  await gateway.say("v1/gateway/connect", { device: "Device A" });
  await gateway.say(
    "v1/gateway/telemetry",
    '{"Device A":[{"ts":1,"values":{"t":1}}],"Device B":[{"ts":1,"values":{"t":1}}]}',
  );
  await gateway.say("v1/gateway/attributes", { "Device A": { serial: "S-1" } });
  await gateway.say("v1/gateway/telemetry", "{").catch(() => undefined);
  await gateway.say("nothing/known", "x");
  await gateway.say("v1/devices/me/attributes", {
    general_configuration: { security: { accessToken: token } },
    active_connectors: ["Modbus"],
  });
  await gateway.say("v1/devices/me/attributes", {
    "MQTT Broker": { configurationJson: { password: startUpSecrets[0] } },
    Modbus: { password: startUpSecrets[1] },
  });
  await cloud.next("state");
  cloud.setConfig("Device%20A", '{"interval":30}');
  await gateway.next("v1/gateway/attributes");
  await eventually(async () => JSON.parse((await bridge.get("/readyz")).text) as unknown).toEqual({
    ...{ status: "ready", gateways: 1 },
  });
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0 });

  expect(JSON.parse((await bridge.get("/healthz")).text)).toEqual({ status: "ok" });
  const up = {
    ...{ received: 8, delivered: 4, pending: 0, held: 0, quarantined: 1 },
    dropped: { unknownTopic: 1, withheld: 2 },
  };
  const down = { received: 4, delivered: 3, pending: 0, dropped: { forbidden: 1 } };
  expect(await bridge.ledger()).toEqual({ ...up, down, gateways: { "gw-01": { ...up, down } } });

  const metrics = await bridge.get("/metrics");
  expect(metrics.status).toBe(200);
  expect(metrics.text).toMatch(/^dragoman_\w+\{.*gateway="gw-01".*\} 8$/m);
  // Seven packets were answered, and each delivered message of them came to its end.
  expect(metrics.text).toMatch(/^dragoman_puback_duration_seconds_count 7$/m);
  expect(metrics.text).toMatch(/^dragoman_delivery_duration_seconds_count 4$/m);
  expect(metrics.text).not.toMatch(/^dragoman_oldest_pending_timestamp_seconds\{/m);

  const status = JSON.parse((await bridge.get("/status")).text) as BridgeStatus;
  expect(status).toMatchObject({ healthy: true, listen: [bridge.url], gateways: [{ id: "gw-01", ready: true }] });
  expect(status.gateways[0]?.local).toMatchObject({ connected: true, protocol: 5 });
  expect(status.gateways[0]?.devices).toContainEqual(
    expect.objectContaining({
      ...{ name: "Device A", upstreamId: "Device%20A", state: "attached" },
      ...{ desired: '{"interval":30}', reported: '{"serial":"S-1"}' },
    }),
  );

  const shown = await runProgram(["status", "--url", bridge.admin]);
  expect([shown.code, shown.stderr]).toEqual([0, ""]);
  expect(shown.stdout).toContain("healthy");
  expect(shown.stdout).toContain("Device A");
  expect(shown.stdout).toContain("received 8 = delivered 4 + pending 0 + held 0 + quarantined 1 + dropped 3");

  // Not one of its outputs holds a secret or a stack trace.
  expect(await bridge.end("SIGTERM")).toBe(0);
  const said = [bridge.text(), metrics.text, JSON.stringify(status), shown.stdout].join("\n");
  const keyLines = plant.keyOf("gw-01").split("\n").slice(1, -2);
  for (const secret of [token, ...startUpSecrets, ...keyLines, "PRIVATE KEY", "eyJ"])
    expect(said).not.toContain(secret);
  expect(said).not.toMatch(/^\s+at .*:\d+:\d+/m);
});

test("with the upstream down it is healthy but not ready, says why, and dragoman status exits 3", async () => {
  const plant = await openPlant();
  await plant.stopCloud();
  const bridge = await startBridge(plant.configFile);
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"t":1}}]}');
  await bridge.log.next(({ msg }) => msg === "upstream-closed");

  expect((await bridge.get("/healthz")).status).toBe(200);
  const readiness = await bridge.get("/readyz");
  expect(readiness.status).toBe(503);
  expect(JSON.parse(readiness.text)).toMatchObject({
    ...{ status: "notReady", gateways: 1, notReady: [{ id: "gw-01", reason: "refused" }] },
  });
  expect(await bridge.ledger()).toMatchObject({ received: 1, pending: 1 });
  const oldest = /^dragoman_oldest_pending_timestamp_seconds\{gateway="gw-01"\} (.+)$/m;
  const [, oldestText] = oldest.exec((await bridge.get("/metrics")).text) ?? [];
  expect(Math.abs(Date.now() / 1000 - Number(oldestText))).toBeLessThan(600);
  const shown = await runProgram(["status", "--url", bridge.admin]);
  expect(shown.code).toBe(3);
  expect(shown.stdout).toContain("degraded");
  expect(shown.stdout).toContain("refused");

  await plant.startCloud();
  await eventually(async () => (await bridge.get("/readyz")).status).toBe(200);
  await eventually(() => bridge.ledger()).toMatchObject({ delivered: 1, pending: 0 });
  expect((await runProgram(["status", "--url", bridge.admin, "--json"])).code).toBe(0);
  expect(await bridge.end("SIGTERM")).toBe(0);
});

test("dragoman status without a bridge exits 1 and says what to do, in one line", async () => {
  const { code, stdout, stderr } = await runProgram(["status", "--url", "http://127.0.0.1:1"]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^dragoman: Cannot read status from "http:\/\/127\.0\.0\.1:1": [^\n]+\n$/);
});

test("admin: false opens no admin server", async () => {
  const plant = await openPlant({ admin: false });
  const bridge = await plant.open();
  expect(bridge.admin).toBeUndefined();
});
