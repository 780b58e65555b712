import fc from "fast-check";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import { publishBound, publishSize, writePublish } from "../../src/upstream/publish-encoder.ts";

const protocols = [3, 4, 5] as const;

test("writePublish() writes the bytes that mqtt-packet writes, publishSize() of them", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }),
      fc.uint8Array({ maxLength: 20_000, size: "max" }),
      fc.integer({ min: 1, max: 65_535 }),
      fc.constantFrom(...protocols),
      (topic, payload, id, protocol) => {
        const packet = { topic, payload, qos: 1 } as const;
        const target = Buffer.alloc(publishBound(packet) + 3, 0xee);
        const end = writePublish(target, 3, { packet, id, protocol });
        const expected = generate(
          { cmd: "publish", topic, payload: Buffer.from(payload), qos: 1, dup: false, retain: false, messageId: id },
          { protocolVersion: protocol },
        );
        expect(target.subarray(3, end).equals(expected)).toBe(true);
        expect(publishSize(packet, protocol)).toBe(expected.length);
      },
    ),
  );
});

test("publishSize() is undefined for what no MQTT packet can carry", () => {
  const payload = new Uint8Array();
  expect(publishSize({ topic: "a".repeat(65_535), payload, qos: 1 }, 4)).toBe(65_543);
  expect(publishSize({ topic: "a".repeat(65_536), payload, qos: 1 }, 4)).toBeUndefined();
  const huge = { topic: "a", qos: 1, payload: { length: 268_435_450 } as Uint8Array } as const;
  expect(publishSize(huge, 4)).toBe(268_435_460);
  expect(publishSize(huge, 5)).toBeUndefined();
});
