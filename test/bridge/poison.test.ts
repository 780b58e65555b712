import { describe, expect, onTestFinished, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { openThingsBoard } from "../../src/cloud/thingsboard/thingsboard-cloud.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";
import { runConfig } from "./run-config.ts";

const devices = Array.from({ length: 10 }, (_, index) => `pump-${index}`);
const perDevice = 60;

async function openUnder(dialect: "clearblade" | "omnicore") {
  const plant = await openPlant({ dialect });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  return { plant, cloud: plant.cloud, bridge, gateway };
}

/** Numbers of a device that arrived, each once, in order of first arrival. */
function numbersOf(device: string, cloud: Cloud): readonly number[] {
  const records = cloud.received().filter((record) => record.kind === "telemetry" && record.device === device);
  return [
    ...new Set(records.flatMap(({ payload }) => (JSON.parse(String(payload)) as { ts: number }[]).map(({ ts }) => ts))),
  ];
}

describe("a message for which the cloud closes the connection", () => {
  test("is found among hundreds with a handful of reconnects, and quarantined as it came; the rest flows in order", async () => {
    const { cloud, bridge, gateway } = await openUnder("clearblade");
    cloud.faults.closeOn = ({ payload }) => payload.includes('"poison":true');
    const said: Promise<void>[] = [];
    for (let n = 1; n <= perDevice; n++) {
      for (const device of devices) {
        const isPoison = device === "pump-3" && n === 20;
        said.push(
          gateway.say("v1/gateway/telemetry", { [device]: [{ ts: n, values: isPoison ? { poison: true } : { n } }] }),
        );
      }
    }
    await Promise.all(said);
    await expect.poll(() => bridge.ledger(), { timeout: 60_000, interval: 20 }).toMatchObject({ pending: 0 });

    expect(bridge.ledger()).toMatchObject({ received: 600, delivered: 599, held: 0, quarantined: 1, dropped: {} });
    for (const device of devices) {
      const expected = Array.from({ length: perDevice }, (_, index) => index + 1);
      expect(numbersOf(device, cloud)).toEqual(device === "pump-3" ? expected.filter((n) => n !== 20) : expected);
    }
    expect(cloud.records.filter(({ kind }) => kind === "closed").length).toBeLessThanOrEqual(5);
    expect(bridge.log.all.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(["elimination-begins", "elimination-ends", "message-set-aside"]),
    );
    expect(bridge.status().gateways[0]).toMatchObject({ ready: true });
  });

  test("may be an attach: its device is held, and others go on", async () => {
    const { cloud, bridge, gateway } = await openUnder("omnicore");
    cloud.faults.closeOn = ({ topic }) => topic.endsWith("bad-1/attach");
    await gateway.say("v1/gateway/telemetry", { "bad-1": [{ n: 1 }] });
    await gateway.say("v1/gateway/telemetry", { "pump-2": [{ n: 1 }] });
    await expect.poll(() => bridge.ledger(), { timeout: 60_000, interval: 20 }).toMatchObject({ pending: 0 });
    expect(bridge.ledger()).toMatchObject({ received: 2, delivered: 1, held: 1 });
    expect(cloud.attached("gw-01")).toEqual(["pump-2"]);
  });
});

test("a cloud that closes a silent connection too blames no message: all are delivered once it is well", async () => {
  const { cloud, bridge, gateway } = await openUnder("clearblade");
  let isIll = true;
  cloud.faults.closeOn = () => isIll;
  await gateway.say("v1/gateway/telemetry", { "pump-2": [{ n: 1 }] });
  await bridge.log.next(({ msg }) => msg === "elimination-begins");
  const [connected] = cloud.records.filter(({ kind }) => kind === "connected").slice(-1);
  await cloud.next((record) => record.kind === "connected", connected);
  cloud.disconnect("gw-01");
  await bridge.log.next(({ msg, why }) => msg === "elimination-ends" && why === "probe-closed");
  isIll = false;
  await eventually(() => bridge.ledger()).toMatchObject({ received: 1, delivered: 1, quarantined: 0 });
});

test("two processes with one identity are named in log and status", async () => {
  const { cloud, bridge } = await openUnder("clearblade");
  let isNamed = false;
  const named = bridge.log.next(({ msg, level }) => msg === "identity-conflict" && level === "error");
  void named.then(() => {
    isNamed = true;
  });
  // The other process takes the connection whenever there is one; how far ours got by then is up to the machine.
  let connected = await cloud.next((record) => record.kind === "connected");
  while (!isNamed) {
    cloud.disconnect("gw-01");
    connected = await Promise.race([
      cloud.next((record) => record.kind === "connected", connected),
      named.then(() => connected),
    ]);
  }
  await eventually(() => bridge.status().gateways[0]?.upstream.closes["identity-conflict"]).toBe(1);
});

test("a message for which ThingsBoard closes is found in the publish that it was packed into", async () => {
  const token = "token-upstream";
  const tenant = await openThingsBoard({
    devices: [{ name: "gw-01", gateway: true, credentials: { kind: "token", token } }],
  });
  onTestFinished(() => tenant.close());
  const bridge = await runConfig({
    local: { dialect: "thingsboard" },
    upstream: { dialect: "thingsboard", url: tenant.urls[0] },
    gateways: [{ id: "gw-01", local: { token: "token-local" }, upstream: { token } }],
  });
  const gateway = await connectGateway(bridge.url, { token: "token-local" });
  tenant.faults.closeOn = ({ payload }) => payload.includes('"poison":true');
  const said: Promise<void>[] = [];
  for (let n = 1; n <= 100; n++) {
    const values = n === 42 ? { poison: true } : { n };
    said.push(gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts: n, values }] }));
  }
  await Promise.all(said);
  await expect.poll(() => bridge.ledger(), { timeout: 60_000, interval: 20 }).toMatchObject({ pending: 0 });
  expect(bridge.ledger()).toMatchObject({ received: 100, delivered: 99, quarantined: 1 });
  expect(tenant.records.filter(({ kind }) => kind === "closed").length).toBeLessThanOrEqual(6);
});
