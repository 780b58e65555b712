import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant, type Plant } from "./harness.ts";

/** Telemetry of one device with a number in it. */
const numbered = (device: string, n: number) => ({ [device]: [{ ts: n, values: { n } }] });

/** Numbers of a device that arrived, each once, in order of first arrival. */
function numbersOf(device: string, ...clouds: readonly Cloud[]): readonly number[] {
  const records = clouds
    .flatMap((cloud) => cloud.received())
    .filter((record) => record.kind === "telemetry" && record.device === device && record.folder === undefined);
  return [...new Set(records.flatMap(({ payload }) => numbersIn(payload)))];
}

function numbersIn(payload: Buffer): readonly number[] {
  return (JSON.parse(payload.toString()) as { ts: number }[]).map(({ ts }) => ts);
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** A way to the server that can be made to swallow everything, as a dead link does: no end, no error. */
async function openNetwork(url: string) {
  const { hostname, port } = new URL(url);
  let isSwallowing = false;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [socket, far],
      [far, socket],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => !isSwallowing && to.write(chunk));
      from.on("error", () => undefined);
      from.on("close", () => !isSwallowing && to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow() {
      isSwallowing = true;
    },
    restore() {
      isSwallowing = false;
      cut();
    },
  };
}

async function open(plant: Plant) {
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  return { bridge, gateway };
}

describe("an outage of the cloud", () => {
  test("closed and opened again on its port: the gateway notices nothing, and all arrives in order", async () => {
    const plant = await openPlant();
    const before = plant.cloud;
    const { bridge, gateway } = await open(plant);
    for (const n of upTo(10)) await gateway.say("v1/gateway/telemetry", numbered("pump-2", n));
    await before.next("telemetry");
    await plant.stopCloud();
    for (const n of upTo(10)) await gateway.say("v1/gateway/telemetry", numbered("pump-2", 10 + n));
    await gateway.say("v1/gateway/attributes", { "pump-2": { fw: 1 } });
    await gateway.say("v1/gateway/connect", { device: "fresh-1" });
    expect(bridge.status().gateways[0]).toMatchObject({ ready: false, local: { connected: true } });

    const after = await plant.startCloud();
    await eventually(() => bridge.ledger()).toMatchObject({ pending: 0 });
    expect(bridge.ledger()).toMatchObject({ received: 22, delivered: 22, held: 0, quarantined: 0, dropped: {} });
    expect(numbersOf("pump-2", before, after)).toEqual(upTo(20));
    expect(after.deviceOf("pump-2")?.states.map(String)).toEqual(['{"fw":1}']);
    expect(after.attached("gw-01")).toEqual(expect.arrayContaining(["pump-2", "fresh-1"]));
    expect(gateway.client.connected).toBe(true);
  });

  test("known devices are attached and subscribed again, without a word from the gateway", async () => {
    const plant = await openPlant();
    const { gateway } = await open(plant);
    await gateway.say("v1/gateway/connect", { device: "pump-2" });
    await plant.cloud.next("acknowledged", ({ device }) => device === "pump-2");
    await plant.stopCloud();
    const after = await plant.startCloud();
    await after.next("subscribed", ({ filter }) => filter === "/devices/pump-2/commands/#");
    expect(after.attached("gw-01")).toEqual(["pump-2"]);
    expect(after.sendCommand("pump-2", "go", "pump")).toEqual({ delivered: true });
    expect((await gateway.next("v1/gateway/rpc")).text).toContain('"method":"pump","params":"go"');
  });

  test("a state that was overtaken during the outage is published once, as it is now", async () => {
    const plant = await openPlant();
    await plant.stopCloud();
    const { bridge, gateway } = await open(plant);
    for (const n of upTo(5)) await gateway.say("v1/gateway/attributes", { "pump-2": { n, [`k${n}`]: true } });
    const cloud = await plant.startCloud();
    const state = await cloud.next("state");
    expect(state.payload.toString()).toBe('{"n":5,"k1":true,"k2":true,"k3":true,"k4":true,"k5":true}');
    await eventually(() => bridge.ledger()).toMatchObject({ received: 5, delivered: 5, pending: 0 });
    expect(cloud.received().filter(({ kind }) => kind === "state")).toHaveLength(1);
  });

  test("refused connections are tried again, and the reason stands in the status", async () => {
    const plant = await openPlant();
    plant.cloud.faults.refuseConnects = ["close", 3, 4];
    const { bridge, gateway } = await open(plant);
    await gateway.say("v1/gateway/telemetry", numbered("pump-2", 1));
    await plant.cloud.next("telemetry");
    const closes = bridge.status().gateways[0]?.upstream.closes;
    expect(Object.keys(closes ?? {}).sort()).toEqual(["closed", "connack-3", "connack-4"]);
    expect(bridge.status().gateways[0]).toMatchObject({ ready: true });
  });
});

