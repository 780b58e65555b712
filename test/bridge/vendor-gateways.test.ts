import { connectAsync, type IClientOptions } from "mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CloudDialect } from "../../src/cloud/variant.ts";
import { mintToken } from "../cloud/identity.ts";
import { identityOf } from "../cloud/plant.ts";
import { describeWith } from "../tools.ts";
import { createFeed } from "./feed.ts";
import { eventually } from "./harness.ts";
import { startPahoGateway } from "./paho-gateway.ts";
import { openRegistryPlant, type RegistryPlant } from "./registry-plant.ts";

const audienceOf = (local: CloudDialect) => (local === "omnicore" ? "sub-77" : "acme-iot");
const tokenOf = (local: CloudDialect, device: string, iat = 0) =>
  mintToken(identityOf(device), { aud: audienceOf(local), iat });

/** MQTT.js with the options of all samples. */
async function connectSample(plant: RegistryPlant, self: string, more: IClientOptions = {}) {
  const heard = createFeed<{ readonly topic: string; readonly text: string; readonly qos: number }>();
  const client = await connectAsync(plant.bridge.url, {
    ...{ clientId: plant.clientIdOf(self), username: "unused", password: tokenOf(plant.local, self) },
    ...{ protocolVersion: 4, reconnectPeriod: 0, ...more },
  });
  onTestFinished(() => client.endAsync(true));
  client.on("message", (topic, payload, { qos }) => heard.push({ topic, text: payload.toString(), qos }));
  const say = (topic: string, text: string) => client.publishAsync(topic, text, { qos: 1 });
  /** Resolves with what was granted, a refusal too. */
  const listen = (topic: string, qos: 0 | 1) =>
    new Promise<number>((resolve) => {
      client.subscribe(topic, { qos }, (_error, _granted, packet) => resolve(Number(packet?.granted[0])));
    });
  return { client, heard, say, listen };
}

/** With a token the Node and Go samples put it into quotes of their own, which makes no JSON. */
const payloadForms = [
  ["google", "nothing", () => ""],
  ["clearblade", "an object", () => "{}"],
  ["omnicore", "an empty token", () => '{"authorization" : ""}'],
  ["omnicore", "a token", (token: string) => JSON.stringify({ authorization: token })],
  ["google", "a token that is not quoted", (token: string) => `{ 'authorization' : ${token} }`],
  ["clearblade", "a token that is not quoted", (token: string) => `{ 'authorization' : ${token} }`],
] as const;

describeWith(["paho"], "paho, as the Python sample", () => {
  test.each(payloadForms)("in front of %s, attaching with %s: a whole day of a gateway", async (local, what, form) => {
    const authMethod = what.startsWith("a token") ? "ASSOCIATION_AND_DEVICE_AUTH_TOKEN" : "ASSOCIATION_ONLY";
    const plant = await openRegistryPlant({ local, upstream: "google", gateway: { authMethod } });
    const { bridge, cloud, topic, clientIdOf } = plant;
    const gateway = startPahoGateway();
    const attach = async (iat: number) => {
      await gateway.publish(topic("sensor-7", "attach"), form(tokenOf(local, "sensor-7", iat)));
      expect(await gateway.subscribe(topic("sensor-7", "config"), 1)).toBe(1);
      expect(await gateway.subscribe(topic("sensor-7", "commands/#"), 0)).toBe(0);
    };
    const connect = async (iat: number) => {
      await gateway.connect(bridge.url, clientIdOf("gw-01"), tokenOf(local, "gw-01", iat));
      expect(await gateway.subscribe(topic("gw-01", "config"), 1)).toBe(1);
      // The vendors send errors with QoS 0, whatever was asked for.
      expect(await gateway.subscribe(topic("gw-01", "errors"), 1)).toBe(0);
      expect(await gateway.subscribe(topic("gw-01", "commands/#"), 0)).toBe(0);
    };

    await connect(0);
    await attach(0);
    expect(await cloud.next("attach")).toMatchObject({ device: "sensor-7", gateway: "gw-01" });
    const version = cloud.setConfig("sensor-7", "interval=30");
    expect(await gateway.hear(topic("sensor-7", "config"), "interval=30")).toMatchObject({ qos: 1 });
    await cloud.next("acknowledged", (record) => record.device === "sensor-7" && record.version === version);
    await eventually(() => cloud.sendCommand("sensor-7", "blink", "led")).toEqual({ delivered: true });
    expect(await gateway.hear(topic("sensor-7", "commands/led"), "blink")).toMatchObject({ qos: 0 });
    await gateway.publish(topic("sensor-7", "events"), "gw-01/sensor-7-payload-1");
    await gateway.publish(topic("gw-01", "state"), "gateway is up");
    expect((await cloud.next("telemetry")).payload.toString()).toBe("gw-01/sensor-7-payload-1");
    expect(await cloud.next("state")).toMatchObject({ device: "gw-01" });

    // The token runs out: a new client takes the place of the old one.
    await gateway.disconnect();
    await connect(1);
    await attach(1);
    await gateway.publish(topic("sensor-7", "events/after"), "gw-01/sensor-7-payload-2");
    expect((await cloud.next("telemetry", ({ folder }) => folder === "after")).payload.toString()).toBe(
      "gw-01/sensor-7-payload-2",
    );
    await gateway.publish(topic("sensor-7", "detach"), "{}");
    expect(await cloud.next("detach")).toMatchObject({ device: "sensor-7", gateway: "gw-01" });
    await gateway.disconnect();
    await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, held: 0, quarantined: 0, dropped: {} });
  });
});

