import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameReader } from "../../src/mqtt/frame-reader.ts";

type Found =
  | { readonly frame: number; readonly body: string }
  | { readonly oversized: number; readonly topic: string }
  | { readonly malformed: string };

function readAll(chunks: readonly Buffer[], maxBytes: number): Found[] {
  const found: Found[] = [];
  const reader = new FrameReader(maxBytes, {
    frame: (header, bytes, start, end) => found.push({ frame: header, body: bytes.toString("hex", start, end) }),
    oversized: (_header, bytes, start, length) => {
      const topic = bytes.toString("utf8", start + 2, start + 2 + bytes.readUInt16BE(start));
      found.push({ oversized: length, topic });
    },
    malformed: (reason) => found.push({ malformed: reason }),
  });
  for (const chunk of chunks) reader.push(chunk);
  return found;
}

function frame(header: number, body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([header, ...length, rest]), body]);
}

describe("FrameReader", () => {
  test("finds the same packets however the stream is cut, and skips those above the limit", () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.record({ topic: fc.string({ maxLength: 8 }), length: fc.integer({ min: 301, max: 70_000 }) }),
    );
    fc.assert(
      fc.property(
        fc.array(body, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
        (bodies, cuts) => {
          const expected: Found[] = [];
          const packets = bodies.map((item) => {
            if (item instanceof Uint8Array) {
              expected.push({ frame: 0x40, body: Buffer.from(item).toString("hex") });
              return frame(0x40, Buffer.from(item));
            }
            const bytes = Buffer.alloc(item.length, 0x61);
            const topicBytes = bytes.write(item.topic, 2);
            bytes.writeUInt16BE(topicBytes, 0);
            expected.push({ oversized: item.length, topic: bytes.toString("utf8", 2, 2 + topicBytes) });
            return frame(0x32, bytes);
          });
          const stream = Buffer.concat(packets);
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length] ?? 1;
            chunks.push(stream.subarray(at, at + size));
            at += size;
          }
          expect(readAll(chunks, 300)).toEqual(expected);
        },
      ),
    );
  });

  test.each([
    ["a length of five bytes", [0x30, 0x80, 0x80, 0x80, 0x80, 1]],
    ["an oversized packet that is no PUBLISH", [0x90, 0xff, 0x7f]],
    ["an oversized PUBLISH with a topic beyond its end", [0x30, 0x90, 0x4e, 0xff, 0xff]],
  ])("%s is malformed, and nothing is read behind it", (_name, bytes) => {
    const found = readAll([Buffer.from(bytes), Buffer.from([0x40, 2, 0, 1])], 300);
    expect(found).toEqual([{ malformed: expect.any(String) }]);
  });

  test("stop() within a packet's handler holds for the rest of the chunk", () => {
    const seen: number[] = [];
    const reader = new FrameReader(100, {
      frame: (header) => {
        seen.push(header);
        reader.stop();
      },
      oversized: () => undefined,
      malformed: () => undefined,
    });
    reader.push(Buffer.from([0xd0, 0, 0xd0, 0]));
    reader.push(Buffer.from([0xd0, 0]));
    expect(seen).toEqual([0xd0]);
  });
});
