import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { describeWith } from "../tools.ts";
import { startBridge } from "./bridge-process.ts";
import { startClientProgram } from "./client-program.ts";
import { openPlant, type Plant } from "./harness.ts";

const run = promisify(execFile);

/** The end of the conversation, which is the same for all clients: what the cloud saw and what its messages became. */
const telemetry = '{"Device A":[{"ts":1483228800000,"values":{"temperature":42,"humidity":80}}]}';
const body = '[{"ts":1483228800000,"values":{"temperature":42,"humidity":80}}]';
const config = '{"device":"Device A","data":{"interval":30}}';

async function expectAttachAndTelemetry({ cloud }: Plant): Promise<void> {
  expect(await cloud.next("attach")).toMatchObject({ gateway: "gw-01", topic: "/devices/Device%20A/attach" });
  const record = await cloud.next("telemetry");
  expect([record.topic, record.payload.toString()]).toEqual(["/devices/Device%20A/events", body]);
}

describeWith(["mosquitto_pub", "mosquitto_sub"], "mosquitto's clients in front of the bridge", () => {
  test.each(["mqttv5", "mqttv311"])(
    '-V %s: "Device A" is there, and hears its configuration and command',
    async (version) => {
      const plant = await openPlant();
      const { cloud } = plant;
      const bridge = await startBridge(plant.configFile);
      const { port } = new URL(bridge.url);
      const login = ["-p", port, "-u", plant.tokenOf("gw-01"), "-V", version, "-q", "1"];
      const publish = (topic: string, message: string) => run("mosquitto_pub", [...login, "-t", topic, "-m", message]);

      await publish("v1/gateway/connect", '{"device":"Device A"}');
      await publish("v1/gateway/telemetry", telemetry);
      await expectAttachAndTelemetry(plant);

      const before = cloud.setConfig("Device%20A", '{"interval":30}');
      const topics = ["-t", "v1/gateway/attributes", "-t", "v1/gateway/rpc"];
      const { lines, ended } = startClientProgram("mosquitto_sub", [...login, ...topics, "-C", "2", "-F", "%t %q %p"]);
      expect(await lines.next(() => true)).toBe(`v1/gateway/attributes 1 ${config}`);
      await cloud.next("acknowledged", (record) => record.what === "config" && record.version === before);

      expect(cloud.sendCommand("Device%20A", '{"method":"reboot"}')).toEqual({ delivered: true });
      const command = await lines.next((line) => line.startsWith("v1/gateway/rpc"));
      expect(command).toMatch(
        /^v1\/gateway\/rpc 1 \{"device":"Device A","data":\{"id":\d+,"method":"reboot","params":\{\}\}\}$/,
      );
      expect(await ended).toBe(0);
    },
  );
});

/** Connects as the gateway, says two things, and answers the first command. */
const pahoGateway = `
import json, sys
import paho.mqtt.client as mqtt
port, protocol, token = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
client = mqtt.Client(client_id="", protocol=protocol)
client.username_pw_set(token)
def on_connect(client, userdata, flags, rc, properties=None):
    client.subscribe([("v1/gateway/attributes", 1), ("v1/gateway/rpc", 1)])
def on_subscribe(client, userdata, mid, granted, properties=None):
    client.publish("v1/gateway/connect", '{"device":"Device A"}', qos=1)
    client.publish("v1/gateway/telemetry", sys.argv[4], qos=1)
def on_message(client, userdata, message):
    text = message.payload.decode()
    print(message.topic, message.qos, text, flush=True)
    if message.topic == "v1/gateway/rpc":
        call = json.loads(text)
        reply = {"device": call["device"], "id": call["data"]["id"], "data": {"success": True}}
        client.bye = client.publish("v1/gateway/rpc", json.dumps(reply), qos=1).mid
def on_publish(client, userdata, mid):
    if mid == getattr(client, "bye", None):
        client.disconnect()
def on_disconnect(client, userdata, rc, properties=None):
    print("disconnected", int(getattr(rc, "value", rc)), flush=True)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.on_publish, client.on_disconnect = on_publish, on_disconnect
client.connect("127.0.0.1", port, 60)
client.loop_forever()
`;

describeWith(["paho"], "paho in front of the bridge", () => {
  test.each([
    ["3.1.1", 4],
    ["5", 5],
  ])('MQTT %s: "Device A" is there, is configured and answers its command', async (_name, level) => {
    const plant = await openPlant();
    const { cloud } = plant;
    const bridge = await startBridge(plant.configFile);
    const { port } = new URL(bridge.url);
    const args = ["-c", pahoGateway, port, `${level}`, plant.tokenOf("gw-01"), telemetry];
    const { lines, ended } = startClientProgram("/usr/bin/python3", args);
    await expectAttachAndTelemetry(plant);

    const version = cloud.setConfig("Device%20A", '{"interval":30}');
    expect(await lines.next(() => true)).toBe(`v1/gateway/attributes 1 ${config}`);
    await cloud.next("acknowledged", (record) => record.what === "config" && record.version === version);

    cloud.sendCommand("Device%20A", '{"on":true}', "led/set");
    expect(await lines.next((line) => line.startsWith("v1/gateway/rpc"))).toMatch(
      /^v1\/gateway\/rpc 1 \{"device":"Device A","data":\{"id":\d+,"method":"led\.set","params":\{"on":true\}\}\}$/,
    );
    const reply = await cloud.next("telemetry", ({ folder }) => folder === "responses");
    expect(reply.payload.toString()).toBe('{"id":null,"method":"led.set","data":{"success": true}}');
    expect(await ended).toBe(0);
    expect(lines.all.at(-1)).toBe("disconnected 0");
  });
});
