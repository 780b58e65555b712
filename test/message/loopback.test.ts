import { expect, test } from "vitest";
import { isLoopback } from "../../src/message/loopback.ts";

test.each(["127.0.0.1", "127.1.2.3", "::1", "::0001", "0::1", "0:0:0:0:0:0:0:1", "localhost", "LocalHost"])(
  'isLoopback() takes "%s" for this machine',
  (host) => {
    expect(isLoopback(host)).toBe(true);
  },
);

test.each([
  ...["0.0.0.0", "128.0.0.1", "126.255.255.255", "127.1", "127.0.0.1.example.com", "127.0.0.1:80"],
  ...["::", "::2", "::11", "::10", "1::", "1::1", "::1:1", "0:0:1", "::1%eth0", "[::1]", "fe80::1"],
  ...["", "my.localhost", "localhost.example.com", "localhost."],
])('isLoopback() does not take "%s" for this machine', (host) => {
  expect(isLoopback(host)).toBe(false);
});
