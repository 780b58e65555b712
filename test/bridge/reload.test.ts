import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant, type Plant, type RunningBridge } from "./harness.ts";
import { arrivedOf, disorderOf, startStream, streamDevices } from "./stream.ts";

const perSecond = 2000;
const patience = { timeout: 120_000 };

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

/** How often each gateway has connected to the cloud. */
function connectionsOf({ cloud }: Plant): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const record of cloud.records) {
    if (record.kind === "connected") counts[record.device] = (counts[record.device] ?? 0) + 1;
  }
  return counts;
}

test(
  "a changed mapping under load: nothing lost, doubled or out of order, no connection closed, new messages by the new rules",
  patience,
  async () => {
    const { plant, bridge } = await mappedPlant();
    const { cloud } = plant;
    const stream = await startStream(bridge.url, plant.tokenOf("gw-01"), perSecond);
    await eventually(() => arrivedOf(cloud).length).toBeGreaterThan(1000);

    writeMapping(plant, "after");
    expect(await bridge.reload(await plant.load())).toMatchObject({ outcome: "applied", changes: ["mapping"] });
    const sent = stream.sent;
    await eventually(() => stream.sent).toBeGreaterThan(sent + 1000);
    await stream.stop();
    await eventually(() => bridge.ledger()).toMatchObject({
      received: stream.sent,
      delivered: stream.sent,
      pending: 0,
    });

    const arrived = arrivedOf(cloud);
    expect(disorderOf(arrived)).toEqual([]);
    expect(arrived).toHaveLength(stream.sent);
    expect(arrived.filter(({ key, number }) => key === "before" && number > sent)).toEqual([]);
    const first = arrived.findIndex(({ key }) => key === "after");
    expect(first).toBeGreaterThan(1000);
    expect(arrived.slice(first).filter(({ key }) => key !== "after")).toEqual([]);
    expect(stream.isClosed).toBe(false);
    expect(connectionsOf(plant)).toEqual({ "gw-01": 1 });
    expect(cloud.records.filter(({ kind }) => kind === "attach")).toHaveLength(streamDevices.length);
    expect(bridge.status()).toMatchObject({ healthy: true, reload: { outcome: "applied" } });
  },
);

