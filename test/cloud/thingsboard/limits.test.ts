import { expect, test } from "vitest";
import { allowanceOf } from "../../../src/cloud/thingsboard/allowance.ts";
import { publish } from "../plant.ts";
import { connectAs, lastWords, levels, openTenant, say } from "./tenant.ts";

test("allowanceOf() takes from all tanks of a limit or from none, and fills them evenly", () => {
  const allowance = allowanceOf({ messages: "2:1,3:10" });
  expect([1, 2, 3].map(() => allowance.spend(0, 0))).toEqual([true, true, false]);
  expect([1, 2].map(() => allowance.spend(0, 1000))).toEqual([true, false]);
  expect(allowance.spend(0, 4000)).toBe(true);
  const points = allowanceOf({ telemetryMessages: "2:1", telemetryDataPoints: "5:1" });
  expect([points.spend(5, 0), points.spend(1, 0), points.spend(0, 0)]).toEqual([true, false, true]);
  expect(() => allowanceOf({ messages: "20" })).toThrow(RangeError);
});

test.each(levels)("over the limit a publish closes the connection, acknowledged (level %i)", async (level) => {
  const cloud = await openTenant({ now: () => 0, rateLimits: { gateway: { telemetryDataPoints: "3:1" } } });
  const client = await connectAs(cloud, "gw-01", level);
  // Nulls are no points.
  expect(await say(client, "v1/gateway/telemetry", { A: [{ a: 1, b: 2, c: null }] })).toBe(0);
  client.send(publish("v1/gateway/attributes", '{"A":{"a":1,"b":2}}', 9));
  expect((await lastWords(client)).slice(1)).toEqual([["puback", level === 5 ? 0x97 : undefined]]);
  expect(await cloud.next("closed")).toMatchObject({ reason: "tooFast" });
});

test("over the limit a publish of QoS 0 is lost in MQTT 5 and closes before", async () => {
  const cloud = await openTenant({ now: () => 0, rateLimits: { gateway: { telemetryMessages: "1:1" } } });
  for (const level of [5, 4] as const) {
    const client = await connectAs(cloud, "gw-01", level);
    for (let n = 0; n < 2; n++) client.send(publish("v1/gateway/telemetry", '{"A":[{"t":1}]}', 0, 0));
    if (level === 4) await client.closed;
    else await client.settle();
    expect(client.isClosed()).toBe(level === 4);
  }
  expect(cloud.received().filter(({ kind }) => kind === "telemetry")).toHaveLength(1);
});

test.each(levels)(
  "an attach costs two messages; without the first it closes without PUBACK (level %i)",
  async (level) => {
    const cloud = await openTenant({ now: () => 0, rateLimits: { gateway: { messages: "3:1" } } });
    const client = await connectAs(cloud, "gw-01", level);
    await say(client, "v1/gateway/connect", { device: "A" });
    await say(client, "v1/gateway/connect", { device: "A" });
    await say(client, "v1/gateway/connect", { device: "B" });
    // The second message of B was refused: it takes uploads and hears nothing.
    cloud.setShared("B", '{"n":1}');
    cloud.setShared("A", '{"n":1}');
    expect(await say(client, "v1/gateway/telemetry", { B: [{ t: 1 }] })).toBe(0);
    expect((await client.next("publish")).payload.toString()).toContain('"device":"A"');
    client.send(publish("v1/gateway/connect", '{"device":"C"}', 9));
    expect((await lastWords(client)).slice(4)).toEqual(level === 5 ? [["disconnect", 0x8b]] : []);
    expect(cloud.deviceOf("C")).toBeUndefined();
  },
);

test("a device's own messages over the limit close without PUBACK, and the tenant's limit is everybody's", async () => {
  const cloud = await openTenant({
    now: () => 0,
    rateLimits: { device: { messages: "1:1" }, tenant: { messages: "4:1" } },
  });
  const client = await connectAs(cloud, "plain", 5);
  client.send(publish("v1/devices/me/rpc/response/1", "x", 1));
  expect(await lastWords(client)).toEqual([["disconnect", 0x83]]);
  const gateway = await connectAs(cloud, "gw-01", 5);
  gateway.send(publish("v1/gateway/connect", '{"device":"A"}', 1));
  gateway.send(publish("v1/gateway/connect", '{"device":"B"}', 2));
  await gateway.closed;
  expect(cloud.attached("gw-01")).toEqual([]);
});
