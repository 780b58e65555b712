import { expect, test } from "vitest";
import { readEvents } from "../../src/page/event-stream.ts";

test("readEvents() reads events however the stream is cut, comments and other fields aside", async () => {
  const text =
    'event: status\ndata: {"a":1}\n\n: still there\nid: 7\n\nevent:trace\r\ndata: é\r\ndata: second\r\n\r\ndata: cut off';
  const bytes = new TextEncoder().encode(text);
  const wanted = [
    { event: "status", data: '{"a":1}' },
    { event: "trace", data: "é\nsecond" },
  ];
  for (const size of [1, 2, 7, bytes.length])
    expect(await read(bytes, size), `${size} bytes at a time`).toEqual(wanted);
});

test("readEvents() lets go of the stream when the reader does", async () => {
  let isCancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
    cancel: () => {
      isCancelled = true;
    },
  });
  for await (const { data } of readEvents(endless)) {
    expect(data).toBe("1");
    break;
  }
  expect(isCancelled).toBe(true);
});

async function read(bytes: Uint8Array, size: number) {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size));
      controller.close();
    },
  });
  const events = [];
  for await (const event of readEvents(stream)) events.push(event);
  return events;
}
