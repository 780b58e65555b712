import { describe, expect, test } from "vitest";
import { compileDialect } from "../../src/dialect/compile.ts";
import { verifyDialect } from "../../src/dialect/verify.ts";
import type { Stage } from "../../src/message/diagnosis.ts";
import { boundNamed, dialectNamed, mappingFiles } from "./mappings.ts";

describe("what the mapping files say beside messages", () => {
  test("connections, filled in for a gateway", () => {
    expect(boundNamed("google")).toMatchObject({
      url: "mqtts://mqtt.googleapis.com:8883",
      clientId: "projects/acme-iot/locations/us-central1/registries/plant-1/devices/gw-01",
      audience: "acme-iot",
      username: "unused",
    });
    expect(boundNamed("clearblade")).toMatchObject({
      url: "mqtts://us-central1-mqtt.clearblade.com:8883",
      audience: "acme-iot",
    });
    const omnicore = boundNamed("omnicore");
    expect(omnicore).toMatchObject({
      clientId: "subscriptions/sub-77/registries/plant-1/devices/gw-01",
      audience: "sub-77",
    });
    expect(omnicore.url).toBeUndefined();
    expect(dialectNamed("google").bind({}).clientId).toBe(
      "projects/project/locations/location/registries/registry/devices/gateway",
    );
  });

  test("protocols, the preferred one first", () => {
    const protocols = (["thingsboard", "google", "clearblade", "omnicore"] as const).map(
      (name) => dialectNamed(name).connection.protocols,
    );
    expect(protocols).toEqual([[5, 4], [4], [4, 5], [4]]);
  });

  test("parameters, without those that an extending file has no use for", () => {
    const names = (name: "google" | "omnicore") => dialectNamed(name).parameters.map((parameter) => parameter.name);
    expect(names("google")).toEqual(["project", "location", "registry"]);
    expect(names("omnicore")).toEqual(["registry", "subscription"]);
  });

  test("limits below what the vendors may mean", () => {
    expect(dialectNamed("google").limits).toEqual({
      telemetryBytes: 256_000,
      stateBytes: 64_000,
      configBytes: 64_000,
      commandBytes: 256_000,
      messagesPerSecond: 100,
      bytesPerSecond: 512_000,
      pace: 0.8,
      stateIntervalMs: 1100,
      attached: 1000,
    });
    expect(dialectNamed("omnicore").limits).toMatchObject({ attached: 10_000, stateIntervalMs: 1100 });
  });

  test("what to do about errors and refusals", () => {
    expect(Object.fromEntries(dialectNamed("clearblade").retries)).toEqual({
      GATEWAY_ATTACHMENT_ERROR: { action: "hold", everyMs: 900_000 },
      GATEWAY_DEVICE_NOT_FOUND: { action: "reattach", againMs: 60_000 },
      GATEWAY_INVALID_MQTT_TOPIC: { action: "quarantine" },
      GATEWAY_UNEXPECTED_PACKET_ID: { action: "forget" },
      GATEWAY_UNEXPECTED_MESSAGE_TYPE: { action: "forget" },
      GATEWAY_DETACHMENT_DEVICE_ERROR: { action: "reattachSlowly", firstMs: 5000, capMs: 300_000 },
      UNKNOWN: { action: "backoff", firstMs: 1000, capMs: 64_000 },
    });
    const policy = (name: "google" | "clearblade", reason: string) =>
      dialectNamed(name).reconnects.find((one) => one.reason === reason);
    expect(policy("google", "connack-5")).toEqual({
      reason: "connack-5",
      firstMs: 1000,
      capMs: 600_000,
      jitterMs: 1000,
      quickTries: 2,
    });
    expect(policy("google", "connack-2")?.firstMs).toBe(1000);
    expect(policy("clearblade", "connack-2")?.firstMs).toBe(90_000);
  });

  test("ids: letters first, no wildcard, nothing reserved", () => {
    const { pattern, ...ids } = dialectNamed("clearblade").ids;
    expect(ids).toEqual({
      form: "restricted",
      minLength: 3,
      maxLength: 255,
      unescaped: "A-Za-z0-9._~\\-",
      reservedPrefixes: ["goog"],
    });
    const isId = (text: string) => new RegExp(`^(?:${pattern})$`).test(text);
    expect(["sensor-7", "Device%20A", "abc", "a".repeat(255)].every(isId)).toBe(true);
    expect(["ab", "7abc", "a+b", "a b", "a/b", "a".repeat(256)].some(isId)).toBe(false);
  });
});

