import { connectAsync, type MqttClient } from "mqtt";
import { expect, onTestFinished, test } from "vitest";
import { openThingsBoard, type ThingsBoardOptions } from "../../src/cloud/thingsboard/thingsboard-cloud.ts";
import { ecIdentity, mintToken } from "../cloud/identity.ts";
import { createFeed, type Feed } from "./feed.ts";
import { eventually } from "./harness.ts";
import { runConfig } from "./run-config.ts";

interface Heard {
  readonly topic: string;
  readonly text: string;
}

/** A gateway written for Google's cloud, as the vendor's samples do it. */
interface Gateway {
  readonly client: MqttClient;
  readonly heard: Feed<Heard>;
  say(topic: string, payload: string | Uint8Array): Promise<void>;
  next(topic: string, after?: Heard): Promise<string>;
}

interface Options {
  readonly tenant?: Partial<ThingsBoardOptions>;
  readonly rules?: object;
  /** It has no devices behind it, neither here nor in ThingsBoard. */
  readonly isPlain?: boolean;
}

async function open({ tenant: more, rules = {}, isPlain = false }: Options = {}) {
  const identity = ecIdentity();
  const token = "token-upstream";
  const tenant = await openThingsBoard({
    ...more,
    devices: [{ name: "gw-01", gateway: !isPlain, credentials: { kind: "token", token } }, ...(more?.devices ?? [])],
  });
  onTestFinished(() => tenant.close());
  const bridge = await runConfig({
    local: { dialect: "google", project: "acme-iot", location: "us-central1", registry: "plant-1" },
    upstream: { dialect: "thingsboard", url: tenant.urls[0] },
    gateways: [{ id: "gw-01", local: { publicKeys: [identity.publicPem], gateway: !isPlain }, upstream: { token } }],
    rules,
  });
  const connect = () => connectGateway(bridge.url, mintToken(identity), isPlain);
  return { tenant, bridge, connect, gateway: await connect() };
}

async function connectGateway(url: string, token: string, isPlain: boolean): Promise<Gateway> {
  const client = await connectAsync(url, {
    clientId: "projects/acme-iot/locations/us-central1/registries/plant-1/devices/gw-01",
    ...{ username: "unused", password: token, protocolVersion: 4, reconnectPeriod: 0 },
  });
  onTestFinished(() => client.endAsync(true));
  const heard = createFeed<Heard>();
  client.on("message", (topic, payload) => heard.push({ topic, text: payload.toString() }));
  if (!isPlain) await client.subscribeAsync("/devices/gw-01/errors", { qos: 0 });
  return {
    client,
    heard,
    async say(topic, payload) {
      await client.publishAsync(topic, Buffer.from(payload), { qos: 1 });
    },
    next: async (topic, after) => (await heard.next((one) => one.topic === topic, after)).text,
  };
}

const attach = (gateway: Gateway, device: string) => gateway.say(`/devices/${device}/attach`, "{}");
const listen = (gateway: Gateway, ...filters: readonly string[]) =>
  gateway.client.subscribeAsync([...filters], { qos: 1 });

test("bodies become points, by what they are", async () => {
  const { tenant, gateway } = await open();
  await attach(gateway, "sensor-7");
  await gateway.say(
    "/devices/sensor-7/events",
    '[{"ts":1,"values":{"a":12345678901234567}},{"ts":2,"values":{"a":1}}]',
  );
  await gateway.say("/devices/sensor-7/events/alarms/fire", '{"b":1}');
  await gateway.say("/devices/sensor-7/events", "5");
  await gateway.say("/devices/sensor-7/events", Uint8Array.of(0, 255));
  await tenant.next("telemetry", ({ values }) => values.includes("raw"));
  const values = tenant.records.flatMap((record) => (record.kind === "telemetry" ? [record.values] : []));
  expect(values).toEqual([
    '{"a":12345678901234567}',
    '{"a":1}',
    '{"b":1,"subFolder":"alarms/fire"}',
    '{"value":5}',
    '{"raw":"AP8="}',
  ]);
});

