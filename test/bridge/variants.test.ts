import { describe, expect, test } from "vitest";
import { cloudDialects } from "../../src/cloud/variant.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

describe.each(cloudDialects)("a ThingsBoard gateway in front of %s", (dialect) => {
  const base = dialect === "omnicore" ? "/plant-1/Device%20A" : "/devices/Device%20A";

  test("attach, telemetry, state, configuration, command and reply pass, each in the other side's words", async () => {
    const plant = await openPlant({ dialect });
    const { cloud } = plant;
    const bridge = await plant.open();
    const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });

    await gateway.say("v1/gateway/connect", { device: "Device A", type: "thermostat" });
    expect(await cloud.next("attach")).toMatchObject({ gateway: "gw-01", topic: `${base}/attach`, qos: 1 });

    await gateway.say("v1/gateway/telemetry", '{"Device A":[{"ts":1483228800000,"values":{"temperature":42}}]}');
    const telemetry = await cloud.next("telemetry");
    expect(telemetry).toMatchObject({ topic: `${base}/events`, qos: 1, dup: false });
    expect(telemetry.payload.toString()).toBe('[{"ts":1483228800000,"values":{"temperature":42}}]');

    await gateway.say("v1/gateway/attributes", { "Device A": { serial: "S-1" } });
    const state = await cloud.next("state");
    expect([state.topic, state.payload.toString()]).toEqual([`${base}/state`, '{"serial":"S-1"}']);

    const version = cloud.setConfig("Device%20A", '{"interval":30}');
    expect((await gateway.next("v1/gateway/attributes")).text).toBe('{"device":"Device A","data":{"interval":30}}');
    await cloud.next("acknowledged", (record) => record.device === "Device%20A" && record.version === version);

    expect(cloud.sendCommand("Device%20A", '{"method":"setLed","params":{"on":true},"id":7}')).toEqual({
      delivered: true,
    });
    const command = JSON.parse((await gateway.next("v1/gateway/rpc")).text) as { data: { id: number } };
    expect(command).toEqual({
      device: "Device A",
      data: { id: command.data.id, method: "setLed", params: { on: true } },
    });
    await gateway.say("v1/gateway/rpc", { device: "Device A", id: command.data.id, data: { ok: 1 } }, 0);
    const reply = await cloud.next("telemetry", ({ folder }) => folder === "responses");
    expect([reply.topic, reply.payload.toString()]).toEqual([
      `${base}/events/responses`,
      '{"id":7,"method":"setLed","data":{"ok":1}}',
    ]);

    await gateway.say("v1/gateway/disconnect", { device: "Device A" });
    expect(await cloud.next("detach")).toMatchObject({ topic: `${base}/detach` });
    await eventually(() => bridge.ledger()).toMatchObject({
      ...{ received: 5, delivered: 5, pending: 0, held: 0, quarantined: 0, dropped: {} },
      // The empty first configurations count: the device's, and the gateway's own, which is not for it.
      down: { received: 4, delivered: 3, pending: 0, dropped: { forbidden: 1 } },
    });
    expect(cloud.records.filter(({ kind }) => kind === "warning" || kind === "error" || kind === "closed")).toEqual([]);
  });
});