describe("what the answers of a cloud may mean", () => {
  const likeliest = (name: "thingsboard" | "google" | "clearblade" | "omnicore", stage: Stage, answer: string) =>
    dialectNamed(name).diagnosis.symptoms.get(stage)?.get(answer)?.[0];

  test("each cloud in its own order", () => {
    expect(likeliest("google", "connect", "closed")).toBe("protocol");
    expect(likeliest("google", "connect", "connack-2")).toBe("clientId");
    expect(likeliest("clearblade", "connect", "connack-2")).toBe("duplicate");
    expect(likeliest("clearblade", "connect", "connack-4")).toBe("key");
    expect(likeliest("omnicore", "dial", "dns")).toBe("prefix");
    expect(likeliest("thingsboard", "connect", "connack-134")).toBe("credentials");
    expect(likeliest("thingsboard", "limits", "plainDevice")).toBe("notGateway");
  });

  test("words of an extending file stand beside those it inherits", () => {
    const { causes } = dialectNamed("clearblade").diagnosis;
    expect(causes.get("protocol")).toMatchObject({
      remedy: expect.stringContaining("upstream.protocol"),
      source: expect.stringContaining("CONNACK"),
    });
    expect(causes.has("switchedOff")).toBe(false);
  });
});

describe("a mapping of one's own", () => {
  test("adds to another one, replaces in it and takes from it", () => {
    const text = `
dialect: mine
extends: google
messages:
  attach: { convert: { token: text } }
  detach: null
  state: { up: "{prefix}/shadow" }
examples:
  state: [{ topic: "{prefix}/shadow", payload: x, means: { device: sensor-7, body: x } }]
`;
    const compiled = compileDialect("mine", [...mappingFiles, { name: "mine", file: "mine.yaml", text }]);
    if ("mistakes" in compiled) throw new Error(JSON.stringify(compiled.mistakes));
    const bound = compiled.dialect.bind({ gateway: "gw-01" });
    const payload = Buffer.from("x");
    expect(bound.decode("up", { topic: "/devices/gw-01/shadow", payload })).toMatchObject({
      kind: "messages",
      rule: { name: "state", file: "mine.yaml", line: 7 },
      messages: [{ kind: "state", body: payload }],
    });
    expect(bound.decode("up", { topic: "/devices/gw-01/state", payload }).kind).toBe("unknownTopic");
    expect(bound.decode("up", { topic: "/devices/a/detach", payload }).kind).toBe("unknownTopic");
    // "text" prints an empty token, which the reader of attaches takes for none: the laws find that out.
    expect(verifyDialect(compiled.dialect)).toEqual([
      {
        file: "google.yaml",
        line: expect.any(Number),
        column: 5,
        message:
          'The rule "attach" prints attach { token: "" } as /devices/gateway/attach {"authorization":""}, which reads back as attach',
      },
    ]);
  });

  test("may carry bytes, times and words of its own", () => {
    const text = `
dialect: mine
connection: { credentials: token, protocols: [4] }
traits: { attach: implied, config: document, state: document, commands: replied, errors: none, time: payload, body: points, packet: device }
messages:
  telemetry:
    up: up/{device}
    payload: [{ at: $ts, kind: sample, ...: $values }]
    convert: { ts: isoTime }
  config:
    down: down/{device}
    payload: { $$doc: $body, size??: 5 }
    convert: { body: base64 }
examples:
  telemetry:
    - topic: up/A
      payload: '[{"at":"2017-01-01T00:00:00Z","kind":"sample","t":12345678901234567890}]'
      means: { device: A, points: { ts: 1483228800000, values: { t: 12345678901234567890 } } }
      prints: '[{"at":"2017-01-01T00:00:00.000Z","kind":"sample","t":12345678901234567890}]'
  config:
    - topic: down/A
      payload: '{"$doc":"aGk=","size?":5}'
      means: { device: A, body: hi }
`;
    const compiled = compileDialect("mine", [{ name: "mine", file: "mine.yaml", text }]);
    expect("mistakes" in compiled ? compiled.mistakes : verifyDialect(compiled.dialect)).toEqual([]);
  });
});
