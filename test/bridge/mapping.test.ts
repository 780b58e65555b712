import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

const mapping = `
mapping: plant
names:
  - { local: Device A, upstream: boiler-1 }
  - { local: "press/{line}/{unit:digits}", upstream: "press-{line}-{unit}" }
rules:
  presses:
    when: { device: "press/*", profile: hydraulic }
    keys: { p: { to: pressure, factor: 0.01 } }
  heat:
    keys: { t: { to: temperature, factor: 0.1 }, alarm: { folder: alarms } }
  noise:
    drop: [debug]
    lossy: stays in the plant
  lab:
    when: { device: lab-* }
    drop: all
    lossy: the lab is not in the cloud
`;

test("a bridge with a mapping of its own: names, keys, folders and drops, in both directions and over a restart", async () => {
  const plant = await openPlant({ mapping: "mappings/plant.yaml" });
  mkdirSync(join(plant.folder, "mappings"));
  writeFileSync(join(plant.folder, "mappings", "plant.yaml"), mapping);
  const { cloud } = plant;
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });

  await gateway.say("v1/gateway/connect", { device: "Device A" });
  expect(await cloud.next("attach")).toMatchObject({ topic: "/devices/boiler-1/attach" });
  await gateway.say(
    "v1/gateway/telemetry",
    '{"Device A":[{"ts":1,"values":{"t":9007199254740993,"alarm":true,"debug":1}}]}',
  );
  const first = await cloud.next("telemetry");
  const second = await cloud.next("telemetry", ({ folder }) => folder === "alarms");
  expect([first.topic, first.payload.toString()]).toEqual([
    "/devices/boiler-1/events",
    '[{"ts":1,"values":{"temperature":900719925474099.3}}]',
  ]);
  expect([second.topic, second.payload.toString()]).toEqual([
    "/devices/boiler-1/events/alarms",
    '[{"ts":1,"values":{"alarm":true}}]',
  ]);

  await gateway.say("v1/gateway/attributes", { "Device A": { t: 215 } });
  expect((await cloud.next("state")).payload.toString()).toBe('{"temperature":21.5}');
  const version = cloud.setConfig("boiler-1", '{"temperature":30,"debug":2,"interval":1.50}');
  expect((await gateway.next("v1/gateway/attributes")).text).toBe(
    '{"device":"Device A","data":{"t":300,"interval":1.50}}',
  );
  await cloud.next("acknowledged", (record) => record.device === "boiler-1" && record.version === version);
  for (const [key, scope, value] of [
    ["t", "shared", "300"],
    ["t", "client", "215"],
  ]) {
    const asked = { id: 7, device: "Device A", client: scope === "client", key };
    const before = gateway.heard.all.at(-1);
    await gateway.say("v1/gateway/attributes/request", asked);
    expect((await gateway.next("v1/gateway/attributes/response", before)).text).toBe(
      `{"id":7,"device":"Device A","value":${value}}`,
    );
  }

  expect(cloud.sendCommand("boiler-1", '{"method":"go","params":{"t":1}}')).toEqual({ delivered: true });
  const command = JSON.parse((await gateway.next("v1/gateway/rpc")).text) as { device: string; data: object };
  expect(command).toMatchObject({ device: "Device A", data: { method: "go", params: { t: 1 } } });

  await gateway.say("v1/gateway/connect", { device: "lab-1" });
  await gateway.say("v1/gateway/telemetry", { "lab-1": [{ ts: 1, values: { t: 1 } }] });
  await gateway.say("v1/gateway/telemetry", { "lab-1": [{ values: {} }], "Device A": [{ ts: 2, values: { t: 2 } }] });
  await gateway.say("v1/gateway/attributes", { "Device A": { debug: 1 } });
  await gateway.say("v1/gateway/attributes", { "Device A": { temperature: 1 } });
  await eventually(() => bridge.ledger()).toMatchObject({
    ...{ received: 11, delivered: 6, pending: 0, held: 0, quarantined: 1 },
    dropped: { lab: 3, noise: 1 },
  });

  await gateway.say("v1/gateway/connect", { device: "press/A/7", type: "hydraulic" });
  await cloud.next("attach", ({ device }) => device === "press-A-7");
  await bridge.close();
  const again = await plant.open();
  const after = await connectGateway(again.url, { token: plant.tokenOf("gw-01") });
  await after.say("v1/gateway/telemetry", '{"press/A/7":[{"ts":3,"values":{"p":12345}}]}');
  const pressed = await cloud.next("telemetry", ({ device }) => device === "press-A-7");
  expect(pressed.payload.toString()).toBe('[{"ts":3,"values":{"pressure":123.45}}]');
  expect(cloud.records.filter(({ kind }) => kind === "warning" || kind === "error")).toEqual([]);
});
