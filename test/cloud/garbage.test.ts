import fc from "fast-check";
import * as mqtt from "mqtt-packet";
import { expect, test } from "vitest";
import { connectAs, connectPacket, openPlant, publish } from "./plant.ts";
import { openRawClient } from "./raw-client.ts";

const topic = fc.oneof(
  fc.string(),
  fc
    .array(
      fc.constantFrom(
        "",
        "devices",
        "gw-01",
        "sensor-7",
        "events",
        "state",
        "attach",
        "config",
        "commands",
        "errors",
        "+",
        "#",
        "a b",
        "\0",
      ),
    )
    .map((levels) => `/${levels.join("/")}`),
);
const id = fc.integer({ min: 0, max: 65_535 });
const payload = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));

const packet: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(topic, payload, id, fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>)
    .map(([name, body, messageId, qos]) => {
      // Topics that mqtt-packet would not write are written by hand.
      const head = Buffer.from(name);
      const rest = Buffer.concat([
        Buffer.of(head.length >> 8, head.length & 255),
        head,
        ...(qos > 0 ? [Buffer.of(messageId >> 8, messageId & 255)] : []),
        body,
      ]);
      return Buffer.concat([Buffer.of(0x30 | (qos << 1), (rest.length & 127) | 128, rest.length >> 7), rest]);
    }),
  fc
    .tuple(topic, id)
    .map(([name, messageId]) =>
      mqtt.generate({ cmd: "subscribe", messageId, subscriptions: [{ topic: name || "#", qos: 1 }] }),
    ),
  id.map((messageId) => mqtt.generate({ cmd: "puback", messageId })),
);

test.each([true, false])("no bytes bring the stand-in cloud down (strict: %s)", async (strict) => {
  const cloud = await openPlant({ strict, limits: false });
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(packet, { maxLength: 8 }), fc.boolean(), async (packets, greets) => {
        const client = await openRawClient(cloud.urls[0] ?? "");
        if (greets) client.send(connectPacket(cloud, "gw-01"));
        client.socket.end(Buffer.concat(packets));
        await client.closed;
      }),
      { numRuns: 150 },
    );
    const client = await connectAs(cloud, "gw-01");
    client.send(publish("/devices/gw-01/events", "still here", 1));
    expect(await client.next("puback")).toMatchObject({ messageId: 1 });
  } finally {
    await cloud.close();
  }
});
