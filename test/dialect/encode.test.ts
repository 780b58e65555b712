import { describe, expect, test } from "vitest";
import type { JsonText } from "../../src/message/json.ts";
import type { Message } from "../../src/message/message.ts";
import { boundNamed } from "./mappings.ts";

const thingsboard = boundNamed("thingsboard");
const google = boundNamed("google");
const bytes = new Uint8Array([1, 2]);

/** Messages as literals, device names and JSON texts as plain strings. */
type Plain = { readonly kind: Message["kind"]; readonly [field: string]: unknown };

function encode(dialect: typeof google, message: Plain) {
  return dialect.encode(message as unknown as Message);
}

function reasonFor(dialect: typeof google, message: Plain): string {
  const encoded = encode(dialect, message);
  return encoded.kind === "unrepresentable"
    ? encoded.reason
    : `printed ${Buffer.from(encoded.packet.payload).toString()}`;
}

describe("encode() refuses what would read back as something else", () => {
  test.each([
    [
      "a key named deleted",
      { kind: "config", device: "A", values: '{"deleted":["a"]}' },
      "it would be read as something else",
    ],
    [
      "an escaped one",
      { kind: "config", device: "A", values: '{"x":1,"\\u0064eleted":true}' },
      "it would be read as something else",
    ],
    [
      "a key named deleted of the gateway",
      { kind: "config", values: '{"deleted":1}' },
      "it would be read as something else",
    ],
    [
      "values without values beside deletions",
      { kind: "config", device: "A", values: "{}", deleted: ["a"] },
      "thingsboard has no form for config with device, values, deleted",
    ],
    [
      "flat keys ts and values",
      { kind: "telemetry", device: "A", points: [{ values: '{"values":{},"ts":1}' }] },
      "it would be read as something else",
    ],
    [
      "a flat key metadata",
      { kind: "telemetry", device: "A", points: [{ values: '{"metadata":1}' }] },
      'a key named "metadata" in values would be read as something else',
    ],
    [
      "a command that means removal",
      { kind: "command", id: 1, method: "gateway_device_deleted", params: '"A"' },
      "it would be read as a message of another kind",
    ],
    [
      "names with commas",
      { kind: "attributesRequest", id: 1, sharedKeys: ["a,b"] },
      "sharedKeys cannot be written as names separated by commas, in one string",
    ],
  ])("%s", (_, message, reason) => {
    expect(reasonFor(thingsboard, message as Plain)).toBe(reason);
  });

  test("but not what only looks alike", () => {
    expect(encode(thingsboard, { kind: "config", device: "A", values: '{"x":"deleted"}' }).kind).toBe("packet");
    expect(encode(thingsboard, { kind: "config", device: "A", values: '{"x":{"deleted":1}}' }).kind).toBe("packet");
    expect(encode(thingsboard, { kind: "telemetry", device: "A", points: [{ values: '{"ts":1}' }] }).kind).toBe(
      "packet",
    );
    expect(encode(thingsboard, { kind: "command", id: 1, method: "gateway_device_deleted" }).kind).toBe("packet");
    expect(
      encode(thingsboard, { kind: "command", device: "A", id: 1, method: "gateway_device_deleted", params: "1" }).kind,
    ).toBe("packet");
  });

  test.each(["a/b", "a+b", "a#", "a\u0000", "\ud800", ""])("the device %j in a topic", (device) => {
    expect(reasonFor(google, { kind: "state", device, body: bytes })).toMatch(/cannot stand in a topic$/);
  });

  test("a device with the gateway's own id", () => {
    expect(reasonFor(google, { kind: "state", device: "gw-01", body: bytes })).toBe(
      `the device "gw-01" has the gateway's own id`,
    );
    expect(reasonFor(google, { kind: "error", device: "gw-01", code: "UNKNOWN", description: "" })).toBe(
      "device cannot be written as a device id",
    );
  });

  test("an empty device in a payload", () => {
    expect(reasonFor(thingsboard, { kind: "attach", device: "" })).toBe("the name of the device is empty");
    expect(reasonFor(thingsboard, { kind: "state", device: "", values: "{}" })).toBe("the name of the device is empty");
  });

  test.each(["", "/a", "a/", "a/+", "#", "a\u0000"])("the folder %j", (folder) => {
    expect(reasonFor(google, { kind: "telemetry", device: "sensor-7", folder, body: bytes })).toBe(
      `the folder "${folder}" cannot stand in a topic`,
    );
  });

  test("a topic that is too long", () => {
    expect(reasonFor(google, { kind: "state", device: "é".repeat(33_000), body: bytes })).toBe(
      "the topic would be longer than 65535 bytes",
    );
  });

  test("numbers that are not what they should be", () => {
    expect(reasonFor(thingsboard, { kind: "call", id: 1.5, method: "m" })).toBe("id is 1.5, which is no integer");
    expect(
      reasonFor(thingsboard, { kind: "telemetry", device: "A", points: [{ ts: 1.5, values: "{}" as JsonText }] }),
    ).toBe("ts cannot be written as Unix milliseconds, as a number or a string of digits");
  });
});

