import { writeFileSync } from "node:fs";
import { connectAsync, type MqttClient } from "mqtt";
import { expect, onTestFinished, test } from "vitest";
import { mintToken } from "../cloud/identity.ts";
import { identityOf } from "../cloud/plant.ts";
import { describeWith } from "../tools.ts";
import { startClientProgram } from "./client-program.ts";
import { createFeed } from "./feed.ts";
import { eventually } from "./harness.ts";
import { openRegistryPlant, type RegistryPlant } from "./registry-plant.ts";

/** What the vendors' samples send to attach a device: nothing, an object, an empty token, and one without quotes. */
const attachPayloads = ["", "{}", '{"authorization" : ""}', "{ 'authorization' : eyJ0eXAi.eyJhdWQi.c2ln }"];

/** The Node sample: subscriptions are queued before CONNACK, and everything goes one behind the other. */
async function connectNodeSample(plant: RegistryPlant, clean = true) {
  const heard = createFeed<string>();
  const client: MqttClient = await connectAsync(plant.bridge.url, {
    ...{ clientId: plant.clientIdOf("gw-01"), username: "unused", password: mintToken(identityOf("gw-01")) },
    ...{ protocolVersion: 4, reconnectPeriod: 0, clean },
  });
  onTestFinished(() => client.endAsync(true));
  client.on("message", (topic, payload) => heard.push(`${topic} ${payload}`));
  await client.subscribeAsync("/devices/gw-01/config", { qos: 1 });
  await client.subscribeAsync("/devices/gw-01/commands/#", { qos: 0 });
  await client.subscribeAsync("/devices/gw-01/errors", { qos: 0 });
  return { client, heard };
}

test.each(attachPayloads)(
  "MQTT.js, as the Node sample: attaches with %j, listens, speaks and detaches",
  async (payload) => {
    const plant = await openRegistryPlant({ local: "google", upstream: "clearblade" });
    const { cloud } = plant;
    const { client, heard } = await connectNodeSample(plant);
    await client.publishAsync("/devices/sensor-7/attach", payload, { qos: 1 });
    await client.subscribeAsync("/devices/sensor-7/config", { qos: 1 });
    await client.subscribeAsync("/devices/sensor-7/commands/#", { qos: 1 });
    await client.publishAsync("/devices/sensor-7/events", "gw-01/sensor-7-payload-1", { qos: 1 });
    await client.publishAsync("/devices/sensor-7/state", "sensor-7-state-1", { qos: 1 });
    expect(await cloud.next("attach")).toMatchObject({ device: "sensor-7", gateway: "gw-01" });
    expect((await cloud.next("telemetry")).payload.toString()).toBe("gw-01/sensor-7-payload-1");
    expect((await cloud.next("state")).payload.toString()).toBe("sensor-7-state-1");
    cloud.setConfig("sensor-7", "config for sensor-7");
    await heard.next((line) => line === "/devices/sensor-7/config config for sensor-7");
    await eventually(() => cloud.sendCommand("sensor-7", "blink", "led")).toEqual({ delivered: true });
    await heard.next((line) => line === "/devices/sensor-7/commands/led blink");
    await client.publishAsync("/devices/sensor-7/detach", "{}", { qos: 1 });
    expect(await cloud.next("detach")).toMatchObject({ device: "sensor-7" });
  },
);

test("MQTT.js, as the Node sample: an unknown device is refused on the errors topic, and the connection stays", async () => {
  const plant = await openRegistryPlant({ local: "google" });
  const { client, heard } = await connectNodeSample(plant);
  client.publish("/devices/nobody-1/attach", "{}", { qos: 1 });
  const error = await heard.next((line) => line.startsWith("/devices/gw-01/errors"));
  expect(error).toContain('"error_type":"GATEWAY_ATTACHMENT_ERROR","device_id":"nobody-1"');
  await client.publishAsync("/devices/gw-01/events", "still here", { qos: 1 });
});

