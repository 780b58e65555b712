import fc from "fast-check";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import { readControlPacket } from "../../src/mqtt/control-packet.ts";
import { PublishReader } from "../../src/mqtt/publish-reader.ts";

/** A PUBLISH as its first byte and its body. */
function publish(
  protocol: 3 | 4 | 5,
  fields: { topic: string; payload: Uint8Array; qos: 0 | 1 | 2; messageId: number },
) {
  const { topic, payload, qos, messageId } = fields;
  const packet = { topic, payload: Buffer.from(payload), qos, dup: false, retain: false };
  const bytes = generate({ cmd: "publish", ...packet, ...(qos > 0 && { messageId }) }, { protocolVersion: protocol });
  let start = 1;
  while ((bytes[start] ?? 0) >= 0x80) start++;
  return { header: bytes[0] ?? 0, body: bytes.subarray(start + 1) };
}

const topics = fc.constantFrom("v1/a", "v1/b", "v1/ü", "v1/gateway/telemetry", "v1/gateway/telemetrY");
const packets = fc.record({
  topic: topics,
  payload: fc.uint8Array({ maxLength: 300 }),
  qos: fc.constantFrom(0, 1, 2),
  messageId: fc.integer({ min: 1, max: 65_535 }),
});

for (const protocol of [3, 4, 5] as const) {
  test(`PublishReader reads what mqtt-packet prints, one topic after the other, level ${protocol}`, () => {
    fc.assert(
      fc.property(fc.array(packets), fc.nat(5), (sent, offset) => {
        const reader = new PublishReader(protocol);
        for (const fields of sent) {
          const { header, body } = publish(protocol, fields);
          // It stands somewhere in a larger chunk.
          const chunk = Buffer.concat([Buffer.alloc(offset), body, Buffer.alloc(3)]);
          const read = reader.read(header, chunk, offset, offset + body.length);
          const { topic, qos, messageId } = fields;
          expect(read).toMatchObject({ topic, qos });
          expect(reader).toMatchObject({ id: qos === 0 ? 0 : messageId, hasProperties: false, isRetained: false });
          expect(Buffer.from(read?.payload ?? []).equals(fields.payload)).toBe(true);
        }
      }),
    );
  });
}

test("PublishReader finds a PUBLISH malformed that ends before its topic, packet id or properties do", () => {
  const reader = new PublishReader(5);
  for (const body of [[], [0], [0, 2, 0x61], [0, 1, 0x61, 7], [0, 1, 0x61, 0, 7], [0, 1, 0x61, 0, 7, 3, 1, 1]]) {
    expect(reader.read(0x32, Buffer.from(body), 0, body.length)).toBeUndefined();
  }
  expect(reader.read(0x36, Buffer.from([0, 1, 0x61, 0, 7, 0]), 0, 6)).toBeUndefined();
});

test("readControlPacket() says what is wrong with a packet that is cut off or is none", () => {
  const connect = Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x63]);
  expect(readControlPacket(0x10, connect, 4)).toMatchObject({ cmd: "connect", clientId: "c" });
  for (let length = 0; length < connect.length; length++) {
    expect(readControlPacket(0x10, connect.subarray(0, length), 4)).toBeInstanceOf(Error);
  }
  expect(readControlPacket(0x00, Buffer.alloc(0), 4)).toBeInstanceOf(Error);
});
