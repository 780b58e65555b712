import { describe, expect, test } from "vitest";
import { listRules } from "../../src/dialect/list-rules.ts";
import type { Direction } from "../../src/message/message.ts";
import { boundNamed, dialectNamed } from "./mappings.ts";

const thingsboard = boundNamed("thingsboard");
const google = boundNamed("google");
const omnicore = boundNamed("omnicore");

function explain(dialect: typeof google, direction: Direction, topic: string, payload: string) {
  return dialect.explain(direction, { topic, payload: Buffer.from(payload) });
}

describe("explain()", () => {
  test("names the rule and its place", () => {
    const explanation = explain(thingsboard, "up", "v1/gateway/telemetry", '{"A":[{"ts":1,"values":{"t":1}}],"B":[]}');
    expect(explanation).toMatchObject({
      decoded: { kind: "messages" },
      rule: { name: "telemetry", file: "thingsboard.yaml", line: expect.any(Number), topic: "v1/gateway/telemetry" },
      nearMisses: [],
    });
  });

  test("gives the first difference to rules with nearly this topic, the nearest first", () => {
    const explanation = explain(thingsboard, "up", "v1/gateway/telemetri", "{}");
    expect(explanation.decoded.kind).toBe("unknownTopic");
    expect(explanation.rule).toBeUndefined();
    expect(explanation.nearMisses).toHaveLength(3);
    expect(explanation.nearMisses[0]).toMatchObject({
      rule: { name: "telemetry" },
      difference: 'level 3 is "telemetri", wanted "telemetry"',
    });
    const [versioned] = explain(thingsboard, "up", "v2/gateway/telemetry", "{}").nearMisses;
    expect(versioned).toMatchObject({ rule: { name: "telemetry" }, difference: 'level 1 is "v2", wanted "v1"' });
    expect(explain(thingsboard, "up", "sensors/1", "{}").nearMisses).toEqual([]);
    const [nearest] = explain(omnicore, "up", "/devices/sensor-7/events", "x").nearMisses;
    expect(nearest?.difference).toBe('level 2 is "devices", wanted "plant-1"');
    const [shorter] = explain(google, "up", "/devices/sensor-7", "x").nearMisses;
    expect(shorter?.difference).toBe('the topic ends where "attach" was wanted');
    const [longer] = explain(google, "up", "/devices/sensor-7/state/fw", "x").nearMisses;
    expect(longer).toMatchObject({ rule: { name: "state" }, difference: 'the topic goes on with "fw"' });
  });

  test("says when a topic goes the other way", () => {
    const { nearMisses } = explain(google, "up", "/devices/sensor-7/config", "{}");
    expect(nearMisses[0]).toMatchObject({ rule: { name: "config" }, difference: "the topic fits, but it goes down" });
  });

  test("says why the other rules of the topic were not taken", () => {
    const { nearMisses, rule } = explain(
      thingsboard,
      "down",
      "v1/devices/me/rpc/request/4",
      '{"method":"gateway_device_deleted","params":"A"}',
    );
    expect(rule?.name).toBe("removed");
    expect(nearMisses.map(({ rule, difference }) => [rule.name, difference])).toEqual([
      ["renamed", 'at "/method" wanted "gateway_device_renamed", got "gateway_device_deleted"'],
      ["ownCommand", "it fits too, but is tried later"],
    ]);
  });

  test("keeps the rule of a packet that does not fit it", () => {
    const { decoded, rule } = explain(thingsboard, "up", "v1/gateway/connect", '{"devise":"A"}');
    expect(decoded).toMatchObject({
      kind: "unreadable",
      reason: 'Of a wrong shape: wanted a member "device", got {"devise":"A"}',
    });
    expect(rule).toMatchObject({ name: "attach" });
  });
});

describe("listRules()", () => {
  test("lists what a mapping has, with places", () => {
    const rules = listRules(dialectNamed("omnicore"));
    expect(rules.map(({ name, direction }) => `${direction} ${name}`)).toEqual([
      "up attach",
      "up detach",
      "up telemetry",
      "up state",
      "down config",
      "down command",
      "down error",
    ]);
    expect(rules.find(({ name }) => name === "error")).toMatchObject({
      topic: "/{registry}/{gateway}/errors",
      qos: 0,
      file: "omnicore.yaml",
    });
    expect(rules.find(({ name }) => name === "state")).toMatchObject({ topic: "{prefix}/state", file: "google.yaml" });
  });
});
