import { expect, test } from "vitest";
import { publish, subscribe } from "../plant.ts";
import { connectAs, openTenant, say } from "./tenant.ts";

test("PUBACKs can be left out or kept back", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01");
  cloud.faults.acknowledge = false;
  client.send(publish("v1/gateway/connect", '{"device":"A"}', 1));
  await cloud.next("attach");
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "pingresp"]);
  cloud.faults.acknowledge = true;
  cloud.faults.acknowledgeDelayMs = 200;
  client.send(publish("v1/gateway/connect", '{"device":"B"}', 2));
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "pingresp", "pingresp"]);
  expect((await client.next("puback")).messageId).toBe(2);
});

test("publishes can be refused with a code, and are lost", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", 5);
  cloud.faults.refusePublishes = [0x97, 0x80];
  expect(await say(client, "v1/gateway/connect", { device: "A" })).toBe(0x97);
  expect(await say(client, "v1/gateway/connect", { device: "A" })).toBe(0x80);
  expect(cloud.attached("gw-01")).toEqual([]);
  expect(await say(client, "v1/gateway/connect", { device: "A" })).toBe(0);
});

test("a connection can be closed instead of taking a publish", async () => {
  const cloud = await openTenant();
  cloud.faults.closeAtPublish = 2;
  const first = await connectAs(cloud, "gw-01");
  await say(first, "v1/gateway/connect", { device: "A" });
  first.send(publish("v1/gateway/connect", '{"device":"B"}', 2));
  await first.closed;
  expect(cloud.deviceOf("B")).toBeUndefined();
  cloud.faults.closeAtPublish = undefined;
  cloud.faults.closeOn = ({ payload }) => payload.includes("poison");
  const second = await connectAs(cloud, "gw-01");
  await say(second, "v1/gateway/connect", { device: "B" });
  second.send(publish("v1/gateway/connect", '{"device":"poison"}', 2));
  await second.closed;
});

test("SUBSCRIBEs can be left unanswered, and a connection closed", async () => {
  const cloud = await openTenant();
  const client = await connectAs(cloud, "gw-01", 5);
  cloud.faults.swallowSubscribe = true;
  client.send(subscribe(1, ["v1/gateway/rpc", 1]));
  await client.settle();
  expect(client.heard.map(({ cmd }) => cmd)).toEqual(["connack", "pingresp"]);
  cloud.disconnect("gw-01");
  await client.closed;
  expect(client.heard.at(-1)).toMatchObject({ cmd: "disconnect", reasonCode: 0x98 });
});