describe("a network that swallows everything", () => {
  test("is found out by keepalive: not ready, reconnected when it works again, nothing lost", async () => {
    const plant = await openPlant();
    const { cloud } = plant;
    const network = await openNetwork(cloud.urls[0] ?? "");
    plant.configure({ upstream: { url: network.url } });
    const bridge = await plant.open({ keepalive: 1000 });
    const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
    await gateway.say("v1/gateway/telemetry", numbered("pump-2", 1));
    await cloud.next("telemetry");

    network.swallow();
    for (const n of [2, 3]) await gateway.say("v1/gateway/telemetry", numbered("pump-2", n));
    await bridge.log.next(({ msg, reason }) => msg === "upstream-closed" && reason === "keepalive");
    expect(bridge.status().gateways[0]).toMatchObject({ ready: false });
    network.restore();
    await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 3, pending: 0 });
    expect(numbersOf("pump-2", cloud)).toEqual(upTo(3));
    expect(bridge.status().gateways[0]).toMatchObject({ ready: true });
  });
});

describe("a cloud that closes connections", () => {
  test("after some publishes on each connection: everything arrives all the same, first arrivals in order", async () => {
    const plant = await openPlant();
    const { cloud } = plant;
    const devices = ["pump-1", "pump-2", "pump-3"];
    const { bridge, gateway } = await open(plant);
    for (const device of devices) await gateway.say("v1/gateway/connect", { device });
    await cloud.next("acknowledged", ({ device }) => device === "pump-3");
    // Three attaches and some data fit into each connection; five connections, then it is well again.
    cloud.faults.closeAtPublish = 12;
    for (const n of upTo(20)) {
      await Promise.all(devices.map((device) => gateway.say("v1/gateway/telemetry", numbered(device, n))));
    }
    await eventually(() => cloud.records.filter(({ kind }) => kind === "closed").length).toBeGreaterThan(2);
    cloud.faults.closeAtPublish = undefined;
    await eventually(() => bridge.ledger()).toMatchObject({ pending: 0 });
    expect(bridge.ledger()).toMatchObject({ received: 63, delivered: 63, held: 0, quarantined: 0, dropped: {} });
    for (const device of devices) expect(numbersOf(device, cloud)).toEqual(upTo(20));
  });

  test("without PUBACKs: what it had not acknowledged comes again on the next connection", async () => {
    const plant = await openPlant();
    const { cloud } = plant;
    const { bridge, gateway } = await open(plant);
    await gateway.say("v1/gateway/connect", { device: "pump-2" });
    await cloud.next("acknowledged", ({ device }) => device === "pump-2");
    cloud.faults.acknowledge = false;
    for (const n of upTo(5)) await gateway.say("v1/gateway/telemetry", numbered("pump-2", n));
    await cloud.next("telemetry", ({ payload }) => numbersIn(payload).includes(5));
    expect(bridge.ledger()).toMatchObject({ pending: 5 });
    cloud.faults.acknowledge = true;
    cloud.disconnect("gw-01");
    await eventually(() => bridge.ledger()).toMatchObject({ received: 6, delivered: 6, pending: 0 });
    const telemetry = cloud.received().filter(({ kind }) => kind === "telemetry");
    expect(telemetry.map(({ payload }) => numbersIn(payload)[0])).toEqual([...upTo(5), ...upTo(5)]);
    // They are new publishes, not repeats of the old connection's.
    expect(telemetry.every(({ dup }) => !dup)).toBe(true);
  });
});

