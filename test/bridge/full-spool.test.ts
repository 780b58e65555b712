import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

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
