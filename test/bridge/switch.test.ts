import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

test("another cloud gets the backlog and starts anew with everything else; the first one is taken up where it was left", async () => {
  const plant = await openPlant();
  const other = await openPlant();
  const url = plant.cloud.urls[0];

  const first = await plant.open();
  const gateway = await connectGateway(first.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/connect", { device: "idle-1" });
  await gateway.say("v1/gateway/attributes", { "pump-2": { fw: 1 } });
  await eventually(() => first.ledger()).toMatchObject({ pending: 0 });
  await plant.stopCloud();
  await gateway.say("v1/gateway/attributes", { "pump-2": { serial: "x" } });
  await gateway.say("v1/gateway/telemetry", { "pump-2": [{ ts: 1, values: { n: 1 } }] });
  await first.close({ drainMs: 0 });

  plant.configure({ upstream: { url: other.cloud.urls[0] } });
  const second = await plant.open();
  await eventually(() => second.ledger()).toMatchObject({ received: 4, delivered: 4 });
  expect(other.cloud.attached("gw-01")).toEqual(["pump-2"]);
  expect(other.cloud.deviceOf("pump-2")?.states.map(String)).toEqual(['{"serial":"x"}']);
  expect(other.cloud.received().filter(({ kind }) => kind === "telemetry")).toHaveLength(1);
  await second.close({ drainMs: 0 });

  plant.configure({ upstream: { url } });
  const again = await plant.startCloud();
  const third = await plant.open();
  await eventually(() => again.attached("gw-01")).toEqual(expect.arrayContaining(["idle-1", "pump-2"]));
  const back = await connectGateway(third.url, { token: plant.tokenOf("gw-01") });
  await back.say("v1/gateway/attributes", { "pump-2": { fw: 2 } });
  await eventually(() => again.deviceOf("pump-2")?.states.map(String)).toEqual(['{"fw":2,"serial":"x"}']);
});
