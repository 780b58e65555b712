import { expect, onTestFinished, test } from "vitest";
import { openFakeServer } from "../upstream/fake-server.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

/** A bridge to a cloud of which the test plays every packet, and one of its gateways. */
async function openToFake() {
  const server = await openFakeServer({ protocol: 4 });
  onTestFinished(() => server.close());
  const plant = await openPlant();
  plant.configure({ upstream: { url: server.url } });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const peer = await server.peer();
  await peer.accept();
  await gateway.say("v1/gateway/connect", { device: "pump-2" });
  const { messageId = 0 } = await peer.nextOf("publish");
  peer.send({ cmd: "puback", messageId });
  const send = (id: number, topic: string, payload: string | Buffer) =>
    peer.send({ cmd: "publish", topic, payload, qos: 1, messageId: id, dup: false, retain: false });
  return { bridge, gateway, peer, send };
}

test("a configuration of 12 MB is acknowledged, counted and named, and the next one arrives", async () => {
  const { bridge, gateway, peer, send } = await openToFake();
  send(1, "/devices/pump-2/config", Buffer.alloc(12_000_000, "x"));
  send(2, "/devices/pump-2/config", '{"rate":5}');
  expect((await gateway.next("v1/gateway/attributes")).text).toBe('{"device":"pump-2","data":{"rate":5}}');
  expect((await peer.nextOf("puback")).messageId).toBe(1);
  expect((await peer.nextOf("puback")).messageId).toBe(2);
  await eventually(() => bridge.ledger().down).toEqual({
    ...{ received: 2, delivered: 1, pending: 0 },
    dropped: { oversize: 1 },
  });
  expect(bridge.log.all.find(({ msg }) => msg === "upstream-packet-too-large")).toMatchObject({
    ...{ level: "error", topic: "/devices/pump-2/config", bytes: 12_000_026 },
  });
});

test("a flood of commands to a gateway that reads nothing is bounded, and what is dropped is counted", async () => {
  const { bridge, gateway, send } = await openToFake();
  await eventually(() => bridge.status().gateways[0]?.devices[0]?.state).toBe("attached");
  gateway.client.stream.pause();
  for (let n = 1; n <= 3000; n++) send(n, "/devices/pump-2/commands", `{"method":"on","params":${n}}`);
  await eventually(() => bridge.ledger().down).toMatchObject({ dropped: { full: 3000 - 1024 } });
  expect(bridge.log.all.filter(({ msg }) => msg === "downlink-flood")).toHaveLength(1);
  gateway.client.stream.resume();
  await eventually(() => bridge.ledger().down).toMatchObject({ received: 3000, delivered: 1024 });
});
