import { describe, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import { builtInDialects } from "../../src/mappings.ts";
import { imbalanceOf } from "../../src/message/fate.ts";
import type { RepairFilter, RepairOutcome, WaitingMessage } from "../../src/message/repair.ts";
import { miscount } from "../spool/miscount.ts";
import { connectGateway, type GatewayClient } from "./gateway-client.ts";
import { eventually, openPlant, openRunning, type Plant, type RunningBridge } from "./harness.ts";
import { narrowDialects } from "./narrow-dialects.ts";

async function configOf(plant: Plant, dialects = builtInDialects()): Promise<Config> {
  const loaded = await loadConfig(plant.configFile, { env: {}, dialects });
  if ("mistakes" in loaded) throw new Error(JSON.stringify(loaded.mistakes));
  return loaded.config;
}

async function openNarrow(plant: Plant): Promise<{ bridge: RunningBridge; gateway: GatewayClient }> {
  const bridge = await openRunning(await configOf(plant, narrowDialects()));
  return { bridge, gateway: await connect(plant, bridge) };
}

function connect(plant: Plant, bridge: RunningBridge, gateway = "gw-01"): Promise<GatewayClient> {
  // MQTT 3.1.1 has no negative PUBACK: what cannot be read is taken all the same.
  return connectGateway(bridge.url, { token: plant.tokenOf(gateway), protocolVersion: 4 });
}

const telemetry = "v1/gateway/telemetry";
const flat = (device: string, n: number) => ({ [device]: [{ n }] });
const timed = (device: string, n: number) => ({ [device]: [{ ts: n, values: { n } }] });

/** The numbers that arrived of a device, in order, repeats included. */
function numbersOf(device: string, cloud: Cloud): readonly number[] {
  return cloud.received().flatMap((record) => {
    if (record.kind !== "telemetry" || record.device !== device) return [];
    return (JSON.parse(record.payload.toString()) as { values: { n: number } }[]).map(({ values }) => values.n);
  });
}

const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index);

function listed({ repair }: RunningBridge, filter: RepairFilter = {}): readonly WaitingMessage[] {
  return repair.list({ filter, limit: 1000 }).messages;
}

function retry({ repair }: RunningBridge, filter: RepairFilter = {}): Promise<RepairOutcome> {
  return repair.retry({ filter, limit: 1000 });
}

