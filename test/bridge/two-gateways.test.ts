import fc from "fast-check";
import { connectAsync } from "mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import { mintToken } from "../cloud/identity.ts";
import { identityOf, publish, subscribe } from "../cloud/plant.ts";
import type { RawClient } from "../cloud/raw-client.ts";
import { createFeed } from "./feed.ts";
import { eventually } from "./harness.ts";
import { openRegistryPlant, type RegistryPlant } from "./registry-plant.ts";

const settling = 60_000;
/** All names of what is the other gateway's, itself included. */
const names = ["sensor-7", "pump-2", "dev-1001", "loose-9", "gw-01", "2581234567890007", "2581234567890001"];
const upward = ["attach", "detach", "events", "events/a/b", "state", "config", "commands", "commands/a", "errors"];
const downward = ["config", "commands/#", "commands", "errors", "state", "#"];
const withKeys = ["sensor-7", "pump-2", "loose-9"];

interface Attempt {
  readonly how: "publish" | "subscribe";
  readonly where: readonly [string, string];
  readonly payload: "" | "{}" | "own token" | "stolen token";
}

const name = fc.constantFrom(...names);
const attempts: fc.Arbitrary<readonly Attempt[]> = fc.array(
  fc.oneof(
    fc.record({
      how: fc.constant("publish" as const),
      where: fc.tuple(name, fc.constantFrom(...upward)),
      payload: fc.constantFrom("" as const, "{}" as const, "own token" as const, "stolen token" as const),
    }),
    fc.record({
      how: fc.constant("subscribe" as const),
      where: fc.tuple(fc.oneof(name, fc.constant("+")), fc.constantFrom(...downward)),
      payload: fc.constant("" as const),
    }),
  ),
  { minLength: 1, maxLength: 30 },
);

/** A device's own token is what a gateway may have kept of a device that was once behind it. */
function bytesOf({ payload, where: [device] }: Attempt, aud: string): string {
  if (!payload.endsWith("token")) return payload;
  const signer = payload === "stolen token" && withKeys.includes(device) ? device : "gw-02";
  return JSON.stringify({ authorization: mintToken(identityOf(signer), { aud }) });
}

/** The rightful gateway, which acknowledges what it hears. */
async function connectRightful({ bridge, clientIdOf }: RegistryPlant, aud: string) {
  const heard = createFeed<string>();
  const client = await connectAsync(bridge.url, {
    ...{ clientId: clientIdOf("gw-01"), username: "unused", password: mintToken(identityOf("gw-01"), { aud }) },
    ...{ protocolVersion: 4, reconnectPeriod: 0 },
  });
  onTestFinished(() => client.endAsync(true));
  client.on("message", (topic, payload) => heard.push(`${topic.split("/").slice(2).join("/")} ${payload}`));
  return { client, heard };
}

async function settle(client: RawClient, { topic }: RegistryPlant): Promise<void> {
  client.send(publish(topic("gw-02", "events"), "settled", settling));
  while ((await client.next("puback")).messageId !== settling);
}

describe.each([
  ["google", "ASSOCIATION_ONLY"],
  ["clearblade", "ASSOCIATION_AND_DEVICE_AUTH_TOKEN"],
  ["omnicore", "DEVICE_AUTH_TOKEN_ONLY"],
] as const)("in the place of %s, with %s", (local, authMethod) => {
  test("whatever a gateway tries, it neither sees nor speaks for the other's devices", async () => {
    const aud = local === "omnicore" ? "sub-77" : "acme-iot";
    const plant = await openRegistryPlant({ local, gateway: { authMethod } });
    const { cloud, topic } = plant;
    const { client: one, heard } = await connectRightful(plant, aud);
    const authorization = mintToken(identityOf("sensor-7"), { aud });
    await one.publishAsync(topic("sensor-7", "attach"), JSON.stringify({ authorization }), { qos: 1 });
    await one.subscribeAsync([topic("sensor-7", "config"), topic("sensor-7", "commands/#")], { qos: 1 });
    await eventually(() => cloud.sendCommand("sensor-7", "first")).toEqual({ delivered: true });
    const two = await plant.connect("gw-02");
    let round = 0;

    await fc.assert(
      fc.asyncProperty(attempts, async (tried) => {
        round += 1;
        const before = two.heard.length;
        for (const [at, attempt] of tried.entries()) {
          const where = topic(...attempt.where);
          if (attempt.how === "subscribe") two.send(subscribe(1000 + at, [where, 1]));
          else two.send(publish(where, bytesOf(attempt, aud), 1000 + at));
        }
        await settle(two, plant);
        cloud.setConfig("sensor-7", `config ${round}`);
        expect(cloud.sendCommand("sensor-7", `command ${round}`)).toEqual({ delivered: true });
        await heard.next((line) => line === `sensor-7/config config ${round}`);
        await heard.next((line) => line === `sensor-7/commands command ${round}`);
        await one.publishAsync(topic("sensor-7", "events"), `still mine ${round}`, { qos: 1 });
        await settle(two, plant);

        const answers = two.heard.slice(before);
        expect(answers.filter(({ cmd }) => cmd === "publish")).toEqual([]);
        const granted = answers.flatMap((packet) => (packet.cmd === "suback" ? packet.granted : []));
        expect(granted).toEqual(tried.flatMap(({ how }) => (how === "subscribe" ? [128] : [])));
        // A detach of what is not attached is acknowledged, and means nothing.
        const pubacks = answers.flatMap(({ cmd, messageId = 0 }) => (cmd === "puback" ? [messageId] : []));
        const harmless = tried.flatMap(({ where }, at) => (where[1] === "detach" ? [1000 + at] : []));
        expect(pubacks.filter((id) => id !== settling)).toEqual(harmless);
      }),
      { numRuns: 15, endOnFailure: true },
    );

    const own = cloud.received().filter(({ gateway, device }) => gateway === "gw-02" || device === "gw-02");
    expect(new Set(own.map(({ kind, device, payload }) => `${kind} ${device} ${payload}`))).toEqual(
      new Set(["telemetry gw-02 settled"]),
    );
    const asked = cloud.records.flatMap((record) =>
      record.kind === "subscribed" && record.device === "gw-02" ? [record.filter] : [],
    );
    expect(asked.filter((filter) => !filter.includes("/gw-02/"))).toEqual([]);
    expect(cloud.attached("gw-01")).toEqual(["sensor-7"]);
    expect(cloud.received().filter(({ kind }) => kind === "detach")).toEqual([]);
    await eventually(
      () => cloud.received().filter(({ device, kind }) => device === "sensor-7" && kind === "telemetry").length,
    ).toBe(round);
  });
});