describe("encode() says what is missing", () => {
  test.each([
    [
      thingsboard,
      { kind: "telemetry", device: "A", body: bytes },
      "thingsboard has no form for telemetry with device, body",
    ],
    [thingsboard, { kind: "error", code: "X", description: "" }, "thingsboard has no message of kind error"],
    [thingsboard, { kind: "removed", device: "A" }, "thingsboard has no form for removed with device"],
    [
      thingsboard,
      { kind: "attributesRequest", device: "A", id: 1, scope: "client" },
      "it has no form for id, device, scope, key, keys together, or lacks one of them",
    ],
    [google, { kind: "telemetry", device: "A", points: [] }, "google has no form for telemetry with device, points"],
    [google, { kind: "config" }, "google has no form for config with nothing"],
    [
      google,
      { kind: "command", device: "A", id: 1, method: "m" },
      "google has no form for command with device, id, method",
    ],
  ])("%#", (dialect, message, reason) => {
    expect(reasonFor(dialect, message as Plain)).toBe(reason);
  });
});

describe("encode() prints", () => {
  test("the rule's quality of service, and whether it needs a subscription", () => {
    const printed = (dialect: typeof google, message: Plain) => {
      const encoded = encode(dialect, message);
      return encoded.kind === "packet"
        ? { qos: encoded.packet.qos, needs: encoded.needsSubscription, rule: encoded.rule.name }
        : encoded;
    };
    expect(printed(google, { kind: "error", code: "UNKNOWN", description: "?" })).toEqual({
      qos: 0,
      needs: true,
      rule: "error",
    });
    expect(printed(google, { kind: "config", device: "sensor-7", body: bytes })).toEqual({
      qos: 1,
      needs: true,
      rule: "config",
    });
    expect(printed(thingsboard, { kind: "config", device: "A", values: "{}" })).toEqual({
      qos: 1,
      needs: false,
      rule: "config",
    });
    expect(printed(thingsboard, { kind: "config", values: "{}" })).toEqual({ qos: 1, needs: true, rule: "ownConfig" });
    expect(printed(thingsboard, { kind: "callResult", id: 1, data: "1" })).toEqual({
      qos: 1,
      needs: false,
      rule: "callResult",
    });
  });

  test("an absent device as the gateway's id", () => {
    expect(encode(google, { kind: "state", body: bytes })).toMatchObject({
      packet: { topic: "/devices/gw-01/state", payload: bytes },
    });
    expect(encode(boundNamed("omnicore"), { kind: "attach", device: "sensor-7" })).toMatchObject({
      packet: { topic: "/plant-1/sensor-7/attach", payload: Buffer.from("{}") },
    });
  });

  test("many devices without keeping them all", () => {
    for (let index = 0; index < 10_000; index++) {
      expect(encode(google, { kind: "state", device: `d-${index}`, body: bytes })).toMatchObject({
        packet: { topic: `/devices/d-${index}/state` },
      });
    }
  });
});
