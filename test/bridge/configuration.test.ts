import { describe, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { connectGateway, type GatewayClient } from "./gateway-client.ts";
import { type ConfigSections, eventually, openPlant } from "./harness.ts";
import { openRawGateway } from "./raw-gateway.ts";

const topic = "v1/gateway/attributes";

async function open(sections: ConfigSections = {}) {
  const plant = await openPlant(sections);
  const bridge = await plant.open();
  const connect = (filterQos: 0 | 1 = 1) => {
    return connectGateway(bridge.url, { token: plant.tokenOf("gw-01"), filterQos });
  };
  return { plant, cloud: plant.cloud, bridge, connect };
}

/** The device is attached and has taken the first, empty configuration. */
async function attach(gateway: GatewayClient, cloud: Cloud, device = "pump-2"): Promise<void> {
  await gateway.say("v1/gateway/connect", { device });
  await taken(cloud, 1, device);
}

function taken(cloud: Cloud, version: number, device = "pump-2") {
  return cloud.next("acknowledged", (record) => record.device === device && record.version === version);
}

function acknowledgements(cloud: Cloud, device = "pump-2"): readonly (number | undefined)[] {
  return cloud.records.flatMap((record) =>
    record.kind === "acknowledged" && record.device === device ? [record.version] : [],
  );
}

describe("a configuration", () => {
  test("reaches the gateway as what changed and what is gone, in that order", async () => {
    const { cloud, connect } = await open();
    const gateway = await connect();
    await attach(gateway, cloud);
    for (const [document, ...expected] of [
      ['{"interval":30,"mode":"eco","limits":{"low":1}}', '"data":{"interval":30,"mode":"eco","limits":{"low":1}}'],
      ['{"interval":60,"mode":"eco","limits":{"low":1}}', '"data":{"interval":60}'],
      [
        '{"limits":{"low":2},"new":null,"interval":60}',
        '"data":{"limits":{"low":2},"new":null}',
        '"data":{"deleted":["mode"]}',
      ],
      ["", '"data":{"deleted":["limits","new","interval"]}'],
      ['"plain"', '"data":{"value":"plain"}'],
    ] as const) {
      const before = gateway.heard.all.length;
      await taken(cloud, cloud.setConfig("pump-2", document));
      const texts = gateway.heard.all.slice(before).map(({ text }) => text);
      expect(texts).toEqual(expected.map((data) => `{"device":"pump-2",${data}}`));
    }
  });

  test("that is the same, or only in another order, tells the gateway nothing and is acknowledged", async () => {
    const { cloud, connect } = await open();
    const gateway = await connect();
    await attach(gateway, cloud);
    await taken(cloud, cloud.setConfig("pump-2", '{"a":1,"b":2}'));
    await taken(cloud, cloud.setConfig("pump-2", '{"a":1,"b":2}'));
    await taken(cloud, cloud.setConfig("pump-2", '{ "b" : 2, "a" : 1 }'));
    expect(gateway.heard.all.map(({ text }) => text)).toEqual(['{"device":"pump-2","data":{"a":1,"b":2}}']);
  });

  test("that is not text, or not JSON, goes as raw or as a value", async () => {
    const { cloud, connect } = await open();
    const gateway = await connect();
    await attach(gateway, cloud);
    await taken(cloud, cloud.setConfig("pump-2", Buffer.from([0xff, 0x00])));
    expect((await gateway.next(topic)).text).toBe('{"device":"pump-2","data":{"raw":"/wA="}}');
  });

  test("is untouched in one attribute, where config.document names one", async () => {
    const { cloud, connect } = await open({ rules: { config: { document: "cfg" } } });
    const gateway = await connect();
    await gateway.say("v1/gateway/connect", { device: "pump-2" });
    await cloud.next("attach");
    cloud.setConfig("pump-2", '{ "a" : 1.0 }');
    const message = await gateway.heard.next(({ text }) => text.includes("1.0"));
    expect(JSON.parse(message.text)).toEqual({ device: "pump-2", data: { cfg: '{ "a" : 1.0 }' } });
  });
});

describe("the cloud's acknowledgement", () => {
  test("comes only when the gateway has acknowledged; other traffic does not wait for that", async () => {
    const { cloud, bridge, plant } = await open();
    const gateway = await openRawGateway(bridge.url, { acknowledges: false });
    gateway.send(
      {
        ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clean: true, keepalive: 0 },
        ...{ clientId: "slow", username: plant.tokenOf("gw-01") },
      },
      { cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1, nl: false, rap: false, rh: 0 }] },
    );
    await gateway.next("suback");
    gateway.publish("v1/gateway/connect", '{"device":"pump-2"}', { id: 2 });
    await taken(cloud, 1);
    const version = cloud.setConfig("pump-2", '{"a":1}');
    const sent = await gateway.next("publish", (packet) => packet.topic === topic);

    gateway.publish("v1/gateway/telemetry", '{"pump-2":[{"ts":1,"values":{"t":1}}]}', { id: 3 });
    await cloud.next("telemetry");
    cloud.sendCommand("pump-2", "x", "blink");
    const command = await gateway.next("publish", (packet) => packet.topic === "v1/gateway/rpc");
    gateway.acknowledge(command);
    await cloud.next("acknowledged", ({ what }) => what === "command");
    expect(acknowledgements(cloud)).toEqual([1, undefined]);

    gateway.acknowledge(sent);
    await taken(cloud, version);
  });

  test("waits while no gateway is there, and comes when it is back and has taken the newest", async () => {
    const { cloud, bridge, connect } = await open();
    const first = await connect();
    await attach(first, cloud);
    await first.end();
    await bridge.log.next(({ msg }) => msg === "gateway-disconnected");

    cloud.setConfig("pump-2", '{"a":1}');
    const newest = cloud.setConfig("pump-2", '{"a":2}');
    // The connection upstream lives on: another device's data passes with a later packet.
    await eventually(() => bridge.ledger().down).toMatchObject({ received: 4, pending: 1, dropped: { superseded: 1 } });
    expect(acknowledgements(cloud)).toEqual([1]);

    const second = await connect();
    expect((await second.next(topic)).text).toBe('{"device":"pump-2","data":{"a":2}}');
    await taken(cloud, newest);
    expect(second.heard.all).toHaveLength(1);
    await eventually(() => bridge.ledger().down).toMatchObject({ pending: 0 });
  });

  test("with a QoS 0 subscription comes when the configuration is written", async () => {
    const { cloud, connect } = await open();
    const gateway = await connect(0);
    await attach(gateway, cloud);
    await taken(cloud, cloud.setConfig("pump-2", '{"a":1}'));
    expect(await gateway.next(topic)).toMatchObject({ qos: 0, text: '{"device":"pump-2","data":{"a":1}}' });
  });

  test("of a document sent again after a reconnect costs the gateway nothing", async () => {
    const { cloud, connect } = await open();
    const gateway = await connect();
    await attach(gateway, cloud);
    const version = cloud.setConfig("pump-2", '{"a":1}');
    await taken(cloud, version);
    cloud.disconnect("gw-01");
    await cloud.next("acknowledged", (record) => record.version === version && record.connection > 1);
    expect(gateway.heard.all.map(({ text }) => text)).toEqual(['{"device":"pump-2","data":{"a":1}}']);
  });
});

describe("the gateway's own configuration", () => {
  test("is withheld, acknowledged and counted", async () => {
    const { cloud, bridge, plant } = await open();
    const gateway = await connectGateway(bridge.url, {
      ...{ token: plant.tokenOf("gw-01"), filters: ["v1/devices/me/attributes", topic] },
    });
    const version = cloud.setConfig("gw-01", '{"active_connectors":[]}');
    await taken(cloud, version, "gw-01");
    await attach(gateway, cloud);
    expect(gateway.heard.all).toEqual([]);
    expect(bridge.ledger().down.dropped["forbidden"]).toBeGreaterThanOrEqual(1);
  });

  test("is forwarded where config.gateway says so", async () => {
    const { cloud, bridge, plant } = await open({ rules: { config: { gateway: "forward" } } });
    const gateway = await connectGateway(bridge.url, {
      ...{ token: plant.tokenOf("gw-01"), filters: ["v1/devices/me/attributes"] },
    });
    const version = cloud.setConfig("gw-01", '{"RemoteLoggingLevel":"INFO"}');
    expect((await gateway.next("v1/devices/me/attributes")).text).toBe('{"RemoteLoggingLevel":"INFO"}');
    await taken(cloud, version, "gw-01");
  });
});