describe("MQTT.js, as the Go sample", () => {
  test("asks for commands without a wildcard and for its own state, and is not thrown out for it", async () => {
    const plant = await openRegistryPlant({ local: "google", upstream: "clearblade" });
    const { cloud } = plant;
    const { client, heard, say, listen } = await connectSample(plant, "gw-01");
    await say("/devices/sensor-7/attach", "{}");
    expect(await listen("/devices/sensor-7/config", 0)).toBe(0);
    expect(await listen("/devices/sensor-7/commands", 1)).toBe(1);
    expect(await listen("/devices/sensor-7/state", 1)).toBe(128);
    expect(await listen("/devices/gw-01/errors", 0)).toBe(0);
    cloud.setConfig("sensor-7", "rate: 5");
    expect(await heard.next(({ text }) => text === "rate: 5")).toMatchObject({
      ...{ topic: "/devices/sensor-7/config", qos: 0 },
    });
    await eventually(() => cloud.sendCommand("sensor-7", "below", "led")).toEqual({ delivered: true });
    cloud.sendCommand("sensor-7", "open");
    await heard.next(({ topic, text }) => topic === "/devices/sensor-7/commands" && text === "open");
    expect(heard.all.map(({ text }) => text)).not.toContain("below");
    await say("/devices/sensor-7/state", "42");
    expect((await cloud.next("state")).payload.toString()).toBe("42");
    await say("/devices/sensor-7/detach", "{}");
    await cloud.next("detach");
    expect(client.connected).toBe(true);
  });
});

describe("MQTT.js, as a gateway that keeps account", () => {
  test("waits for its own configuration, listens for each device's errors, and attaches all again on each connection", async () => {
    const plant = await openRegistryPlant({ local: "clearblade", upstream: "omnicore" });
    const { cloud } = plant;
    for (const round of [1, 2]) {
      const { client, heard, say, listen } = await connectSample(plant, "gw-01");
      await listen("/devices/gw-01/config", 1);
      await listen("/devices/gw-01/errors", 0);
      // Nobody ever gave it one: it gets an empty one, and goes on from there.
      expect(await heard.next(({ topic }) => topic === "/devices/gw-01/config")).toMatchObject({ text: "" });
      for (const device of ["sensor-7", "pump-2"]) {
        await say(`/devices/${device}/attach`, "");
        expect(await listen(`/devices/${device}/config`, 1)).toBe(1);
        expect(await listen(`/devices/${device}/errors`, 0)).toBe(0);
        await say(`/devices/${device}/events/pointset`, `${device} ${round}`);
      }
      client.publish("/devices/ghost-1/attach", "", { qos: 1 });
      const error = await heard.next(({ topic }) => topic === "/devices/gw-01/errors");
      expect(JSON.parse(error.text)).toMatchObject({
        ...{ error_type: "GATEWAY_ATTACHMENT_ERROR", device_id: "ghost-1" },
        mqtt_message_info: { message_type: "PUBLISH", topic: "/devices/ghost-1/attach" },
      });
      await eventually(() => cloud.received().filter(({ kind }) => kind === "telemetry")).toHaveLength(2 * round);
      await client.endAsync(true);
    }
    const said = cloud.received().flatMap((one) => (one.kind === "telemetry" ? [one.payload.toString()] : []));
    expect(said.slice(0, 2).sort()).toEqual(["pump-2 1", "sensor-7 1"]);
    expect(said.slice(2).sort()).toEqual(["pump-2 2", "sensor-7 2"]);
  });
});

describe("MQTT.js, as a small board's library", () => {
  test("says that it is connected, then answers its configuration, all within a second", async () => {
    const plant = await openRegistryPlant({ local: "google", upstream: "clearblade", plain: ["pump-2"] });
    const { bridge, cloud } = plant;
    cloud.setConfig("pump-2", "on");
    const { client, heard, say, listen } = await connectSample(plant, "pump-2", {
      ...{ keepalive: 180, clean: false },
      will: { topic: "/devices/pump-2/state", payload: Buffer.from("gone"), qos: 1, retain: true },
    });
    await say("/devices/pump-2/state", "connected");
    expect(await listen("/devices/pump-2/config", 1)).toBe(1);
    expect(await listen("/devices/pump-2/commands/#", 0)).toBe(0);
    await heard.next(({ text }) => text === "on");
    await say("/devices/pump-2/state", "is on");
    await client.publishAsync("/devices/pump-2/events", "kept by nobody", { qos: 1, retain: true });
    expect((await cloud.next("telemetry")).payload.toString()).toBe("kept by nobody");
    // Of two states within a second the later one is what counts, and the cloud behind is not offended.
    await cloud.next("state", ({ payload }) => payload.toString() === "is on");
    expect(client.connected).toBe(true);
    expect(cloud.records.filter(({ kind }) => kind === "closed")).toEqual([]);
    await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, held: 0 });
  });
});