test("MQTT.js, as the Node sample: refreshes its token on a new connection, asks for a kept session, and attaches again", async () => {
  const plant = await openRegistryPlant({ local: "google" });
  const { cloud } = plant;
  const first = await connectNodeSample(plant);
  await first.client.publishAsync("/devices/sensor-7/attach", "{}", { qos: 1 });
  await first.client.endAsync();
  const { client, heard } = await connectNodeSample(plant, false);
  await client.publishAsync("/devices/sensor-7/attach", "{}", { qos: 1 });
  await client.subscribeAsync("/devices/sensor-7/config", { qos: 1 });
  cloud.setConfig("sensor-7", "again");
  await heard.next((line) => line === "/devices/sensor-7/config again");
  await client.publishAsync("/devices/sensor-7/events", "after the refresh", { qos: 1 });
  expect((await cloud.next("telemetry")).payload.toString()).toBe("after the refresh");
});

/**
 * The Python gateway sample: paho, a will and retained messages nowhere, an empty token in the attach, QoS 1; after the
 * token refresh it makes a new client and forgets about its devices.
 */
const pahoSample = `
import sys, time
import paho.mqtt.client as mqtt
port, client_id = int(sys.argv[1]), sys.argv[2]
tokens = [line.strip() for line in open(sys.argv[3])]
def get_client(token):
    client = mqtt.Client(client_id=client_id)
    client.username_pw_set(username="unused", password=token)
    client.on_connect = lambda c, u, f, rc: print("connected", mqtt.connack_string(rc), flush=True)
    client.on_message = lambda c, u, m: print("message", m.topic, m.qos, m.payload.decode(), flush=True)
    client.on_disconnect = lambda c, u, rc: print("disconnected", rc, flush=True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("/devices/gw-01/config", qos=1)
    client.subscribe("/devices/gw-01/errors", qos=0)
    client.subscribe("/devices/gw-01/commands/#", qos=0)
    return client
client = get_client(tokens[0])
client.publish("/devices/sensor-7/attach", '{"authorization" : ""}', qos=1).wait_for_publish()
client.subscribe("/devices/sensor-7/config", qos=1)
client.publish("/devices/sensor-7/events", "sensor-7 payload 1", qos=1).wait_for_publish()
client.publish("/devices/gw-01/state", "connected", qos=1).wait_for_publish()
print("said", flush=True)
sys.stdin.readline()
client.loop_stop()
client = get_client(tokens[1])
client.publish("/devices/sensor-7/events", "sensor-7 payload 2", qos=1)
client.publish("/devices/gw-01/events", "gateway payload", qos=1).wait_for_publish()
print("refreshed", flush=True)
sys.stdin.readline()
client.disconnect()
client.loop_stop()
`;

describeWith(["paho"], "paho, as the Python gateway sample", () => {
  test.each([
    [true, ["gateway payload", "sensor-7 payload 2"]],
    [false, ["gateway payload"]],
  ])(
    "with restoreAttachments %s, what it says for its device after a token refresh is %j",
    async (restored, expected) => {
      const plant = await openRegistryPlant({
        local: "google",
        upstream: "clearblade",
        options: { restoreAttachments: restored },
      });
      const { bridge, cloud, clientIdOf } = plant;
      const tokens = `${plant.folder}/tokens`;
      writeFileSync(tokens, [0, 1].map((at) => `${mintToken(identityOf("gw-01"), { iat: at })}\n`).join(""));
      const { port } = new URL(bridge.url);
      const args = ["-c", pahoSample, port, clientIdOf("gw-01"), tokens];
      const { lines, ended, say } = startClientProgram("/usr/bin/python3", args);

      await lines.next((line) => line === "said");
      expect((await cloud.next("telemetry")).payload.toString()).toBe("sensor-7 payload 1");
      expect((await cloud.next("state")).payload.toString()).toBe("connected");
      const version = cloud.setConfig("sensor-7", "interval=30");
      await lines.next((line) => line === "message /devices/sensor-7/config 1 interval=30");
      await cloud.next("acknowledged", (record) => record.device === "sensor-7" && record.version === version);
      say("");
      await lines.next((line) => line === "refreshed");
      const said = () => cloud.received().flatMap(({ kind, payload }) => (kind === "telemetry" ? [`${payload}`] : []));
      await eventually(() => said().slice(1).sort()).toEqual(expected);
      if (!restored) {
        await lines.next((line) => line.includes('"error_type":"GATEWAY_DEVICE_NOT_FOUND","device_id":"sensor-7"'));
      }
      say("");
      await ended;
    },
  );
});
