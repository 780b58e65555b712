import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

const minute = 60_000;

test.each([
  ["ahead", -20],
  ["behind", 100],
])("a clock that is %s is named in log and status, and telemetry flows all the same", async (which, minutes) => {
  const plant = await openPlant({ cloud: { now: () => Date.now() + minutes * minute } });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", { "pump-2": [{ n: 1 }] });
  const found = expect.stringContaining(`this machine's clock is ${which}, by more than`);
  expect(await bridge.log.next(({ msg }) => msg === "clock-wrong")).toMatchObject({ level: "error", detail: found });
  await eventually(() => bridge.ledger()).toMatchObject({ received: 1, delivered: 1 });
  expect(bridge.status().gateways[0]).toMatchObject({ ready: true, upstream: { clock: found } });
});

test("within what the cloud tolerates a wrong clock makes no difference", async () => {
  const plant = await openPlant({ cloud: { now: () => Date.now() - 7 * minute } });
  const bridge = await plant.open();
  await eventually(() => bridge.status().gateways[0]?.ready).toBe(true);
  expect(bridge.status().gateways[0]?.upstream).toMatchObject({ closes: {} });
  expect(bridge.status().gateways[0]?.upstream).not.toHaveProperty("clock");
});
