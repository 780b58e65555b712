import { expect, test } from "vitest";
import { readAttachToken } from "../../src/cloud/attach.ts";

test.each([
  ["", undefined],
  ["{}", undefined],
  ['{"authorization" : ""}', undefined],
  ['{"authorization":"a.b.c"}', "a.b.c"],
  ["{ 'authorization' : a.b.c-_= }", "a.b.c-_="],
  ['{"authorization":5}', undefined],
  ["null", undefined],
  ["connected", undefined],
])("readAttachToken() reads %s", (payload, expected) => {
  expect(readAttachToken(Buffer.from(payload))).toBe(expected);
});
