import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant, type Plant, type RunningBridge } from "./harness.ts";
import { arrivedOf, disorderOf, startStream } from "./stream.ts";

const perSecond = 2000;

/** Writes a mapping that calls the key "number" something else. */
function writeMapping(plant: Plant, key: string): void {
  mkdirSync(join(plant.folder, "mappings"), { recursive: true });
  const text = `mapping: plant\nrules:\n  all:\n    keys: { number: { to: ${key} } }\n`;
  writeFileSync(join(plant.folder, "mappings", "plant.yaml"), text);
}

async function mappedPlant(): Promise<{ readonly plant: Plant; readonly bridge: RunningBridge }> {
  const plant = await openPlant({ mapping: "mappings/plant.yaml" });
  writeMapping(plant, "before");
  return { plant, bridge: await plant.open() };
}

test("a changed mapping under load: nothing lost, doubled or out of order, no connection closed, new messages by the new rules", async () => {
  const { plant, bridge } = await mappedPlant();
  const { cloud } = plant;
  const stream = await startStream(bridge.url, plant.tokenOf("gw-01"), perSecond);
  await eventually(() => arrivedOf(cloud).length).toBeGreaterThan(1000);

  writeMapping(plant, "after");
  expect(await bridge.reload(await plant.load())).toMatchObject({ outcome: "applied", changes: ["mapping"] });
  const sent = stream.sent;
  await eventually(() => stream.sent).toBeGreaterThan(sent + 1000);
  await stream.stop();
  await eventually(() => bridge.ledger()).toMatchObject({ received: stream.sent, delivered: stream.sent, pending: 0 });

  const arrived = arrivedOf(cloud);
  expect(disorderOf(arrived)).toEqual([]);
  expect(arrived).toHaveLength(stream.sent);
  expect(arrived.filter(({ key, number }) => key === "before" && number > sent)).toEqual([]);
  const first = arrived.findIndex(({ key }) => key === "after");
  expect(first).toBeGreaterThan(1000);
  expect(arrived.slice(first).filter(({ key }) => key !== "after")).toEqual([]);
  expect(stream.isClosed).toBe(false);
  expect(cloud.records.filter(({ kind }) => kind === "connected")).toHaveLength(1);
  expect(bridge.status()).toMatchObject({ healthy: true, reload: { outcome: "applied" } });
});

test("twenty reloads in a row under load", async () => {
  const { plant, bridge } = await mappedPlant();
  const { cloud } = plant;
  const stream = await startStream(bridge.url, plant.tokenOf("gw-01"), perSecond);
  await eventually(() => arrivedOf(cloud).length).toBeGreaterThan(100);
  for (let round = 1; round <= 20; round++) {
    writeMapping(plant, `round-${round}`);
    expect(await bridge.reload(await plant.load())).toMatchObject({ outcome: "applied" });
  }
  const sent = stream.sent;
  await eventually(() => stream.sent).toBeGreaterThan(sent + 100);
  await stream.stop();
  await eventually(() => bridge.ledger()).toMatchObject({ received: stream.sent, delivered: stream.sent, pending: 0 });

  const arrived = arrivedOf(cloud);
  expect(disorderOf(arrived)).toEqual([]);
  expect(arrived).toHaveLength(stream.sent);
  expect(new Set(arrived.slice(-50).map(({ key }) => key))).toEqual(new Set(["round-20"]));
  expect(stream.isClosed).toBe(false);
  expect(cloud.records.filter(({ kind }) => kind === "connected")).toHaveLength(1);
});

test("a reload while the cloud is away: what waits goes through the new mapping", async () => {
  const { plant, bridge } = await mappedPlant();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", { "pump-1": [{ ts: 1, values: { number: 1 } }] });
  await plant.cloud.next("telemetry");
  await plant.stopCloud();
  await gateway.say("v1/gateway/telemetry", { "pump-1": [{ ts: 2, values: { number: 2 } }] });
  writeMapping(plant, "after");
  await bridge.reload(await plant.load());
  const cloud = await plant.startCloud();
  await eventually(() => arrivedOf(cloud)).toEqual([{ device: "pump-1", number: 2, key: "after" }]);
  expect(gateway.client.connected).toBe(true);
});
