import { expect, test } from "vitest";
import { decodeHead, decodeRecord, encodeRecord, recordLength } from "../../src/spool/record-codec.ts";

const packet = { topic: "v1/gateway/telemetry", payload: Buffer.from("héllo"), qos: 1 } as const;
const arrival = { packet, arrivedMs: 1_700_000_000_000.5, dialect: "thingsboard" };
const head = { gateway: 7, count: 3, isReply: true, payloadLength: packet.payload.length };
const place = { from: 5, to: 5 + recordLength(arrival), offset: 12, index: 1 };

function encoded(): Buffer {
  const bytes = Buffer.alloc(place.to + 3, 0xee);
  encodeRecord({ bytes, ...place }, head, arrival);
  return bytes;
}

test("decodeRecord() reads what encodeRecord() wrote, which leaves the bytes around it alone", () => {
  const bytes = encoded();
  expect(decodeRecord(bytes, place)).toEqual({ ...arrival, gateway: 7, count: 3, isReply: true, isDamaged: false });
  expect(decodeHead(bytes, place)).toEqual(head);
  expect([...bytes.subarray(0, place.from), ...bytes.subarray(place.to)]).toEqual(Array(8).fill(0xee));
});

test("decodeRecord() sees that a record is not the one at this place", () => {
  expect(decodeRecord(encoded(), { ...place, offset: 13 }).isDamaged).toBe(true);
});

test.each([
  ["in a block", 5, []],
  ["by itself, save of the one that says that there is a checksum", 0, [3]],
])("decodeRecord() sees a change of any bit of a record %s", (_, from, blind) => {
  const bytes = encoded().subarray(place.from - from, place.to);
  const unseen: number[] = [];
  for (let bit = from * 8; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    if (!decodeRecord(changed, { ...place, from, to: bytes.length }).isDamaged) unseen.push(bit - from * 8);
  }
  expect(unseen).toEqual(blind);
});
