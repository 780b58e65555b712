import { afterEach, describe, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { mintToken } from "./identity.ts";
import {
  connectOf,
  type Expectation,
  expectAnswers,
  payloadOf,
  sendPacket,
  upVectors,
  type Vector,
} from "./iotcore-vectors.ts";
import { identityOf, openPlant, type PlantOptions, publish, subscribe } from "./plant.ts";
import { openRawClient, type RawClient } from "./raw-client.ts";

let cloud: Cloud;
const clients: RawClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.end();
  await cloud.close();
});

describe.each(["strict", "lenient"] as const)("a %s stand-in cloud answers as the vectors say:", (mode) => {
  test.each(upVectors.map((vector) => [vector.id, vector] as const))("%s", async (_id, vector) => {
    const expected = { ...vector.expect, ...(mode === "strict" ? vector.expect.strict : {}) };
    const context = vector.context ?? "";
    let nowMs = Date.now();
    cloud = await openPlant({ ...optionsFor(vector, mode), now: () => nowMs });
    if (vector.packet === "CONNECT") return checkConnect(vector, expected);

    const isAlone = /by itself/.test(context);
    const self = isAlone ? "sensor-7" : "gw-01";
    const client = await open(self);
    const topic = (device: string, kind: string) =>
      `${vector.variant === "omnicore" ? `/${cloud.place.registry}` : "/devices"}/${device}/${kind}`;
    if (/errors subscribed|1000 devices/.test(context)) {
      client.send(subscribe(1, [topic("gw-01", "errors"), 0]));
      await client.next("suback");
    }
    const crowd = /has 1000 devices attached/.test(context)
      ? Array.from({ length: 1000 }, (_, at) => `crowd-${at}`)
      : [];
    if (/sensor-7 attached/.test(context)) crowd.push("sensor-7");
    for (const [at, device] of crowd.entries()) client.send(publish(topic(device, "attach"), "", at + 2));
    for (const _ of crowd) await client.next("puback");
    if (/previous state/.test(context)) {
      client.send(publish(topic("sensor-7", "state"), "{}", 2000));
      await client.next("puback");
      nowMs += 200;
    }
    if (/config version 4|already subscribed/.test(context))
      for (const n of [2, 3, 4]) cloud.setConfig("sensor-7", `{"n":${n}}`);
    if (/already subscribed/.test(context)) {
      client.send(subscribe(2001, [topic("sensor-7", "config"), 1]));
      const first = await client.next("publish");
      client.send({ cmd: "puback", messageId: first.messageId ?? 0 });
    }
    const before = client.heard.length;
    await sendPacket(vector, client, topic("sensor-7", "config"));
    if (expected.close === true) await client.closed;
    else await client.settle();
    const answers = client.heard.slice(before);

    expect({ close: client.isClosed() }, "close").toEqual({ close: expected.close ?? false });
    if (expected.puback !== undefined)
      expect(
        answers.some(({ cmd }) => cmd === "puback"),
        "puback",
      ).toBe(expected.puback);
    expectAnswers(answers, expected);
    if (expected.attached !== undefined) expect(cloud.attached("gw-01")).toEqual(expected.attached);
    if (expected.sinkAttributes !== undefined)
      expect(cloud.received().at(-1)?.attributes).toMatchObject(expected.sinkAttributes);
    if (expected.stored !== undefined)
      expect(cloud.received().at(-1)).toMatchObject({ kind: "state", stored: expected.stored });
    if (expected.warn !== undefined) expect(warnings()).toContain(expected.warn);
    if (expected.deviceAckTime !== undefined)
      expect(cloud.deviceOf("sensor-7")?.configs.at(-1)?.acknowledgedAt).toBeDefined();
    if (expected.lastErrorStatus === true) expect(cloud.deviceOf(self)?.lastErrorStatus).toBeDefined();
    if (expected.deliverOnly !== undefined && mode === "lenient") {
      expect(cloud.sendCommand("sensor-7", "x", "ota")).toEqual({ delivered: false, reason: "unsubscribed" });
      expect(cloud.sendCommand("sensor-7", "x")).toEqual({ delivered: true });
    }
    if (expected.puback === true && (vector.meaning.kind === "events" || vector.meaning.kind === "state")) {
      expect(cloud.received().at(-1)).toMatchObject({
        kind: vector.meaning.kind === "events" ? "telemetry" : "state",
        device: vector.meaning.device,
        gateway: "gw-01",
      });
      expect(cloud.received().at(-1)?.payload.equals(payloadOf(vector))).toBe(true);
      expect(cloud.received().at(-1)?.folder ?? "").toBe(vector.meaning.subfolder ?? "");
    }
  });
});

function optionsFor(vector: Vector, mode: "strict" | "lenient"): PlantOptions {
  const context = vector.context ?? "";
  const authMethod = /DEVICE_AUTH_TOKEN_ONLY/.test(context) ? "DEVICE_AUTH_TOKEN_ONLY" : undefined;
  const crowd = Array.from({ length: 1000 }, (_, at) => `crowd-${at}`);
  return {
    dialect: vector.variant,
    strict: mode === "strict",
    ...(authMethod === undefined ? {} : { authMethod }),
    ...(/registry has no event sink/.test(context) ? { sink: false } : {}),
    ...(/registries\/devices\//.test(context) ? { registry: "devices" } : {}),
    ...(/has 1000 devices attached/.test(context)
      ? { more: [{ id: "crowd", gateway: { bound: crowd } }], limits: { messagesPerSecond: Number.POSITIVE_INFINITY } }
      : {}),
  };
}

async function open(device: string): Promise<RawClient> {
  const client = await openRawClient(cloud.urls[0] ?? "");
  clients.push(client);
  if (cloud.deviceOf("crowd") !== undefined) {
    for (const { id } of cloud.devices()) if (id.startsWith("crowd-")) cloud.bind("gw-01", id);
  }
  const aud = cloud.dialect === "omnicore" ? "sub-77" : "acme-iot";
  client.send({
    cmd: "connect",
    clientId: cloud.clientIdOf(device),
    username: "unused",
    password: Buffer.from(mintToken(identityOf(device), { aud })),
    keepalive: 60,
    clean: true,
  });
  expect(await client.next("connack")).toMatchObject({ returnCode: 0, sessionPresent: false });
  return client;
}

async function checkConnect(vector: Vector, expected: Expectation): Promise<void> {
  const other = /another live connection/.test(vector.context ?? "") ? await open("gw-01") : undefined;
  const client = await openRawClient(cloud.urls[0] ?? "");
  clients.push(client);
  client.send(connectOf(vector));
  if (expected.connack === null) await client.closed;
  else {
    const connack = await client.next("connack");
    expect(connack).toMatchObject({ returnCode: expected.connack, sessionPresent: false });
  }
  if (expected.close === true) await client.closed;
  else await client.settle();
  expect(client.isClosed()).toBe(expected.close);
  expect(client.heard.filter(({ cmd }) => cmd === "connack")).toHaveLength(expected.connack === null ? 0 : 1);
  if (expected.closesOther === true) {
    await other?.closed;
    expect(await cloud.next("closed")).toMatchObject({ device: "gw-01", reason: "taken-over" });
    expect(cloud.deviceOf("gw-01")?.lastErrorStatus).toMatchObject({ code: 6 });
  }
  if (expected.warn !== undefined) expect(warnings()).toContain(expected.warn);
}

function warnings(): string[] {
  return cloud.records.flatMap((record) => (record.kind === "warning" ? [record.warning] : []));
}
