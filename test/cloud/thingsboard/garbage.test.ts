import fc from "fast-check";
import * as mqtt from "mqtt-packet";
import { expect, test } from "vitest";
import { openRawClient } from "../raw-client.ts";
import { connectAs, connectPacket, levels, openTenant, say } from "./tenant.ts";

const topic = fc.oneof(
  fc.string(),
  fc
    .array(
      fc.constantFrom("v1", "v2", "gateway", "devices", "me", "rpc", "attributes", "request", "telemetry", "1", "+"),
    )
    .map((names) => names.join("/")),
  fc.constantFrom(
    ...["connect", "disconnect", "telemetry", "attributes", "attributes/request", "rpc", "claim"].map(
      (name) => `v1/gateway/${name}`,
    ),
  ),
);
const payload = fc.oneof(
  fc.string(),
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
  fc
    .dictionary(fc.constantFrom("A", "id", "device", "data", "key", "keys", "client", "ts", "values"), fc.jsonValue())
    .map((value) => JSON.stringify(value)),
);
const messageId = fc.integer({ min: 0, max: 65_535 });

/** Bytes, or packets for a connection of MQTT 3 or 5, of which a client library would not write all. */
const packet: fc.Arbitrary<(protocolVersion: 3 | 4 | 5) => Buffer> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => () => Buffer.from(bytes)),
  fc
    .record({
      topic,
      payload,
      messageId,
      qos: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
      retain: fc.boolean(),
    })
    .map((fields) => (protocolVersion: 3 | 4 | 5) => {
      const whole = {
        ...fields,
        cmd: "publish",
        dup: false,
        topic: fields.topic.replaceAll(/[+#]/g, "x") || "x",
      } as const;
      return mqtt.generate(whole, { protocolVersion });
    }),
  fc.record({ topic, messageId }).map((fields) => (protocolVersion: 3 | 4 | 5) => {
    const subscriptions = [{ topic: fields.topic || "#", qos: 1 }] as const;
    return mqtt.generate({ cmd: "subscribe", ...fields, subscriptions: [...subscriptions] }, { protocolVersion });
  }),
  messageId.map((id) => () => mqtt.generate({ cmd: "puback", messageId: id })),
);

test.each(levels)("no bytes bring the stand-in ThingsBoard down (level %i)", async (level) => {
  const cloud = await openTenant();
  await fc.assert(
    fc.asyncProperty(fc.array(packet, { maxLength: 8 }), fc.boolean(), async (packets, greets) => {
      const client = await openRawClient(cloud.urls[0] ?? "", level);
      if (greets) client.send(connectPacket(level, { username: "token-of-gw-01" }));
      client.socket.end(Buffer.concat(packets.map((write) => write(level))));
      await client.closed;
    }),
    { numRuns: 60 },
  );
  const client = await connectAs(cloud, "gw-01", level);
  expect(await say(client, "v1/gateway/connect", { device: "still here" })).toBe(0);
});
