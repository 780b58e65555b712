import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import type { Credentials } from "../../src/cloud/thingsboard/credentials.ts";
import { openThingsBoard, type ThingsBoardOptions } from "../../src/cloud/thingsboard/thingsboard-cloud.ts";
import { allFilters, connectGateway } from "./gateway-client.ts";
import { eventually } from "./harness.ts";
import { runConfig } from "./run-config.ts";

interface Options {
  readonly tenant?: Partial<ThingsBoardOptions>;
  readonly credentials?: Credentials;
  readonly gatewayUpstream?: object;
  readonly upstream?: object;
  readonly rules?: object;
}

/** A ThingsBoard, a bridge to it, and a ThingsBoard gateway in front. */
async function open({ tenant: more, credentials, gatewayUpstream, upstream, rules = {} }: Options = {}) {
  const token = "token-upstream";
  const tenant = await openThingsBoard({
    ...more,
    devices: [{ name: "gw-01", gateway: true, credentials: credentials ?? { kind: "token", token } }],
  });
  onTestFinished(() => tenant.close());
  const bridge = await runConfig({
    local: { dialect: "thingsboard" },
    upstream: { dialect: "thingsboard", url: tenant.urls[0], ...upstream },
    gateways: [{ id: "gw-01", local: { token: "token-local" }, upstream: gatewayUpstream ?? { token } }],
    rules,
  });
  const gateway = await connectGateway(bridge.url, {
    token: "token-local",
    filters: allFilters,
  });
  return { tenant, bridge, gateway };
}

const connect = (device: string) => ["v1/gateway/connect", { device }] as const;
const point = (device: string, ts: number, values: object) =>
  ["v1/gateway/telemetry", { [device]: [{ ts, values }] }] as const;

test("a bridge connects with MQTT 5 and a clean session, subscribes to the exact filters and asks for limits", async () => {
  const { tenant } = await open();
  expect(await tenant.next("connected")).toMatchObject({ protocol: 5, clean: true, keepaliveSeconds: 60 });
  expect(await tenant.next("call")).toMatchObject({ method: "getSessionLimits", device: "gw-01" });
  await eventually(() => tenant.records.filter(({ kind }) => kind === "subscribed")).toHaveLength(7);
  const filters = tenant.records.flatMap((record) => (record.kind === "subscribed" ? [record] : []));
  expect(filters.filter(({ granted }) => granted >= 0x80)).toEqual([]);
  expect(filters.map(({ filter }) => filter).sort()).toEqual([...allFilters].sort());
});

test("MQTT 3.1.1 works where it is asked for", async () => {
  const { tenant, gateway } = await open({ upstream: { protocol: 4 } });
  await gateway.say(...point("A", 1, { t: 1 }));
  expect(await tenant.next("telemetry")).toMatchObject({ device: "A", tsMs: 1 });
  expect(await tenant.next("connected")).toMatchObject({ protocol: 4 });
});

test("a bridge logs in with user name, password and client id where that is the credential", async () => {
  const basic = { clientId: "c-1", username: "u-1", password: "p-1" };
  const { tenant } = await open({ credentials: { kind: "basic", ...basic }, gatewayUpstream: basic });
  expect(await tenant.next("connected")).toMatchObject({ device: "gw-01", clientId: "c-1" });
});

test("a bridge logs in with a client certificate where that is the credential", async () => {
  const pem = (name: string) => readFileSync(new URL(`../upstream/tls/${name}.pem`, import.meta.url), "utf8");
  const certificate = pem("client");
  const { tenant } = await open({
    tenant: { listen: ["mqtts://127.0.0.1:0"], tls: { certificate: pem("server"), key: pem("server.key") } },
    credentials: { kind: "certificate", certificate },
    upstream: { tls: { ca: pem("ca"), serverName: "localhost" } },
    gatewayUpstream: { tls: { certificate, key: pem("client.key") } },
  });
  expect(await tenant.next("connected")).toMatchObject({ device: "gw-01", protocol: 5 });
});

