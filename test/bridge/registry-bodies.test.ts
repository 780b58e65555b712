import fc from "fast-check";
import { connectAsync } from "mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import { openThingsBoard } from "../../src/cloud/thingsboard/thingsboard-cloud.ts";
import { ecIdentity, mintToken } from "../cloud/identity.ts";
import { identityOf } from "../cloud/plant.ts";
import { createFeed } from "./feed.ts";
import { eventually } from "./harness.ts";
import { openRegistryPlant } from "./registry-plant.ts";
import { runConfig } from "./run-config.ts";

interface Heard {
  readonly topic: string;
  readonly body: string;
}

/** Numbers are such that ThingsBoard stores them as numbers, text such that it does not. */
const scalar = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.string().map((text) => `t${text}`),
);
const json = fc
  .oneof(scalar, fc.array(scalar), fc.object({ values: [scalar], maxDepth: 3 }))
  .map((value) => new TextEncoder().encode(JSON.stringify(value)));
const bytes = fc.oneof(fc.uint8Array({ maxLength: 400 }), json);
/** Any characters that a level of a topic may have, but the one that stands for bytes that are no character. */
const level = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => !/[+#/\ufffd]|\p{Cc}|\p{Noncharacter_Code_Point}/u.test(text));
const folder = fc.array(level, { maxLength: 3 }).map((levels) => levels.join("/"));
const below = (topic: string, path: string) => (path === "" ? topic : `${topic}/${path}`);
const hex = (body: Uint8Array) => Buffer.from(body).toString("hex");

async function connectGateway(url: string, clientId: string, password: string) {
  const heard = createFeed<Heard>();
  const client = await connectAsync(url, {
    ...{ clientId, username: "unused", password, protocolVersion: 4, reconnectPeriod: 0 },
  });
  onTestFinished(() => client.endAsync(true));
  client.on("message", (topic, payload) => heard.push({ topic, body: hex(payload) }));
  return { client, heard };
}

describe.each([
  ["google", "omnicore"],
  ["omnicore", "clearblade"],
  ["clearblade", "google"],
] as const)("a %s gateway in front of %s", (local, upstream) => {
  test("any bytes in any folder are the same on the other side, both ways", async () => {
    const plant = await openRegistryPlant({ local, upstream });
    const { bridge, cloud, clientIdOf, topic } = plant;
    const password = mintToken(identityOf("gw-01"), { aud: local === "omnicore" ? "sub-77" : "acme-iot" });
    const { client, heard } = await connectGateway(bridge.url, clientIdOf("gw-01"), password);
    const there = (rest: string) => `${upstream === "omnicore" ? "/plant-1" : "/devices"}/sensor-7/${rest}`;
    await client.publishAsync(topic("sensor-7", "attach"), "{}", { qos: 1 });
    await client.subscribeAsync([topic("sensor-7", "config"), topic("sensor-7", "commands/#")], { qos: 1 });
    await cloud.next("subscribed", ({ filter, granted }) => filter === there("commands/#") && granted < 2);

    const commands = () => heard.all.filter(({ topic: where }) => where.includes("/commands"));

    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(bytes, folder), { minLength: 1, maxLength: 8 }),
        bytes,
        async (said, whole) => {
          const before = cloud.received().length;
          const obeyed = commands().length;
          for (const [body, path] of said) {
            client.publish(topic("sensor-7", below("events", path)), Buffer.from(body), { qos: 1 });
          }
          await eventually(() => cloud.received()).toHaveLength(before + said.length);
          const up = cloud.received().slice(before);
          expect(up.map((one) => [one.topic, hex(one.payload)])).toEqual(
            said.map(([body, path]) => [there(below("events", path)), hex(body)]),
          );

          for (const [body, path] of said) {
            expect(cloud.sendCommand("sensor-7", body, path === "" ? undefined : path)).toEqual({ delivered: true });
          }
          await eventually(commands).toHaveLength(obeyed + said.length);
          expect(commands().slice(obeyed)).toEqual(
            said.map(([body, path]) => ({ topic: topic("sensor-7", below("commands", path)), body: hex(body) })),
          );
          // Twice the same is one configuration.
          const config = Buffer.concat([whole, Buffer.from(`${before}`)]);
          cloud.setConfig("sensor-7", config);
          await heard.next((one) => one.topic === topic("sensor-7", "config") && one.body === hex(config));
        },
      ),
      { numRuns: 15, endOnFailure: true },
    );
  });
});

test("any JSON is the values of one point at ThingsBoard, and what is none is kept as it is", async () => {
  const identity = ecIdentity();
  const token = "token-upstream";
  const tenant = await openThingsBoard({
    devices: [{ name: "gw-01", gateway: true, credentials: { kind: "token", token } }],
  });
  onTestFinished(() => tenant.close());
  const bridge = await runConfig({
    local: { dialect: "google", project: "acme-iot", location: "us-central1", registry: "plant-1" },
    upstream: { dialect: "thingsboard", url: tenant.urls[0] },
    gateways: [{ id: "gw-01", local: { publicKeys: [identity.publicPem] }, upstream: { token } }],
  });
  const clientId = "projects/acme-iot/locations/us-central1/registries/plant-1/devices/gw-01";
  const { client } = await connectGateway(bridge.url, clientId, mintToken(identity));
  await client.publishAsync("/devices/sensor-7/attach", "{}", { qos: 1 });
  const stored = () =>
    tenant.records.flatMap((record) => (record.kind === "telemetry" ? [JSON.parse(record.values) as unknown] : []));

  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 8 }), async (bodies) => {
      const before = stored().length;
      for (const body of bodies) client.publish("/devices/sensor-7/events", Buffer.from(body), { qos: 1 });
      await client.publishAsync("/devices/gw-01/events", '{"done":true}', { qos: 1 });
      const expected = [...bodies.flatMap(valuesOf), { done: true }];
      await eventually(() => stored().length).toBe(before + expected.length);
      expect(stored().slice(before)).toEqual(expected);
    }),
    { numRuns: 25, endOnFailure: true },
  );
});

/** What a body means where only JSON objects can be points, and a key without a value is not stored. */
function valuesOf(body: Uint8Array): readonly unknown[] {
  if (body.length === 0) return [];
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return [{ raw: Buffer.from(body).toString("base64") }];
  }
  const values = typeof value === "object" && value !== null && !Array.isArray(value) ? value : { value };
  return [Object.fromEntries(Object.entries(values).filter(([, one]) => one !== null))];
}
