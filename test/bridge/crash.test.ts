import { expect, test } from "vitest";
import { type BridgeProcess, startBridge } from "./bridge-process.ts";
import { eventually, openPlant } from "./harness.ts";
import { audit, createLoad, type Load } from "./load.ts";
import type { RawGateway } from "./raw-gateway.ts";

const killAfter = 300;

/** Resolves when so many messages of the load have been acknowledged in all. */
async function acknowledged(load: Load, gateway: RawGateway, count: number): Promise<void> {
  await gateway.next("puback", () => load.acknowledged.size >= count);
}

async function expectAllDelivered(bridge: BridgeProcess): Promise<void> {
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0 });
  const { received, delivered, held, quarantined, dropped, gateways } = await bridge.ledger();
  expect({ delivered, held, quarantined, dropped }).toEqual({
    delivered: received,
    held: 0,
    quarantined: 0,
    dropped: {},
  });
  expect(gateways["gw-01"]).toMatchObject({ received, delivered });
}

test("kill -9 with the upstream down: what was acknowledged arrives, once, in order, and is in the ledger", async () => {
  const plant = await openPlant({ log: { level: "info" } });
  await plant.stopCloud();
  const load = createLoad();

  const killed = await startBridge(plant.configFile);
  const gateway = await load.send(killed.url, plant.tokenOf("gw-01"), 1000);
  await acknowledged(load, gateway, killAfter);
  await killed.end("SIGKILL");
  await gateway.closed;
  const cloud = await plant.startCloud();
  const bridge = await startBridge(plant.configFile);
  await expectAllDelivered(bridge);

  const { arrived, ...faults } = audit(load, [cloud]);
  expect(faults).toEqual({ lost: [], disordered: [] });
  // Nothing was upstream before the last start, so nothing may come twice.
  expect(cloud.received().filter(({ kind }) => kind === "telemetry")).toHaveLength(arrived);
  expect((await bridge.ledger()).received).toBe(arrived);
  expect(arrived).toBeGreaterThanOrEqual(load.acknowledged.size);
});

test("kill -9 under load with the upstream up: nothing acknowledged is lost, first arrivals are in order", async () => {
  const plant = await openPlant({ log: { level: "info" } });
  const { cloud } = plant;
  const load = createLoad();

  for (const round of [1, 2]) {
    const bridge = await startBridge(plant.configFile);
    const gateway = await load.send(bridge.url, plant.tokenOf("gw-01"), 1000);
    await acknowledged(load, gateway, round * killAfter);
    await bridge.end("SIGKILL");
    await gateway.closed;
  }
  const bridge = await startBridge(plant.configFile);
  const last = await load.send(bridge.url, plant.tokenOf("gw-01"), 50);
  await last.next("puback", ({ messageId }) => messageId === 50);
  await expectAllDelivered(bridge);

  const { arrived, ...faults } = audit(load, [cloud]);
  expect(faults).toEqual({ lost: [], disordered: [] });
  expect((await bridge.ledger()).received).toBe(arrived);
  // Repeats are bounded by what was unacknowledged at each crash.
  const telemetry = cloud.received().filter(({ kind }) => kind === "telemetry");
  expect(telemetry.length - arrived).toBeLessThanOrEqual(2 * 256);
});

test("kill -9 between a command and its reply: the reply finds its command after the restart", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const first = await startBridge(plant.configFile);
  const before = createLoad();
  const gateway = await before.send(first.url, plant.tokenOf("gw-01"), 1);
  await cloud.next("acknowledged", ({ what, device }) => what === "config" && device === "Pump%201");
  cloud.sendCommand("Pump%201", '{"method":"open","params":{"by":3},"id":"c-9"}');
  const command = await gateway.next("publish", ({ topic }) => topic === "v1/gateway/rpc");
  const { id } = (JSON.parse(command.payload.toString()) as { data: { id: number } }).data;
  // What is acknowledged now was written to disk behind the command.
  gateway.publish("v1/gateway/telemetry", '{"Pump 1":[{"ts":2,"values":{"t":1}}]}', { id: 3 });
  await gateway.next("puback", ({ messageId }) => messageId === 3);
  await first.end("SIGKILL");

  const second = await startBridge(plant.configFile);
  const again = await createLoad().send(second.url, plant.tokenOf("gw-01"), 0);
  again.publish("v1/gateway/rpc", `{"device":"Pump 1","id":${id},"data":"done"}`, { id: 1 });
  await again.next("puback");
  const reply = await cloud.next("telemetry", ({ folder }) => folder === "responses");
  expect(reply.payload.toString()).toBe('{"id":"c-9","method":"open","data":"done"}');
});

test("kill -9 keeps the documents: desired and reported are as they were, and what did not change is not sent again", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const token = plant.tokenOf("gw-01");
  const first = await startBridge(plant.configFile);
  const gateway = await createLoad().send(first.url, token, 0);
  gateway.send({
    ...{ cmd: "subscribe", messageId: 1 },
    subscriptions: [{ topic: "v1/gateway/attributes", qos: 1, nl: false, rap: false, rh: 0 }],
  });
  gateway.publish("v1/gateway/attributes", '{"Pump 1":{"serial":"S-1","fw":1}}', { id: 2 });
  await cloud.next("state");
  const version = cloud.setConfig("Pump%201", '{"a":1,"b":{"c":2}}');
  expect(await gateway.message("v1/gateway/attributes")).toBe('{"device":"Pump 1","data":{"a":1,"b":{"c":2}}}');
  await cloud.next("acknowledged", (record) => record.what === "config" && record.version === version);
  // What is acknowledged now was written to disk behind all of that.
  gateway.publish("v1/gateway/telemetry", '{"Pump 1":[{"ts":1,"values":{"t":1}}]}', { id: 3 });
  await gateway.next("puback", ({ messageId }) => messageId === 3);
  await first.end("SIGKILL");

  const second = await startBridge(plant.configFile);
  const again = await createLoad().send(second.url, token, 0);
  again.send({
    ...{ cmd: "subscribe", messageId: 1 },
    subscriptions: [{ topic: "v1/gateway/attributes", qos: 1, nl: false, rap: false, rh: 0 }],
  });
  // The cloud sends the same document once more, which is taken without a word to the gateway.
  const [redelivered] = await Promise.all([
    cloud.next("acknowledged", (record) => record.version === version && record.connection > 1),
    again.next("suback"),
  ]);
  expect(redelivered.device).toBe("Pump%201");
  cloud.setConfig("Pump%201", '{"a":1,"d":null}');
  expect(await again.message("v1/gateway/attributes")).toBe('{"device":"Pump 1","data":{"d":null}}');
  await again.next("publish", ({ payload }) => payload.toString() === '{"device":"Pump 1","data":{"deleted":["b"]}}');
  again.publish("v1/gateway/attributes", '{"Pump 1":{"fw":2}}', { id: 2 });
  const merged = await cloud.next("state", ({ connection }) => connection > 1);
  expect(merged.payload.toString()).toBe('{"serial":"S-1","fw":2}');
  // Nor was a state sent too soon after the last one before the crash.
  expect(cloud.records.filter(({ kind }) => kind === "error")).toEqual([]);
});
