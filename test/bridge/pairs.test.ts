import { describe, expect, test } from "vitest";
import { dialectNames } from "../dialect/mappings.ts";
import { eventually } from "./harness.ts";
import { openPairCloud } from "./pair-cloud.ts";
import { pairLocal } from "./pair-gateway.ts";
import { runConfig } from "./run-config.ts";

const pairs = dialectNames.flatMap((local) => dialectNames.map((upstream) => [local, upstream] as const));

/** A cloud of one dialect, a bridge to it, and a gateway of the other in front. */
async function openPair(localDialect: string, upstreamDialect: string) {
  const cloud = await openPairCloud(upstreamDialect);
  const { local, gatewayLocal, connect } = pairLocal(localDialect);
  const bridge = await runConfig({
    ...{ local, upstream: cloud.upstream },
    gateways: [{ id: "gw-01", local: gatewayLocal, upstream: cloud.gatewayUpstream }],
  });
  return { cloud, bridge, gateway: await connect(bridge.url) };
}

describe.each(pairs)("a %s gateway in front of %s", (local, upstream) => {
  test("attach, telemetry, state, configuration, command and detach pass", async () => {
    const { cloud, bridge, gateway } = await openPair(local, upstream);
    await gateway.attach("sensor-7");
    await cloud.attached("sensor-7");

    await gateway.telemetry("sensor-7", { temperature: 42, nested: { list: [1, null, "x"] } });
    expect(await cloud.telemetry("temperature", "sensor-7")).toEqual({
      temperature: 42,
      nested: { list: [1, null, "x"] },
    });
    await gateway.telemetry(undefined, { load: 0.5 });
    expect(await cloud.telemetry("load")).toEqual({ load: 0.5 });

    await gateway.state("sensor-7", { serial: "S-1" });
    expect(await cloud.state("serial", "sensor-7")).toEqual({ serial: "S-1" });

    cloud.setConfig("sensor-7", { interval: 30 });
    expect(await gateway.config("sensor-7", "interval")).toMatchObject({ interval: 30 });

    const answered = cloud.command("sensor-7", "setLed", { on: true });
    expect(await gateway.obey("sensor-7", "setLed")).toEqual({ on: true });
    expect(await answered).toBe(true);

    await gateway.detach("sensor-7");
    await cloud.detached("sensor-7");
    await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, held: 0, quarantined: 0, dropped: {} });
    expect(cloud.complaints()).toEqual([]);
  });

  test("devices are attached again after the cloud's connection broke, and nothing is lost meanwhile", async () => {
    const { cloud, bridge, gateway } = await openPair(local, upstream);
    await gateway.attach("sensor-7");
    await cloud.attached("sensor-7");
    await gateway.telemetry("sensor-7", { first: 1 });
    await cloud.telemetry("first", "sensor-7");

    cloud.drop();
    await gateway.telemetry("sensor-7", { second: 2 });
    await cloud.attached("sensor-7", 2);
    expect(await cloud.telemetry("second", "sensor-7")).toEqual({ second: 2 });
    cloud.setConfig("sensor-7", { interval: 60 });
    expect(await gateway.config("sensor-7", "interval")).toMatchObject({ interval: 60 });
    await eventually(() => bridge.ledger()).toMatchObject({ received: 3, delivered: 3 });
    expect(cloud.complaints()).toEqual([]);
  });
});