describe("a device in trouble", () => {
  test("an attach that is not answered is sent again; another device does not wait for it", async () => {
    const plant = await openPlant({ upstream: { attachTimeout: "100ms" } });
    const { cloud } = plant;
    cloud.faults.swallowAttach.add("slow-1");
    const { bridge, gateway } = await open(plant);
    await gateway.say("v1/gateway/telemetry", numbered("slow-1", 1));
    await gateway.say("v1/gateway/telemetry", numbered("pump-2", 1));
    await cloud.next("telemetry", ({ device }) => device === "pump-2");
    expect(numbersOf("slow-1", cloud)).toEqual([]);
    await cloud.next("telemetry", ({ device }) => device === "slow-1");
    await eventually(() => bridge.ledger()).toMatchObject({ received: 2, delivered: 2, held: 0, pending: 0 });
  });

  test("an attach that is taken back after its PUBACK holds the device, and nothing of it went out", async () => {
    const plant = await openPlant({ upstream: { settle: "300ms" } });
    const { cloud } = plant;
    cloud.faults.revokeAttach.add("shady-1");
    const { bridge, gateway } = await open(plant);
    await gateway.say("v1/gateway/telemetry", numbered("shady-1", 1));
    await gateway.say("v1/gateway/telemetry", numbered("pump-2", 1));
    await cloud.next("error", ({ code }) => code === "GATEWAY_ATTACHMENT_ERROR");
    await cloud.next("telemetry", ({ device }) => device === "pump-2");
    await eventually(() => bridge.ledger()).toMatchObject({ received: 2, delivered: 1, held: 1, pending: 0 });
    expect(numbersOf("shady-1", cloud)).toEqual([]);
    expect(
      cloud.records.some(
        ({ kind, ...rest }) => kind === "subscribed" && `${(rest as { filter?: string }).filter}`.includes("shady-1"),
      ),
    ).toBe(false);
    expect(bridge.status().gateways[0]?.devices).toContainEqual(
      expect.objectContaining({
        name: "shady-1",
        state: "held",
        reason: expect.stringContaining("GATEWAY_ATTACHMENT_ERROR"),
      }),
    );
  });

  test("a device that the cloud has lost is attached again and its message repeated", async () => {
    const plant = await openPlant();
    const { cloud } = plant;
    const { bridge, gateway } = await open(plant);
    await gateway.say("v1/gateway/telemetry", numbered("pump-2", 1));
    await cloud.next("telemetry");
    cloud.faults.failPublish.set("pump-2", "GATEWAY_DEVICE_NOT_FOUND");
    for (const n of [2, 3, 4]) await gateway.say("v1/gateway/telemetry", numbered("pump-2", n));
    await eventually(() => bridge.ledger()).toMatchObject({ received: 4, delivered: 4, pending: 0 });
    expect(numbersOf("pump-2", cloud).toSorted()).toEqual(upTo(4));
    expect(cloud.received().filter(({ kind }) => kind === "attach")).toHaveLength(2);
  });

  test("a device that is not bound is held, others flow, and it is released when the gateway connects it anew", async () => {
    const plant = await openPlant({ bound: ["pump-2"], cloud: {} });
    const { cloud } = plant;
    cloud.addDevice({ id: "loose-9" });
    const { bridge, gateway } = await open(plant);
    for (const n of upTo(5)) {
      await gateway.say("v1/gateway/telemetry", numbered("loose-9", n));
      await gateway.say("v1/gateway/telemetry", numbered("pump-2", n));
    }
    await gateway.say("v1/gateway/attributes", { "loose-9": { fw: 7 } });
    await eventually(() => bridge.ledger()).toMatchObject({ received: 11, delivered: 5, held: 6, pending: 0 });
    expect(numbersOf("pump-2", cloud)).toEqual(upTo(5));
    expect(bridge.status().gateways[0]).toMatchObject({ ready: true });

    cloud.bind("gw-01", "loose-9");
    await gateway.say("v1/gateway/connect", { device: "loose-9" });
    await gateway.say("v1/gateway/telemetry", numbered("loose-9", 6));
    await eventually(() => bridge.ledger()).toMatchObject({ received: 13, delivered: 13, held: 0, pending: 0 });
    expect(numbersOf("loose-9", cloud)).toEqual(upTo(6));
    expect(cloud.deviceOf("loose-9")?.states.map(String)).toEqual(['{"fw":7}']);
  });

  test("a device that does not exist is held across a restart of the bridge, which tries it once more", async () => {
    const plant = await openPlant({ bound: ["pump-2"] });
    const { cloud } = plant;
    const { bridge, gateway } = await open(plant);
    await gateway.say("v1/gateway/telemetry", numbered("ghost-1", 1));
    await eventually(() => bridge.ledger()).toMatchObject({ received: 1, held: 1 });
    await bridge.close({ drainMs: 0 });

    cloud.addDevice({ id: "ghost-1" });
    cloud.bind("gw-01", "ghost-1");
    const second = await plant.open();
    await eventually(() => second.ledger()).toMatchObject({ received: 1, delivered: 1, held: 0 });
    expect(numbersOf("ghost-1", cloud)).toEqual([1]);
  });

  test("a device that is unbound while it runs is held, and the others go on", async () => {
    const plant = await openPlant({ bound: ["pump-1", "pump-2"] });
    const { cloud } = plant;
    const { bridge, gateway } = await open(plant);
    await gateway.say("v1/gateway/telemetry", numbered("pump-1", 1));
    await cloud.next("telemetry");
    cloud.unbind("gw-01", "pump-1");
    await cloud.next("error", ({ device }) => device === "pump-1");
    await gateway.say("v1/gateway/telemetry", numbered("pump-1", 2));
    await gateway.say("v1/gateway/telemetry", numbered("pump-2", 1));
    await cloud.next("telemetry", ({ device }) => device === "pump-2");
    expect(bridge.ledger()).toMatchObject({ received: 3 });
    expect(numbersOf("pump-1", cloud)).toEqual([1]);
  });
});