describe("quarantined packets", () => {
  test("run through a mended mapping in order, before what comes later; the ledger adds up", async () => {
    const plant = await openPlant();
    const before = await openNarrow(plant);
    for (const n of upTo(40)) await before.gateway.say(telemetry, flat("pump-2", n));
    await before.gateway.say(telemetry, { ...flat("pump-2", 41), ...flat("pump-3", 1) });
    expect(before.bridge.ledger()).toMatchObject({ received: 41, quarantined: 41, pending: 0 });
    const unmended = await retry(before.bridge);
    expect(unmended).toMatchObject({ done: 0, kept: 41, idle: [] });
    expect(unmended.examples[0]?.reason).toMatch(/thingsboard\.yaml:\d+/);
    expect(before.bridge.ledger()).toMatchObject({ received: 41, quarantined: 41, pending: 0 });
    await before.bridge.close();

    await plant.stopCloud();
    const bridge = await openRunning(await configOf(plant));
    const gateway = await connect(plant, bridge);
    expect(await retry(bridge)).toEqual({ done: 41, kept: 0, examples: [], idle: [] });
    for (const n of upTo(10, 42)) await gateway.say(telemetry, flat("pump-2", n));
    expect(bridge.ledger()).toMatchObject({ received: 52, quarantined: 0, pending: 52 });

    const cloud = await plant.startCloud();
    await eventually(() => bridge.ledger()).toMatchObject({ received: 52, delivered: 52, pending: 0 });
    expect(numbersOf("pump-2", cloud)).toEqual(upTo(51));
    expect(numbersOf("pump-3", cloud)).toEqual([1]);
    expect(listed(bridge)).toEqual([]);
    expect(bridge.status()).toMatchObject({ healthy: true, reasons: [] });
  });

  test("of which a part could be read go again as a whole", async () => {
    const plant = await openPlant();
    const before = await openNarrow(plant);
    await before.gateway.say(telemetry, { ...timed("good-1", 1), ...flat("bad-1", 2), ...timed("good-2", 3) });
    await before.gateway.say(telemetry, { "good-1": [{ n: 4 }, { ts: 5, values: { n: 5 } }] });
    await eventually(() => before.bridge.ledger()).toMatchObject({ received: 5, delivered: 3, quarantined: 2 });
    expect(await retry(before.bridge)).toMatchObject({ done: 0, kept: 2 });
    await before.bridge.close();

    const bridge = await openRunning(await configOf(plant));
    expect(await retry(bridge)).toMatchObject({ done: 2, kept: 0 });
    await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, quarantined: 0 });
    expect(numbersOf("bad-1", plant.cloud)).toEqual([2]);
    expect(numbersOf("good-1", plant.cloud)).toEqual([1, 5, 1, 4, 5]);
    expect(numbersOf("good-2", plant.cloud)).toEqual([3, 3]);
    // Three messages of the first packet and one of the second; what had been delivered before counts again.
    expect(bridge.ledger()).toMatchObject({ received: 7, delivered: 7 });
    expect(imbalanceOf(bridge.ledger())).toBe(0);
  });

  test.each(["revokeAttach", "swallowAttach"] as const)(
    "whose other parts still wait (%s) go as a whole when a mended mapping reads them",
    async (fault) => {
      const plant = await openPlant();
      plant.cloud.faults[fault].add("slow-1");
      const before = await openNarrow(plant);
      await before.gateway.say(telemetry, { ...timed("slow-1", 1), "good-1": [{ n: 2 }, { ts: 3, values: { n: 3 } }] });
      const waiting = fault === "revokeAttach" ? { held: 1, pending: 0 } : { held: 0, pending: 1 };
      await eventually(() => before.bridge.ledger()).toMatchObject({ delivered: 1, quarantined: 1, ...waiting });
      await before.bridge.close({ drainMs: 0 });

      const bridge = await openRunning(await configOf(plant));
      await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 3, held: 0, pending: 0 });
      expect(bridge.ledger()).toMatchObject({ quarantined: 0, dropped: {} });
      expect(numbersOf("slow-1", plant.cloud)).toEqual([1]);
      expect(numbersOf("good-1", plant.cloud)).toEqual([3, 2, 3]);
    },
  );

  test("are sent once however often they are retried at the same time", async () => {
    const plant = await openPlant();
    const before = await openNarrow(plant);
    for (const n of upTo(5)) await before.gateway.say(telemetry, flat("pump-2", n));
    await before.bridge.close();
    const bridge = await openRunning(await configOf(plant));
    const outcomes = await Promise.all([retry(bridge), retry(bridge), retry(bridge, { device: "x" as never })]);
    expect(outcomes.map(({ done }) => done)).toEqual([5, 0, 0]);
    await eventually(() => bridge.ledger()).toMatchObject({ received: 5, delivered: 5, pending: 0 });
    expect(numbersOf("pump-2", plant.cloud)).toEqual(upTo(5));
  });

  test("that were retried are open on disk: a bridge that ends at once sends them when it is back", async () => {
    const plant = await openPlant();
    const before = await openNarrow(plant);
    for (const n of upTo(3)) await before.gateway.say(telemetry, flat("pump-2", n));
    await before.bridge.close();
    await plant.stopCloud();
    const middle = await openRunning(await configOf(plant));
    await retry(middle);
    await middle.close({ drainMs: 0 });
    const cloud = await plant.startCloud();
    const bridge = await openRunning(await configOf(plant));
    await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 3, pending: 0 });
    expect(numbersOf("pump-2", cloud)).toEqual(upTo(3));
  });

  test("are shown with their bytes, and with what the rules of now make of them", async () => {
    const plant = await openPlant();
    const { bridge, gateway } = await openNarrow(plant);
    await gateway.say(telemetry, flat("pump-2", 7));
    const [message] = listed(bridge);
    expect(message).toMatchObject({ gateway: "gw-01", fate: "quarantined", topic: telemetry, bytes: 20 });
    expect(JSON.stringify(message)).not.toContain("pump-2\\");
    const [seq, index] = (message?.id ?? "").split(".").map(Number) as [number, number];
    const shown = bridge.repair.show("gw-01", { seq, index });
    expect(Buffer.from(shown?.payload ?? []).toString()).toBe('{"pump-2":[{"n":7}]}');
    expect(shown?.reading).toMatchObject({
      rule: { name: "telemetry", file: expect.stringMatching(/thingsboard\.yaml$/), line: expect.any(Number) },
      unread: { reason: expect.stringMatching(/thingsboard\.yaml:\d+/) },
    });
    expect(bridge.repair.show("gw-01", { seq, index: 1 })).toBeUndefined();
    expect(bridge.repair.show("gw-99", { seq, index })).toBeUndefined();
  });

  test("are discarded for good, and counted", async () => {
    const plant = await openPlant();
    const before = await openNarrow(plant);
    for (const n of upTo(4)) await before.gateway.say(telemetry, flat("pump-2", n));
    const [first] = listed(before.bridge);
    const [seq] = (first?.id ?? "").split(".").map(Number) as [number];
    expect(await before.bridge.repair.discard({ filter: { seq }, limit: 10 })).toMatchObject({ done: 1 });
    expect(await before.bridge.repair.discard({ filter: { reason: "WRONG SHAPE" }, limit: 2 })).toMatchObject({
      ...{ done: 2, next: expect.any(String) },
    });
    expect(await before.bridge.repair.discard({ filter: { minAgeMs: 3_600_000 }, limit: 10 })).toMatchObject({
      done: 0,
    });
    const after = { received: 4, quarantined: 1, pending: 0, dropped: { discarded: 3 } };
    expect(before.bridge.ledger()).toMatchObject(after);
    await before.bridge.close();
    const bridge = await openRunning(await configOf(plant));
    expect(bridge.ledger()).toMatchObject(after);
    expect(listed(bridge)).toHaveLength(1);
    expect(imbalanceOf(bridge.ledger())).toBe(0);
  });

  test("of a gateway that is configured no more can be seen, and wait for it once retried", async () => {
    const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
    const narrow = await openRunning(await configOf(plant, narrowDialects()));
    const gone = await connect(plant, narrow, "gw-02");
    await gone.say(telemetry, flat("pump-2", 1));
    await gone.say(telemetry, flat("pump-2", 2));
    await narrow.close();

    const both = await configOf(plant);
    const alone = await openRunning({ ...both, gateways: both.gateways.filter(({ id }) => id === "gw-01") });
    expect(alone.repair.gateways()).toContain("gw-02");
    expect(listed(alone, { gateway: "gw-02" })).toHaveLength(2);
    expect(listed(alone, { gateway: "gw-01" })).toEqual([]);
    const [, second] = listed(alone);
    const [seq] = (second?.id ?? "").split(".").map(Number) as [number];
    expect(await retry(alone, { seq, index: 0 })).toMatchObject({ done: 1, kept: 0, idle: ["gw-02"] });
    expect(alone.ledgers()["gw-02"]).toMatchObject({ received: 2, quarantined: 1, pending: 1 });
    await alone.close();

    const bridge = await openRunning(both);
    await eventually(() => bridge.ledgers()["gw-02"]).toMatchObject({ delivered: 1, quarantined: 1, pending: 0 });
    expect(numbersOf("pump-2", plant.cloud)).toEqual([2]);
  });
});

