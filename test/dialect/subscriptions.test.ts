import { describe, expect, test } from "vitest";
import type { DeviceId, MessageKind } from "../../src/message/message.ts";
import { boundNamed } from "./mappings.ts";

const thingsboard = boundNamed("thingsboard");
const google = boundNamed("google");
const omnicore = boundNamed("omnicore");
const device = "sensor-7" as DeviceId;

describe("subscribable() in the server role of ThingsBoard", () => {
  test.each<[string, MessageKind]>([
    ["v1/gateway/attributes", "config"],
    ["v1/gateway/attributes/response", "attributesResponse"],
    ["v1/gateway/rpc", "command"],
    ["v1/devices/me/attributes", "config"],
    ["v1/devices/me/attributes/response/+", "attributesResponse"],
    ["v1/devices/me/rpc/response/+", "callResult"],
  ])("grants %s", (filter, kind) => {
    expect(thingsboard.subscribable(filter)).toEqual({ qos: 1, kind });
  });

  test("grants v1/devices/me/rpc/request/+ for commands and for what the platform says of devices", () => {
    expect(thingsboard.subscribable("v1/devices/me/rpc/request/+")).toMatchObject({ qos: 1 });
  });

  test.each([
    "#",
    "+",
    "v1/gateway/#",
    "v1/gateway/+",
    "v1/gateway/disconnect",
    "v1/gateway/telemetry",
    "v1/devices/me/attributes/response/1",
    "v1/devices/me/rpc/request/#",
    "v1/devices/me/rpc/request/1",
    "v2/fw/response/+",
    "v1/gateway/attributes/",
    "",
  ])("refuses %j", (filter) => {
    expect(thingsboard.subscribable(filter)).toBeUndefined();
  });
});

describe("subscribable() in the server role of IoT Core", () => {
  test("names the device, and the gateway by leaving it out", () => {
    expect(google.subscribable("/devices/sensor-7/config")).toEqual({ qos: 1, kind: "config", device });
    expect(google.subscribable("/devices/gw-01/config")).toEqual({ qos: 1, kind: "config" });
    expect(google.subscribable("/devices/sensor-7/commands/#")).toEqual({ qos: 1, kind: "command", device });
    expect(google.subscribable("/devices/gw-01/errors")).toEqual({ qos: 0, kind: "error" });
    expect(omnicore.subscribable("/plant-1/gw-01/errors")).toEqual({ qos: 0, kind: "error" });
  });

  test("grants by way of leniency what real clients ask for", () => {
    expect(google.subscribable("/devices/sensor-7/commands")).toEqual({
      qos: 1,
      kind: "command",
      device,
      isLenient: true,
    });
    expect(omnicore.subscribable("/plant-1/sensor-7/errors")).toEqual({
      qos: 0,
      kind: "error",
      device,
      isLenient: true,
    });
  });

  test.each([
    "/devices/+/config",
    "/devices/sensor-7/#",
    "/devices/sensor-7/commands/+",
    "/devices/sensor-7/commands/a/#",
    "/devices//config",
    "/devices/#",
    "/devices/sensor-7/state",
  ])("refuses %s", (filter) => {
    expect(google.subscribable(filter)).toBeUndefined();
  });
});

describe("filtersFor() in the client role", () => {
  const filters = (dialect: typeof google, kind: MessageKind, of?: DeviceId) =>
    dialect.filtersFor(kind, of).map(({ filter, qos }) => `${filter} ${qos}`);

  test("of a device", () => {
    expect(filters(google, "config", device)).toEqual(["/devices/sensor-7/config 1"]);
    expect(filters(google, "command", device)).toEqual(["/devices/sensor-7/commands/# 1"]);
    expect(filters(omnicore, "command", device)).toEqual(["/plant-1/sensor-7/commands/# 1"]);
    expect(filters(thingsboard, "config", device)).toEqual(["v1/gateway/attributes 1"]);
    expect(filters(thingsboard, "command", device)).toEqual(["v1/gateway/rpc 1"]);
  });

  test("of the gateway itself", () => {
    expect(filters(google, "error")).toEqual(["/devices/gw-01/errors 0"]);
    expect(filters(google, "config")).toEqual(["/devices/gw-01/config 1"]);
    expect(filters(thingsboard, "config")).toEqual(["v1/devices/me/attributes 1"]);
    expect(filters(thingsboard, "command")).toEqual(["v1/devices/me/rpc/request/+ 1"]);
    expect(filters(thingsboard, "callResult")).toEqual(["v1/devices/me/rpc/response/+ 1"]);
    expect(filters(thingsboard, "removed")).toEqual(["v1/devices/me/rpc/request/+ 1"]);
  });

  test("of kinds that cannot be subscribed to, or that there are not", () => {
    expect(filters(thingsboard, "detached", device)).toEqual([]);
    expect(filters(google, "removed", device)).toEqual([]);
    expect(filters(google, "attach", device)).toEqual([]);
  });

  test("every filter is granted by the same dialect's server role", () => {
    for (const dialect of [thingsboard, google, omnicore]) {
      for (const { kind } of dialect.dialect.rules.filter(({ direction }) => direction === "down")) {
        for (const of of [undefined, device]) {
          for (const { filter, qos } of dialect.filtersFor(kind, of))
            expect(dialect.subscribable(filter)).toMatchObject({ qos });
        }
      }
    }
  });
});

describe("resembles()", () => {
  test.each([
    ["/devices/sensor-7/commands/reboot", true],
    ["/other/sensor-7/config", true],
    ["/devices/gw-02/errors", true],
    ["/devices/sensor-7/state", false],
    ["/devices/+/config", false],
    ["plant/line1", false],
    ["#", false],
  ])("of what OmniCore says, %s: %s", (topic, expected) => {
    expect(omnicore.resembles("down", topic)).toBe(expected);
  });

  test("keeps to the words that are no parameters", () => {
    expect(google.resembles("down", "/plant-1/sensor-7/config")).toBe(false);
    expect(google.resembles("up", "/devices/anything/events/a/b")).toBe(true);
  });
});

describe("encode() of what is copied", () => {
  const error = { kind: "error", code: "UNKNOWN", description: "?" } as const;

  test("names the device's own topic too", () => {
    expect(google.encode({ ...error, device })).toMatchObject({
      packet: { topic: "/devices/gw-01/errors" },
      copies: ["/devices/sensor-7/errors"],
    });
  });

  test("does not say it twice on one topic", () => {
    expect(google.encode(error)).toMatchObject({ packet: { topic: "/devices/gw-01/errors" }, copies: [] });
  });

  test("leaves out a device that no topic can carry", () => {
    expect(google.encode({ ...error, device: "a/b" as DeviceId })).toMatchObject({ copies: [] });
  });
});