test("twenty reloads in a row under load", patience, async () => {
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
  expect(connectionsOf(plant)).toEqual({ "gw-01": 1 });
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

test("gateways come, go and change their credentials while another one flows", patience, async () => {
  const plant = await openPlant({ gateways: ["gw-01", "gw-02", "gw-03"] });
  plant.configure({ only: ["gw-01", "gw-02"] });
  const bridge = await plant.open();
  const stream = await startStream(bridge.url, plant.tokenOf("gw-01"), 500);
  const second = await connectGateway(bridge.url, { token: plant.tokenOf("gw-02") });
  await expect(connectGateway(bridge.url, { token: plant.tokenOf("gw-03") })).rejects.toThrow();
  await second.say("v1/gateway/telemetry", { "press-1": [{ ts: 1, values: { n: 1 } }] });

  plant.configure({});
  expect(await bridge.reload(await plant.load())).toMatchObject({ changes: ["gateways.gw-03 added"] });
  const third = await connectGateway(bridge.url, { token: plant.tokenOf("gw-03") });
  await third.say("v1/gateway/telemetry", { "press-2": [{ ts: 1, values: { n: 1 } }] });
  await plant.cloud.next("telemetry", ({ device }) => device === "press-2");

  const before = plant.tokenOf("gw-02");
  writeFileSync(join(plant.folder, "tokens", "gw-02"), "another-token\n");
  const gone = new Promise<void>((resolve) => second.client.once("close", () => resolve()));
  expect(await bridge.reload(await plant.load())).toMatchObject({ changes: ["gateways.gw-02.local"] });
  await gone;
  await expect(connectGateway(bridge.url, { token: before })).rejects.toThrow();
  const again = await connectGateway(bridge.url, { token: "another-token" });
  await again.say("v1/gateway/telemetry", { "press-1": [{ ts: 2, values: { n: 2 } }] });

  const left = new Promise<void>((resolve) => third.client.once("close", () => resolve()));
  plant.configure({ only: ["gw-01", "gw-02"] });
  expect(await bridge.reload(await plant.load())).toMatchObject({ changes: ["gateways.gw-03 removed"] });
  await left;
  await expect(connectGateway(bridge.url, { token: plant.tokenOf("gw-03") })).rejects.toThrow();
  expect(bridge.status().gateways.map(({ id }) => id)).toEqual(["gw-01", "gw-02"]);
  expect(bridge.ledgers()["gw-03"]).toMatchObject({ received: 1, delivered: 1 });

  await stream.stop();
  await eventually(() => bridge.ledger().pending).toBe(0);
  const arrived = arrivedOf(plant.cloud).filter(({ device }) => device.startsWith("pump"));
  expect(disorderOf(arrived)).toEqual([]);
  expect(arrived).toHaveLength(stream.sent);
  expect(stream.isClosed).toBe(false);
  expect(connectionsOf(plant)).toEqual({ "gw-01": 1, "gw-02": 1, "gw-03": 1 });
});

test(
  "other credentials for the cloud: that connection is made anew, and the gateway notices nothing",
  patience,
  async () => {
    const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
    const bridge = await plant.open();
    const stream = await startStream(bridge.url, plant.tokenOf("gw-01"), perSecond);
    await eventually(() => arrivedOf(plant.cloud).length).toBeGreaterThan(500);
    writeFileSync(join(plant.folder, "keys", "gw-01.pem"), plant.spareKey);
    expect(await bridge.reload(await plant.load())).toMatchObject({ changes: ["gateways.gw-01.upstream"] });
    const sent = stream.sent;
    await eventually(() => stream.sent).toBeGreaterThan(sent + 500);
    await stream.stop();
    await eventually(() => bridge.ledger()).toMatchObject({
      received: stream.sent,
      delivered: stream.sent,
      pending: 0,
    });
    const arrived = arrivedOf(plant.cloud);
    expect(disorderOf(arrived)).toEqual([]);
    expect(arrived).toHaveLength(stream.sent);
    expect(stream.isClosed).toBe(false);
    expect(connectionsOf(plant)).toEqual({ "gw-01": 2, "gw-02": 1 });
  },
);

test("a file with mistakes, or one that cannot be had, leaves everything as it was and is shown", async () => {
  const { plant, bridge } = await mappedPlant();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  writeFileSync(join(plant.folder, "mappings", "plant.yaml"), "mapping: plant\nrules:\n  all:\n    drop: [debug]\n");
  const refused = await bridge.reload(await plant.load());
  expect(refused).toMatchObject({ outcome: "refused", mistakes: [expect.stringMatching(/plant\.yaml:3:3: .*lossy/)] });
  expect(bridge.status().reload).toEqual(refused);
  expect(bridge.log.all.filter(({ msg }) => msg === "reload-refused")).toHaveLength(1);

  writeMapping(plant, "after");
  plant.configure({ local: { listen: ["mqtt://127.0.0.1:0", plant.cloud.urls[0]] } });
  const taken = await bridge.reload(await plant.load());
  expect(taken).toMatchObject({ outcome: "refused", mistakes: [expect.stringMatching(/^Cannot listen on "mqtt:/)] });
  plant.configure({ admin: { listen: plant.cloud.urls[0]?.replace("mqtt:", "http:") } });
  const served = await bridge.reload(await plant.load());
  expect(served).toMatchObject({ outcome: "refused", mistakes: [expect.stringMatching(/^Cannot serve admin on/)] });

  await gateway.say("v1/gateway/telemetry", { "pump-1": [{ ts: 1, values: { number: 1 } }] });
  await eventually(() => arrivedOf(plant.cloud)).toEqual([{ device: "pump-1", number: 1, key: "before" }]);
  const metrics = await (await fetch(`${bridge.admin}/metrics`)).text();
  expect(metrics).toContain("\ndragoman_config_last_reload_successful 0\n");
  plant.configure({});
  expect(await bridge.reload(await plant.load())).toMatchObject({ outcome: "applied", changes: ["mapping"] });
  expect(await (await fetch(`${bridge.admin}/metrics`)).text()).toContain("_reload_successful 1\n");
});

test("addresses and the admin server move while a gateway stays connected; the spool's options wait for a restart", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const { admin } = bridge;
  plant.configure({
    local: { listen: ["mqtt://localhost:0"] },
    admin: { listen: "http://localhost:0" },
    spool: { directory: "elsewhere", maxBytes: "1MiB" },
  });
  expect(await bridge.reload(await plant.load())).toMatchObject({
    outcome: "needs-restart",
    changes: ["local.listen", "spool.directory", "spool.maxBytes", "admin.listen"],
    needsRestart: ["spool.directory", "spool.maxBytes"],
  });
  const { listen } = bridge.status();
  expect(listen).toHaveLength(1);
  expect(listen).not.toEqual([bridge.url]);
  await expect(connectGateway(bridge.url, { token: plant.tokenOf("gw-01") })).rejects.toThrow();
  await expect(fetch(`${admin}/healthz`)).rejects.toThrow();
  await gateway.say("v1/gateway/telemetry", { "pump-1": [{ ts: 1, values: { number: 1 } }] });
  await eventually(() => arrivedOf(plant.cloud)).toHaveLength(1);
  // The same gateway by the new way takes over from its old connection.
  const again = await connectGateway(listen[0] as string, { token: plant.tokenOf("gw-01") });
  await again.say("v1/gateway/telemetry", { "pump-1": [{ ts: 2, values: { number: 2 } }] });
  await eventually(() => arrivedOf(plant.cloud)).toHaveLength(2);
});

test("other names for devices need another connection to the cloud, and get it", async () => {
  const plant = await openPlant({ mapping: "plant.yaml" });
  const write = (id: string) =>
    writeFileSync(join(plant.folder, "plant.yaml"), `mapping: p\nnames: [{ local: Device A, upstream: ${id} }]\n`);
  write("boiler-1");
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", { "Device A": [{ ts: 1, values: { n: 1 } }] });
  await plant.cloud.next("telemetry", ({ device }) => device === "boiler-1");
  write("boiler-2");
  await bridge.reload(await plant.load());
  await gateway.say("v1/gateway/telemetry", { "Device A": [{ ts: 2, values: { n: 2 } }] });
  await plant.cloud.next("telemetry", ({ device }) => device === "boiler-2");
  expect(plant.cloud.sendCommand("boiler-1", "go")).toMatchObject({ delivered: false });
  expect(gateway.client.connected).toBe(true);
});

test("a configuration that waits for its gateway still waits after a reload, and is acknowledged when it is taken", async () => {
  const { plant, bridge } = await mappedPlant();
  const { cloud } = plant;
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", { "pump-1": [{ ts: 1, values: { number: 1 } }] });
  await cloud.next("telemetry");
  await gateway.end();
  const version = cloud.setConfig("pump-1", '{"before":1,"after":2}');
  await cloud.next("sent", (record) => record.version === version);
  writeMapping(plant, "after");
  await bridge.reload(await plant.load());
  expect(cloud.records.filter((record) => record.kind === "acknowledged" && record.version === version)).toEqual([]);

  const again = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  expect((await again.next("v1/gateway/attributes")).text).toBe('{"device":"pump-1","data":{"before":1,"number":2}}');
  await cloud.next("acknowledged", (record) => record.version === version);
  await eventually(() => bridge.ledger().down).toMatchObject({ pending: 0 });
});
