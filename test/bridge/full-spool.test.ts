import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

/** The time of each point that came, in the order they came. */
function timesAt(cloud: Cloud): readonly number[] {
  return cloud
    .received()
    .filter(({ kind }) => kind === "telemetry")
    .flatMap(({ payload }) => (JSON.parse(payload.toString()) as { ts: number }[]).map(({ ts }) => ts));
}

const point = (ts: number, bytes = 900) => ({ "pump-2": [{ ts, values: { text: "x".repeat(bytes) } }] });

test.each([4, 5] as const)(
  "when the spool is full, MQTT level %i publishes get no PUBACK and close; connecting still works",
  async (protocolVersion) => {
    const plant = await openPlant({ spool: { maxBytes: "64KiB" } });
    const bridge = await plant.open();
    const token = plant.tokenOf("gw-01");
    // Something is attached while the cloud is there, so that commands have a way.
    const first = await connectGateway(bridge.url, { token, protocolVersion });
    await first.say("v1/gateway/connect", { device: "pump-2" });
    await plant.cloud.next("acknowledged", ({ device }) => device === "pump-2");
    plant.cloud.faults.acknowledge = false;

    let acknowledged = 0;
    const closed = new Promise<void>((resolve) => first.client.once("close", () => resolve()));
    for (let ts = 1; ts <= 200 && first.client.connected; ts++) {
      const isTaken = await Promise.race([
        first.say("v1/gateway/telemetry", point(ts)).then(() => true),
        closed.then(() => false),
      ]);
      if (!isTaken) break;
      acknowledged += 1;
    }
    await closed;
    expect(acknowledged).toBeGreaterThan(10);
    expect(acknowledged).toBeLessThan(100);
    expect(bridge.ledger()).toMatchObject({ received: acknowledged + 1, pending: acknowledged });

    const second = await connectGateway(bridge.url, { token, protocolVersion });
    expect(plant.cloud.sendCommand("pump-2", "now", "stop")).toEqual({ delivered: true });
    expect((await second.next("v1/gateway/rpc")).text).toContain('"method":"stop"');
    // QoS 0 is dropped and counted: the connection stays.
    await second.say("v1/gateway/telemetry", point(999), 0);
    await eventually(() => bridge.ledger()).toMatchObject({ dropped: { full: 1 } });
    expect(second.client.connected).toBe(true);

    plant.cloud.faults.acknowledge = true;
    plant.cloud.disconnect("gw-01");
    await eventually(() => bridge.ledger()).toMatchObject({ delivered: acknowledged + 1, pending: 0 });
    await second.say("v1/gateway/telemetry", point(1000));
  },
);

test("with whenFull: dropOldest, what was dropped in an outage is counted and does not go, and the rest goes in order", async () => {
  const plant = await openPlant({ spool: { maxBytes: "64KiB", whenFull: "dropOldest" } });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/connect", { device: "pump-2" });
  await plant.cloud.next("acknowledged", ({ device }) => device === "pump-2");
  await plant.stopCloud();

  const sent = Array.from({ length: 200 }, (_, index) => index + 1);
  for (const ts of sent) await gateway.say("v1/gateway/telemetry", point(ts));
  const { dropped, pending } = bridge.ledger();
  expect(dropped["full"]).toBeGreaterThan(100);
  expect(pending).toBe(200 - (dropped["full"] as number));

  const cloud = await plant.startCloud();
  await eventually(() => bridge.ledger()).toMatchObject({ received: 201, delivered: pending + 1, pending: 0, dropped });
  expect(timesAt(cloud)).toEqual(sent.slice(-pending));
});

test("with whenFull: dropOldest, what is on its way is not dropped", async () => {
  const plant = await openPlant({
    spool: { maxBytes: "64KiB", whenFull: "dropOldest" },
    upstream: { inFlight: 10 },
  });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/connect", { device: "pump-2" });
  await plant.cloud.next("acknowledged", ({ device }) => device === "pump-2");
  plant.cloud.faults.acknowledge = false;
  for (let ts = 1; ts <= 200; ts++) await gateway.say("v1/gateway/telemetry", point(ts));
  const { dropped } = bridge.ledger();
  expect(dropped["full"]).toBeGreaterThan(100);

  plant.cloud.faults.acknowledge = true;
  plant.cloud.disconnect("gw-01");
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, dropped });
  const seen = new Set(timesAt(plant.cloud));
  expect([...seen].slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  // One is the attach.
  expect(bridge.ledger().delivered).toBe(seen.size + 1);
});

test("what the disk has changed is quarantined with its bytes, and the rest goes", async () => {
  const plant = await openPlant();
  await plant.stopCloud();
  let bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  for (const text of ["one", "the-open-valve", "three"]) {
    await gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts: 1, values: { text } }] });
  }
  await bridge.close({ drainMs: 0 });
  const path = join(plant.folder, "spool", "data.mdb");
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf("the-open"); at !== -1; at = bytes.indexOf("the-open")) bytes.write("the-shut", at);
  writeFileSync(path, bytes);

  bridge = await plant.open();
  const cloud = await plant.startCloud();
  await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 2, quarantined: 1, pending: 0 });
  const arrived = cloud.received().filter(({ kind }) => kind === "telemetry");
  expect(arrived.map(({ payload }) => /"text":"([^"]*)"/.exec(payload.toString())?.[1])).toEqual(["one", "three"]);
  const { messages } = await bridge.repair.list({ filter: {}, limit: 10 });
  expect(messages).toMatchObject([{ fate: "quarantined", reason: "damaged: it is not on disk as it was written" }]);
});

test("directory: memory runs without a disk, and forgets with the process", async () => {
  const plant = await openPlant({ spool: { directory: "memory" } });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", point(1));
  await plant.cloud.next("telemetry");
  await eventually(() => bridge.ledger()).toMatchObject({ received: 1, delivered: 1 });
  await bridge.close({ drainMs: 0 });
  expect((await plant.open()).ledger()).toMatchObject({ received: 0, delivered: 0 });
});
