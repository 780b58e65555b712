import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, expect, test } from "vitest";
import { start, stopAll } from "./harness.ts";

const run = promisify(execFile);
const clients: MqttClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  await stopAll();
});

async function open(url: string, options: IClientOptions): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, ...options });
  clients.push(client);
  return client;
}

const rpc = { topic: "v1/gateway/rpc", payload: Buffer.from('{"device":"A"}'), qos: 1 as const };

for (const [name, options] of [
  ["3.1", { protocolId: "MQIsdp", protocolVersion: 3 }],
  ["3.1.1", { protocolVersion: 4 }],
  ["5", { protocolVersion: 5 }],
] as const) {
  test(`MQTT.js ${name} subscribes, publishes at all QoS and hears its commands`, async () => {
    const { url, listener, heard, told } = await start();
    const client = await open(url, { ...options, username: "T1" });
    const granted = await client.subscribeAsync(["v1/gateway/rpc", "v1/gateway/attributes"], { qos: 2 });
    expect(granted.map(({ qos }) => qos)).toEqual([1, 1]);
    await expect(client.subscribeAsync("v1/gateway/#")).rejects.toThrow();
    for (const qos of [0, 1, 2] as const) await client.publishAsync("v1/gateway/telemetry", `${qos}`, { qos });
    await heard("published", ({ text }) => text === "2");
    expect(told.filter(({ kind }) => kind === "published")).toHaveLength(3);
    const message = new Promise((resolve) =>
      client.once("message", (topic, payload) => resolve([topic, `${payload}`])),
    );
    expect(await listener.deliver("one", rpc, { needsSubscription: true })).toBe("acknowledged");
    expect(await message).toEqual(["v1/gateway/rpc", '{"device":"A"}']);
    await client.unsubscribeAsync("v1/gateway/rpc");
    expect(await listener.deliver("one", rpc, { needsSubscription: true })).toBe("unsubscribed");
    await client.endAsync();
    expect(await heard("disconnected")).toMatchObject({ reason: "disconnect" });
  });
}

test("MQTT.js subscribes again after a reconnect of a session that it believes to be kept", async () => {
  const { url, listener, heard } = await start();
  const options = { clean: false, clientId: "kept", username: "T1", reconnectPeriod: 10 };
  const client = await open(url, options);
  await client.subscribeAsync("v1/gateway/rpc", { qos: 1 });
  const { client: first } = await heard("subscribed");
  client.stream.destroy();
  await heard("subscribed", (news) => news.client.connection !== first.connection);
  expect(await listener.deliver("one", rpc, { needsSubscription: true })).toBe("acknowledged");
});

test("MQTT.js 5 sees the code of a rejected publish and stays", async () => {
  const { url } = await start({
    publish: async (_from, { payload }) =>
      Buffer.from(payload).toString() === "bad" ? { kind: "reject", code: 0x99 } : { kind: "acknowledge" },
  });
  const client = await open(url, { protocolVersion: 5, username: "T1" });
  await expect(client.publishAsync("v1/gateway/telemetry", "bad", { qos: 1 })).rejects.toMatchObject({ code: 0x99 });
  await client.publishAsync("v1/gateway/telemetry", "good", { qos: 1 });
});

test("MQTT.js is told which credentials were wrong", async () => {
  const { url } = await start();
  await expect(open(url, { username: "no" })).rejects.toMatchObject({ code: 5 });
  await expect(open(url, { username: "no", protocolVersion: 5 })).rejects.toMatchObject({ code: 0x86 });
});

