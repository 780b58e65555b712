import { expect, test } from "vitest";
import { decodeHead, decodeRecord, encodeRecord } from "../../src/spool/record-codec.ts";

const head = { gateway: 7, count: 3, isReply: true, payloadLength: 5 };
const packet = { topic: "v1/gateway/telemetry", payload: Buffer.from("héllo"), qos: 1 } as const;
const arrival = { packet, arrivedMs: 1_700_000_000_000.5, dialect: "thingsboard" };

test("decodeRecord() reads what encodeRecord() wrote", () => {
  const bytes = encodeRecord({ ...head, payloadLength: packet.payload.length }, arrival);
  expect(decodeRecord(bytes)).toEqual({ ...arrival, gateway: 7, count: 3, isReply: true, isDamaged: false });
  expect(decodeHead(bytes)).toEqual({ ...head, payloadLength: packet.payload.length });
});

test("decodeRecord() sees a change of any bit, save of the one that says that there is a checksum", () => {
  const bytes = encodeRecord(head, arrival);
  const unseen: number[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    if (!decodeRecord(changed).isDamaged) unseen.push(bit);
  }
  expect(unseen).toEqual([3]);
});