describe("held messages", () => {
  test("go out in order when their device is retried and the cloud takes it now", async () => {
    const plant = await openPlant();
    const { cloud } = plant;
    cloud.faults.revokeAttach.add("shady-1");
    const bridge = await openRunning(await configOf(plant));
    const gateway = await connect(plant, bridge);
    for (const n of upTo(3)) await gateway.say(telemetry, timed("shady-1", n));
    await gateway.say(telemetry, timed("pump-2", 1));
    await eventually(() => bridge.ledger()).toMatchObject({ received: 4, delivered: 1, held: 3, pending: 0 });
    expect(listed(bridge, { fate: "held" }).map(({ device }) => device)).toEqual(["shady-1", "shady-1", "shady-1"]);

    expect(await retry(bridge, { device: "pump-2" as never })).toMatchObject({ done: 0 });
    expect(await retry(bridge, { device: "shady-1" as never })).toMatchObject({ done: 3, kept: 0 });
    await eventually(() => bridge.ledger()).toMatchObject({ received: 4, delivered: 4, held: 0, pending: 0 });
    expect(numbersOf("shady-1", cloud)).toEqual(upTo(3));
  });

  test("that are discarded do not come back with their device", async () => {
    const plant = await openPlant();
    plant.cloud.faults.revokeAttach.add("shady-1");
    const bridge = await openRunning(await configOf(plant));
    const gateway = await connect(plant, bridge);
    for (const n of upTo(3)) await gateway.say(telemetry, timed("shady-1", n));
    await eventually(() => bridge.ledger()).toMatchObject({ held: 3, pending: 0 });
    const [, second] = listed(bridge);
    const [seq] = (second?.id ?? "").split(".").map(Number) as [number];
    await bridge.repair.discard({ filter: { seq }, limit: 10 });
    await retry(bridge);
    await eventually(() => bridge.ledger()).toMatchObject({ delivered: 2, held: 0, dropped: { discarded: 1 } });
    expect(numbersOf("shady-1", plant.cloud)).toEqual([1, 3]);
  });
});

describe("the self-check", () => {
  test("makes the bridge unhealthy, and names the gateway, where the records say something else", async () => {
    const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
    await plant.stopCloud();
    const before = await openRunning(await configOf(plant));
    const gateway = await connect(plant, before, "gw-02");
    await gateway.say(telemetry, timed("pump-2", 1));
    expect(before.status()).toMatchObject({ healthy: true, reasons: [] });
    await before.close({ drainMs: 0 });
    const config = await configOf(plant);
    await miscount(config.spool.directory, "gw-02", (ledger) => {
      ledger.pending += 2;
      ledger.received += 2;
    });

    const bridge = await openRunning(config);
    const finding = 'the ledger of gateway "gw-02" is wrong: pending 3, but its records say 1';
    expect(bridge.status()).toMatchObject({ healthy: false, reasons: [finding] });
    expect(bridge.log.all).toContainEqual({ level: "error", msg: "ledger-wrong", finding });
    const health = await fetch(`${bridge.admin}/healthz`);
    expect([health.status, await health.json()]).toEqual([503, { status: "failing", reasons: [finding] }]);
  });
});
