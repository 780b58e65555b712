import { describe, expect, onTestFinished, test } from "vitest";
import {
  connectOf,
  type Expectation,
  expectAnswers,
  payloadOf,
  sendPacket,
  upVectors,
  type Vector,
} from "../cloud/iotcore-vectors.ts";
import { publish, subscribe } from "../cloud/plant.ts";
import { openRawClient, type RawClient } from "../cloud/raw-client.ts";
import { eventually } from "./harness.ts";
import { openRegistryPlant, type RegistryPlant, type RegistryPlantOptions } from "./registry-plant.ts";

/** A registry without an event sink is nothing that a bridge can have: its sink is the cloud behind it. */
const up = upVectors.filter(({ context = "" }) => !/no event sink/.test(context));
const others = { google: "clearblade", clearblade: "google", omnicore: "omnicore" } as const;
const settling = 60_000;
const probing = 50_000;

describe.each(["strict", "lenient"] as const)(
  "a %s bridge in the place of a cloud answers as the vectors say:",
  (mode) => {
    test.each(up.map((vector) => [vector.id, vector] as const))("%s", async (_id, vector) => {
      const expected = expectedOf(vector, mode);
      const plant = await openRegistryPlant(optionsFor(vector, mode));
      if (vector.packet === "CONNECT") await checkConnect(vector, expected, plant);
      else await checkPacket(vector, expected, plant);
    });
  },
);

function expectedOf({ expect: all }: Vector, mode: "strict" | "lenient"): Expectation {
  if (mode === "strict") return { ...all, ...all.strict };
  return typeof all.lenient === "object" ? { puback: true, close: false } : all;
}