test("a subscription gets the shared attributes that are the configuration, then each change", async () => {
  const { tenant, gateway } = await open({
    tenant: { devices: [{ name: "sensor-7" }] },
    rules: { config: { keys: ["interval", "mode"] } },
  });
  tenant.setShared("sensor-7", '{"mode":"eco","interval":30,"fw_title":"x"}');
  await attach(gateway, "sensor-7");
  await listen(gateway, "/devices/sensor-7/config");
  const first = await gateway.heard.next(({ topic }) => topic.endsWith("/config"));
  expect(first.text).toBe('{"interval":30,"mode":"eco"}');
  tenant.deleteShared("sensor-7", ["mode"]);
  expect(await gateway.next("/devices/sensor-7/config", first)).toBe('{"interval":30}');
  expect(tenant.records.filter(({ kind }) => kind === "mishap")).toEqual([]);
});

test("without named keys, what the device reported itself is left out of its configuration", async () => {
  const { tenant, gateway, connect } = await open({ tenant: { devices: [{ name: "sensor-7" }] } });
  tenant.setShared("sensor-7", '{"mode":"eco","interval":30}');
  await attach(gateway, "sensor-7");
  await gateway.say("/devices/sensor-7/state", '{"serial":"S-1","fw":"v2"}');
  await tenant.next("attributes");
  const closed = tenant.next("closed");
  tenant.disconnect("gw-01");
  await tenant.next("attributesRequest", ({ device }) => device === "sensor-7", await closed);
  await gateway.client.endAsync();
  const again = await connect();
  await attach(again, "sensor-7");
  await listen(again, "/devices/sensor-7/config");
  expect(JSON.parse(await again.next("/devices/sensor-7/config"))).toEqual({ mode: "eco", interval: 30 });
});

test("a subscription without any configuration gets an empty document, once", async () => {
  const { gateway } = await open({ rules: { config: { keys: ["interval"] } } });
  await attach(gateway, "sensor-7");
  await listen(gateway, "/devices/sensor-7/config", "/devices/gw-01/config");
  const configs = () => gateway.heard.all.filter(({ topic }) => topic.endsWith("/config"));
  await eventually(configs).toHaveLength(2);
  expect(configs().map(({ text }) => text)).toEqual(["", ""]);
});

test("a call is an order, and is answered when the gateway took it or could not", async () => {
  const { tenant, gateway } = await open();
  await attach(gateway, "sensor-7");
  await tenant.next("attach");
  expect(await tenant.sendRpc("sensor-7", "led.set", '{"on":true}')).toEqual({
    ...{ kind: "reply", data: '{"error":"offline"}' },
  });
  await listen(gateway, "/devices/sensor-7/commands/#");
  const answered = tenant.sendRpc("sensor-7", "led.set", '{"on":true}');
  expect(await gateway.next("/devices/sensor-7/commands/led/set")).toBe('{"on":true}');
  expect(await answered).toEqual({ kind: "reply", data: '{"success":true}' });
  await listen(gateway, "/devices/gw-01/commands/#");
  expect(await tenant.sendRpc("gw-01", "reboot", "{}")).toEqual({ kind: "reply", data: '{"success":true}' });
});

test("telemetry in the folder of replies is the answer to a call", async () => {
  const { tenant, bridge, gateway } = await open({ rules: { commands: { replies: "replies", form: "envelope" } } });
  await attach(gateway, "sensor-7");
  await tenant.next("attach");
  await listen(gateway, "/devices/sensor-7/commands/#");
  const answered = tenant.sendRpc("sensor-7", "get", '{"x":1}');
  expect(await gateway.next("/devices/sensor-7/commands")).toBe('{"id":0,"method":"get","params":{"x":1}}');
  await gateway.say("/devices/sensor-7/events/replies/0", '{"y":2}');
  expect(await answered).toEqual({ kind: "reply", data: '{"y":2}' });
  await eventually(() => bridge.ledger()).toMatchObject({ received: 2, delivered: 2 });
});

