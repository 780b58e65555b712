import { describe, expect, test } from "vitest";
import { connectGateway } from "../bridge/gateway-client.ts";
import { eventually, openPlant } from "../bridge/harness.ts";
import { diagnose } from "./diagnose.ts";

describe("doctor beside a running bridge", () => {
  test("asks it, and leaves its connection alone", async () => {
    const plant = await openPlant({ bound: ["sensor-7"] });
    const bridge = await plant.open();
    await bridge.log.next((line) => line.msg === "upstream-open");
    const found = await diagnose(plant.configFile, "--url", bridge.admin as string);
    expect(found.step("bridge").found).toContain("it runs, version test");
    expect(found.step("gateway.connect")).toMatchObject({
      outcome: "ok",
      found: expect.stringContaining("is connected"),
    });
    expect(plant.cloud.records.filter(({ kind }) => kind === "closed")).toEqual([]);
  });

  test("does not connect where it cannot be asked, and says how it would", async () => {
    const plant = await openPlant({ admin: false });
    const bridge = await plant.open();
    await bridge.log.next((line) => line.msg === "upstream-open");
    const { verdict, exitCode, step } = await diagnose(plant.configFile);
    expect({ verdict, exitCode }).toEqual({ verdict: "doubtful", exitCode: 3 });
    expect(step("gateway.connect").found).toMatch(/admin server is turned off.*--take-over/);
    expect(plant.cloud.records.filter(({ kind }) => kind === "closed")).toEqual([]);
  });

  test("takes its connection over when told to; it comes back", async () => {
    const plant = await openPlant({ admin: false });
    const bridge = await plant.open();
    const first = await bridge.log.next((line) => line.msg === "upstream-open");
    const { step } = await diagnose(plant.configFile, "--take-over");
    expect(step("gateway.connect")).toMatchObject({ outcome: "ok", found: "accepted, MQTT 3.1.1" });
    expect(step("gateway.stay").outcome).toBe("skip");
    await bridge.log.next((line) => line.msg === "upstream-open", first);
  });

  test("tries what the bridge cannot, and says what the bridge has met", async () => {
    const plant = await openPlant({ upstream: { audience: "acme-old" } });
    const bridge = await plant.open();
    await bridge.log.next((line) => line.msg === "upstream-closed");
    const { first, step } = await diagnose(plant.configFile, "--url", bridge.admin as string);
    expect(first).toBe("gateway.connect: proven audience");
    expect(step("gateway.connect").details?.[0]).toContain("the running bridge says: connack-4");
  });

  test("has the state of a device from it", async () => {
    const plant = await openPlant({ bound: ["sensor-7"] });
    plant.cloud.addDevice({ id: "loose-9" });
    const bridge = await plant.open();
    const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
    await gateway.say("v1/gateway/connect", { device: "sensor-7" });
    await gateway.say("v1/gateway/connect", { device: "loose-9" });
    await gateway.say("v1/gateway/telemetry", { "loose-9": [{ t: 1 }], "sensor-7": [{ t: 1 }] });
    await eventually(() =>
      bridge
        .status()
        .gateways[0]?.devices.map(({ state }) => state)
        .sort(),
    ).toEqual(["attached", "held"]);
    const ask = (device: string) => diagnose(plant.configFile, "--url", bridge.admin as string, "--device", device);
    expect((await ask("sensor-7")).step("gateway.attach").outcome).toBe("ok");
    expect((await ask("loose-9")).first).toBe("gateway.attach: likely notBound");
  });
});