test("the profile of a device gets through, and its connect is acknowledged before its data goes", async () => {
  const { tenant, gateway } = await open();
  await gateway.say("v1/gateway/connect", { device: "A", type: "thermostat" });
  await gateway.say(...point("A", 1, { t: 1 }));
  const attached = await tenant.next("attach");
  expect(attached).toMatchObject({ device: "A", type: "thermostat", isImplied: false, isNew: true });
  await tenant.next("telemetry", undefined, attached);
});

test("a point without a time gets that of its arrival, and numbers keep their digits", async () => {
  const { tenant, gateway } = await open();
  const before = Date.now();
  await gateway.say("v1/gateway/telemetry", '{"A":[{"big":9007199254740993,"d":0.1234567890123456}]}');
  const { tsMs, isServerTime, values } = await tenant.next("telemetry");
  expect(isServerTime).toBe(false);
  expect(tsMs).toBeGreaterThanOrEqual(before);
  expect(values).toBe('{"big":9007199254740993,"d":0.1234567890123456}');
});

test("every kind of message passes: claims, calls, questions and their answers with their ids", async () => {
  const { tenant, gateway } = await open({
    tenant: { answerCall: ({ method }) => (method === "getWeather" ? '{"sun":true}' : undefined) },
  });
  await gateway.say(...connect("A"));
  await tenant.next("attach");
  await gateway.say("v1/gateway/claim", { A: { secretKey: "s", durationMs: 60_000 } });
  expect(await tenant.next("claim")).toMatchObject({ device: "A", secretKey: "s", durationMs: 60_000 });

  await gateway.say("v1/devices/me/rpc/request/7", { method: "getWeather", params: {} });
  expect((await gateway.next("v1/devices/me/rpc/response/7")).text).toBe('{"sun":true}');

  await gateway.say("v1/gateway/attributes", { A: { serial: "S-1" } });
  await tenant.next("attributes");
  await gateway.say("v1/gateway/attributes/request", { id: 5, device: "A", client: true, key: "serial" });
  expect(JSON.parse((await gateway.next("v1/gateway/attributes/response")).text)).toEqual({
    ...{ id: 5, device: "A" },
    value: "S-1",
  });
});

test("a call to a device keeps its id, and the reply finds it", async () => {
  const { tenant, gateway } = await open();
  await gateway.say(...connect("A"));
  await tenant.next("attach");
  const answered = tenant.sendRpc("A", "m", '{"x":1}');
  const call = JSON.parse((await gateway.next("v1/gateway/rpc")).text) as { data: { id: number } };
  expect(call).toEqual({ device: "A", data: { id: 0, method: "m", params: { x: 1 } } });
  await gateway.say("v1/gateway/rpc", { device: "A", id: 0, data: { ok: true } }, 0);
  expect(await answered).toEqual({ kind: "reply", data: '{"ok":true}' });
});

test("a gateway's own configuration, orders and secrets are kept back", async () => {
  const { tenant, gateway } = await open();
  await gateway.say("v1/devices/me/attributes", {
    general_configuration: { thingsboard: { security: { accessToken: "secret" } } },
    version: "v3.7",
  });
  expect((await tenant.next("attributes")).values).toBe('{"version":"v3.7"}');
  tenant.setShared("gw-01", '{"active_connectors":["x"]}');
  expect(await tenant.sendRpc("gw-01", "gateway_reboot", "{}")).toEqual({
    kind: "reply",
    data: '{"error":"forbidden"}',
  });
  await gateway.say("v1/devices/me/attributes/request/3", {});
  expect((await gateway.next("v1/devices/me/attributes/response/3")).text).toBe("{}");
  expect(gateway.heard.all.map(({ topic }) => topic)).toEqual(["v1/devices/me/attributes/response/3"]);
});