function optionsFor({ variant, context = "" }: Vector, mode: "strict" | "lenient"): RegistryPlantOptions {
  return {
    local: variant,
    upstream: others[variant],
    options: { strict: mode === "strict" },
    ...(/DEVICE_AUTH_TOKEN_ONLY/.test(context) ? { gateway: { authMethod: "DEVICE_AUTH_TOKEN_ONLY" } } : {}),
    ...(/registries\/devices\//.test(context) ? { registry: "devices" } : {}),
    ...(/by itself/.test(context) ? { plain: ["sensor-7"] } : {}),
    ...(/has 1000 devices attached/.test(context) ? { crowd } : {}),
  };
}

const crowd: readonly string[] = Array.from({ length: 1000 }, (_, at) => `crowd-${at}`);

async function checkConnect(vector: Vector, expected: Expectation, plant: RegistryPlant): Promise<void> {
  const other = /another live connection/.test(vector.context ?? "") ? await plant.connect("gw-01") : undefined;
  const client = await openRawClient(plant.bridge.url);
  onTestFinished(() => client.end());
  client.send(connectOf(vector));
  if (expected.connack !== null) {
    expect(await client.next("connack")).toMatchObject({ returnCode: expected.connack, sessionPresent: false });
  }
  if (expected.close === true) await client.closed;
  else await client.settle();
  expect(client.isClosed()).toBe(expected.close);
  expect(client.heard.filter(({ cmd }) => cmd === "connack")).toHaveLength(expected.connack === null ? 0 : 1);
  if (expected.closesOther === true) await other?.closed;
  if (expected.warn !== undefined) expect(plant.bridge.log.all.map(({ msg }) => msg)).toContain(expected.warn);
}

async function checkPacket(vector: Vector, expected: Expectation, plant: RegistryPlant): Promise<void> {
  const { cloud, bridge } = plant;
  const client = await prepare(vector, plant);
  const before = client.heard.length;
  await sendPacket(vector, client, plant.topic("sensor-7", "config"));
  if (expected.deliver !== undefined) await client.next("publish");
  if (expected.close === true) await client.closed;
  else await settle(client, plant, selfOf(vector));
  const answers = client.heard.slice(before).filter(({ messageId }) => messageId !== settling);

  expect({ close: client.isClosed() }, "close").toEqual({ close: expected.close ?? false });
  if (expected.puback !== undefined) {
    expect(answers.filter(({ cmd }) => cmd === "puback")).toHaveLength(expected.puback ? 1 : 0);
  }
  expectAnswers(answers, expected);
  if (expected.warn !== undefined) expect(bridge.log.all.map(({ msg }) => msg)).toContain(expected.warn);
  if (expected.deviceAckTime !== undefined) {
    await eventually(() => cloud.deviceOf("sensor-7")?.configs.at(-1)?.acknowledgedAt).toBeDefined();
  }
  if (expected.deliverOnly !== undefined && expected.suback === 1) await checkTopCommands(client, plant);
  // The most that a cloud of "256 KB" may mean is more than the least.
  if (expected.puback === true && vector.meaning.kind === "events" && payloadOf(vector).length <= 256_000) {
    const received = await cloud.next("telemetry", ({ device }) => device === vector.meaning.device);
    expect(received.payload.equals(payloadOf(vector))).toBe(true);
    expect(received.folder ?? "").toBe(vector.meaning.subfolder ?? "");
    expect(received.attributes).toMatchObject(expected.sinkAttributes ?? {});
  }
  if (expected.attached !== undefined) expect(await attachedOf(client, plant)).toEqual(expected.attached);
}

function selfOf({ context = "" }: Vector): string {
  return /by itself/.test(context) ? "sensor-7" : "gw-01";
}

/** A client for which all is as the vector's context says. */
async function prepare(vector: Vector, { cloud, connect, topic }: RegistryPlant): Promise<RawClient> {
  const { context = "" } = vector;
  if (/config version 4|already subscribed/.test(context)) {
    for (const n of [2, 3, 4]) cloud.setConfig("sensor-7", `{"n":${n}}`);
  }
  const client = await connect(selfOf(vector));
  if (/errors subscribed|1000 devices/.test(context)) {
    client.send(subscribe(1, [topic("gw-01", "errors"), 0]));
    await client.next("suback");
  }
  const attached = /has 1000 devices attached/.test(context) ? [...crowd] : [];
  if (/sensor-7 attached/.test(context)) attached.push("sensor-7");
  for (const [at, device] of attached.entries()) client.send(publish(topic(device, "attach"), "", at + 2));
  for (const _ of attached) await client.next("puback");
  if (/previous state/.test(context)) {
    client.send(publish(topic("sensor-7", "state"), "{}", 2000));
    await client.next("puback");
  }
  if (/already subscribed/.test(context)) {
    client.send(subscribe(2001, [topic("sensor-7", "config"), 1]));
    const first = await client.next("publish");
    client.send({ cmd: "puback", messageId: first.messageId ?? 0 });
  }
  return client;
}

/** Waits until everything sent so far has been answered, or will not be. */
async function settle(client: RawClient, { topic }: RegistryPlant, self: string): Promise<void> {
  client.send(publish(topic(self, "events"), "settled", settling));
  while ((await client.next("puback")).messageId !== settling);
}

/** Which devices the gateway may speak for: others get no PUBACK. */
async function attachedOf(client: RawClient, plant: RegistryPlant): Promise<readonly string[]> {
  const before = client.heard.length;
  const devices = ["sensor-7", "pump-2", "loose-9", "dev-1001"];
  for (const [at, device] of devices.entries()) client.send(publish(plant.topic(device, "events"), "x", probing + at));
  await settle(client, plant, "gw-01");
  const answered = client.heard.slice(before).map(({ messageId = 0 }) => messageId - probing);
  return devices.filter((_, at) => answered.includes(at));
}

async function checkTopCommands(client: RawClient, { cloud, topic }: RegistryPlant): Promise<void> {
  await eventually(() => cloud.sendCommand("sensor-7", "x", "ota")).toEqual({ delivered: true });
  expect(cloud.sendCommand("sensor-7", "x")).toEqual({ delivered: true });
  expect(await client.next("publish")).toMatchObject({ topic: topic("sensor-7", "commands") });
}