for (const version of ["mqttv31", "mqttv311", "mqttv5"]) {
  test(`mosquitto_pub -V ${version} publishes at all QoS`, async () => {
    const { port, heard } = await start();
    for (const qos of ["0", "1", "2"]) {
      const to = ["-p", `${port}`, "-u", "T1", "-V", version, "-q", qos, "-t", "v1/gateway/telemetry"];
      await run("mosquitto_pub", [...to, "-m", `${version} ${qos}`]);
      expect(await heard("published", ({ text }) => text === `${version} ${qos}`)).toMatchObject({ qos: Number(qos) });
    }
  });

  test(`mosquitto_sub -V ${version} hears a command and then leaves`, async () => {
    const { port, heard, listener } = await start();
    const args = ["-p", `${port}`, "-u", "T1", "-V", version, "-q", "1", "-t", "v1/gateway/rpc", "-C", "1"];
    const subscriber = spawn("mosquitto_sub", args);
    const line = new Promise((resolve) => createInterface(subscriber.stdout).once("line", resolve));
    const ended = new Promise((resolve) => subscriber.once("close", resolve));
    await heard("subscribed");
    expect(await listener.deliver("one", rpc, { needsSubscription: true })).toBe("acknowledged");
    expect(await line).toBe('{"device":"A"}');
    expect(await ended).toBe(0);
  });
}

test("mosquitto_pub streams many lines, all of which arrive in order", async () => {
  const { port, heard, told } = await start();
  const to = ["-p", `${port}`, "-u", "T1", "-q", "1", "-t", "v1/gateway/telemetry"];
  const publisher = spawn("mosquitto_pub", [...to, "-l"]);
  const lines = Array.from({ length: 2000 }, (_, index) => `${index}`);
  publisher.stdin.end(lines.map((line) => `${line}\n`).join(""));
  await heard("disconnected");
  expect(told.flatMap((news) => (news.kind === "published" ? [news.text] : []))).toEqual(lines);
});

/** Connects with an empty id, subscribes, publishes, waits for one message and prints what it saw. */
const pahoScript = `
import sys, paho.mqtt.client as mqtt
port, protocol = int(sys.argv[1]), int(sys.argv[2])
options = {} if protocol == 5 else {"clean_session": True}
client = mqtt.Client(client_id="" if protocol != 3 else "p", protocol=protocol, **options)
client.username_pw_set("T1")
def on_connect(client, userdata, flags, rc, properties=None):
    print("connected", int(rc.value if hasattr(rc, "value") else rc), flush=True)
    client.subscribe([("v1/gateway/rpc", 1), ("v1/gateway/nope", 1)])
def on_subscribe(client, userdata, mid, granted, properties=None):
    print("subscribed", *[int(getattr(code, "value", code)) for code in granted], flush=True)
    for n in range(50):
        info = client.publish("v1/gateway/telemetry", str(n), qos=1)
    client.last = info.mid
def on_publish(client, userdata, mid):
    if mid == getattr(client, "last", None):
        print("published", flush=True)
    if mid == getattr(client, "bye", None):
        client.disconnect()
def on_message(client, userdata, message):
    print("message", message.topic, message.qos, message.payload.decode(), flush=True)
    client.bye = client.publish("v1/gateway/telemetry", "bye", qos=1).mid
client.on_connect, client.on_subscribe, client.on_publish, client.on_message = on_connect, on_subscribe, on_publish, on_message
client.connect("127.0.0.1", port, 60)
client.loop_forever()
`;

for (const [protocol, refusal] of [
  [3, 0x80],
  [4, 0x80],
  [5, 0x8f],
] as const) {
  test(`paho, level ${protocol}, connects, publishes and hears its command`, async () => {
    const { port, heard, listener } = await start();
    const paho = spawn("/usr/bin/python3", ["-c", pahoScript, `${port}`, `${protocol}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: string[] = [];
    createInterface(paho.stdout).on("line", (line) => lines.push(line));
    const ended = new Promise((resolve) => paho.once("close", resolve));
    await heard("published", ({ text }) => text === "49");
    expect(await listener.deliver("one", rpc, { needsSubscription: true })).toBe("acknowledged");
    await ended;
    expect(lines.slice(0, 2)).toEqual(["connected 0", `subscribed 1 ${refusal}`]);
    expect(lines.slice(2).sort()).toEqual(['message v1/gateway/rpc 1 {"device":"A"}', "published"]);
    await heard("disconnected", ({ reason }) => reason === "disconnect");
  });
}
