import { expect, test } from "vitest";
import { shareOf } from "../../src/bridge/memory-share.ts";

const mebibyte = 1024 * 1024;

test("shareOf() gives one gateway what it can use, many no more together than a few, and each what it needs", () => {
  expect(shareOf(1)).toEqual({ messages: 4096, bytes: 16 * mebibyte });
  expect(shareOf(16)).toEqual({ messages: 1024, bytes: 4 * mebibyte });
  expect(shareOf(1000)).toEqual({ messages: 512, bytes: 2 * mebibyte });
});