test("a removed device is detached with an error, and has to be attached anew", async () => {
  const { tenant, gateway } = await open();
  await attach(gateway, "sensor-7");
  await tenant.next("attach");
  tenant.removeDevice("sensor-7");
  expect(JSON.parse(await gateway.next("/devices/gw-01/errors"))).toMatchObject({
    ...{ error_type: "GATEWAY_DETACHMENT_DEVICE_ERROR", device_id: "sensor-7" },
  });
  expect(await tenant.next("reply")).toMatchObject({ device: "gw-01", data: '{"success":true}' });
  await attach(gateway, "sensor-7");
  await gateway.say("/devices/sensor-7/events", '{"t":1}');
  expect(await tenant.next("telemetry")).toMatchObject({ device: "sensor-7" });
});

test("a renamed device keeps its id here, and its data goes to the new name", async () => {
  const { tenant, gateway } = await open();
  await attach(gateway, "sensor-7");
  const first = await tenant.next("attach");
  tenant.renameDevice("sensor-7", "boiler");
  await tenant.next("reply");
  tenant.disconnect("gw-01");
  expect(await tenant.next("attach", undefined, first)).toMatchObject({ device: "boiler", isNew: false });
  await gateway.say("/devices/sensor-7/events", '{"t":1}');
  expect(await tenant.next("telemetry")).toMatchObject({ device: "boiler" });
  expect(tenant.deviceOf("sensor-7")).toBeUndefined();
});

test("a device that ThingsBoard does not attach is held, and the gateway is told", async () => {
  const { tenant, bridge, gateway } = await open();
  tenant.faults.refusePublishes = [{ topic: "v1/gateway/connect", code: 0x80 }];
  await attach(gateway, "sensor-7");
  expect(JSON.parse(await gateway.next("/devices/gw-01/errors"))).toMatchObject({
    ...{ error_type: "GATEWAY_ATTACHMENT_ERROR", device_id: "sensor-7" },
  });
  await gateway.say("/devices/sensor-7/events", '{"t":1}');
  await eventually(() => bridge.ledger()).toMatchObject({ held: 2 });
  await attach(gateway, "sensor-7");
  expect(await tenant.next("telemetry")).toMatchObject({ device: "sensor-7" });
  await eventually(() => bridge.ledger()).toMatchObject({ held: 0, pending: 0 });
});

test("devices stay attached while their gateway reconnects, and are detached when it stays away", async () => {
  const { tenant, gateway, connect } = await open({ rules: { detachAfter: "300ms" } });
  await attach(gateway, "sensor-7");
  await tenant.next("attach");
  await gateway.client.endAsync();
  const again = await connect();
  await attach(again, "sensor-7");
  await again.say("/devices/sensor-7/events", '{"t":1}');
  await tenant.next("telemetry");
  expect(tenant.records.filter(({ kind }) => kind === "attach")).toHaveLength(1);
  await again.client.endAsync();
  expect(await tenant.next("detach")).toMatchObject({ device: "sensor-7", reason: "disconnect" });
});

test("a plain device speaks for itself, with the credentials of one", async () => {
  const { tenant, gateway } = await open({ isPlain: true });
  await gateway.say("/devices/gw-01/events", '{"t":1}');
  expect(await tenant.next("telemetry")).toMatchObject({ device: "gw-01" });
  await listen(gateway, "/devices/gw-01/commands/#");
  expect(await tenant.sendRpc("gw-01", "reboot", "{}")).toEqual({ kind: "reply", data: '{"success":true}' });
  expect(tenant.records.filter(({ kind }) => kind === "mishap")).toEqual([]);
});