test("sixty devices come up behind a strict rate limit without losing the connection, and what waited is packed", async () => {
  const { tenant, bridge, gateway } = await open({
    tenant: {
      rateLimits: { gateway: { messages: "60:1,1000:60", telemetryMessages: "60:1", telemetryDataPoints: "500:1" } },
    },
  });
  const names = Array.from({ length: 60 }, (_, i) => `device-${i}`);
  for (let ts = 1; ts <= 3; ts++) {
    await Promise.all(names.map((name) => gateway.say(...point(name, ts, { a: ts, b: ts }))));
  }
  await eventually(() => tenant.records.filter(({ kind }) => kind === "telemetry").length).toBe(180);
  await eventually(() => bridge.ledger()).toMatchObject({ received: 180, delivered: 180 });
  for (const name of names) {
    const times = tenant.records.flatMap((one) => (one.kind === "telemetry" && one.device === name ? [one.tsMs] : []));
    expect(times).toEqual([1, 2, 3]);
  }
  expect(tenant.records.filter(({ kind }) => kind === "closed")).toEqual([]);
});

test("a publish that the cloud refuses is set aside alone", async () => {
  const { tenant, bridge, gateway } = await open({ tenant: { castsTypes: false } });
  await gateway.say(...connect("A"));
  await tenant.next("attach");
  await gateway.say("v1/gateway/telemetry", '{"A":[{"ts":1,"values":{"n":123456789012345678901234567890}}]}');
  await gateway.say(...point("A", 2, { n: 2 }));
  expect(await tenant.next("telemetry")).toMatchObject({ tsMs: 2 });
  await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 2, quarantined: 1 });
});

test("a device that the cloud has no room for is held, and the others go on", async () => {
  const { tenant, bridge, gateway } = await open({ tenant: { maxDevices: 2 } });
  await gateway.say(...point("A", 1, { t: 1 }));
  await tenant.next("telemetry");
  tenant.faults.refusePublishes = [{ topic: "v1/gateway/connect", code: 0x80 }];
  await gateway.say(...point("B", 1, { t: 1 }));
  await eventually(() => bridge.ledger()).toMatchObject({ held: 1 });
  await gateway.say(...point("A", 2, { t: 2 }));
  expect(await tenant.next("telemetry", ({ tsMs }) => tsMs === 2)).toMatchObject({ device: "A" });
  expect(bridge.status().gateways[0]?.devices.find(({ name }) => name === "B")).toMatchObject({
    ...{ state: "held", reason: "attach-refused: code 0x80" },
  });
});

test("a gateway hears of renamed and removed devices and answers for itself", async () => {
  const { tenant, gateway } = await open();
  await gateway.say(...connect("A"));
  await tenant.next("attach");
  tenant.renameDevice("A", "B");
  const told = await gateway.heard.next(({ topic }) => topic.startsWith("v1/devices/me/rpc/request/"));
  expect(told.text).toBe('{"method":"gateway_device_renamed","params":{"A":"B"}}');
  const id = told.topic.split("/").at(-1) as string;
  await gateway.say(`v1/devices/me/rpc/response/${id}`, { success: true });
  expect(await tenant.next("reply")).toMatchObject({ device: "gw-01", id: Number(id), data: '{"success":true}' });
});

test("a device that the cloud has thrown out is attached again", async () => {
  const { tenant, gateway, bridge } = await open();
  await gateway.say(...connect("A"));
  await tenant.next("attach");
  tenant.expel("A");
  await eventually(() => bridge.log.all.map(({ msg }) => msg)).toContain("device-detached");
  expect(JSON.parse((await gateway.next("v1/gateway/disconnect")).text)).toEqual({ device: "A", reason: 128 });
});

test("a silent server is left, and nothing is lost", async () => {
  const { tenant, bridge, gateway } = await open();
  await gateway.say(...connect("A"));
  await tenant.next("attach");
  tenant.faults.closeOn = ({ topic }) => topic === "v1/gateway/telemetry";
  await gateway.say(...point("A", 1, { t: 1 }));
  await tenant.next("closed");
  tenant.faults.closeOn = undefined;
  expect(await tenant.next("telemetry")).toMatchObject({ tsMs: 1 });
  await eventually(() => bridge.ledger()).toMatchObject({ received: 2, delivered: 2 });
});
