import { expect, test } from "vitest";
import { changing, claim, delivered, documented, named, Play, telemetry } from "./play.ts";

const points = (device: string, ...values: readonly string[]) =>
  ({ kind: "telemetry", ...named(device), points: values.map((text, ts) => ({ ts, values: text as never })) }) as const;

test("handle() publishes one body per device of a packet, with the time of arrival where there is none", () => {
  const play = Play.attached("one");
  play.bring("two");
  expect(
    play.send(points("one", '{"a":1}', '{"a":2}'), telemetry("two", '{"b":1}'), telemetry(undefined, "{}")),
  ).toEqual([
    { publish: 7, kind: "telemetry", device: "one", body: '[{"ts":0,"values":{"a":1}},{"ts":1,"values":{"a":2}}]' },
    { publish: 8, kind: "telemetry", device: "two", body: `[{"ts":${play.now},"values":{"b":1}}]` },
    { publish: 9, kind: "telemetry", body: `[{"ts":${play.now},"values":{}}]` },
  ]);
});

const small = { ...documented, limits: { telemetryBytes: 30 } };

test("handle() splits a body that is too large, and delivers the message when all parts are acknowledged", () => {
  const play = Play.attached("one", { upstream: small });
  expect(play.send(points("one", '{"a":1}', '{"a":2}'))).toEqual([
    { publish: 5, kind: "telemetry", device: "one", body: '[{"ts":0,"values":{"a":1}}]' },
    { publish: 6, kind: "telemetry", device: "one", body: '[{"ts":1,"values":{"a":2}}]' },
  ]);
  expect(play.acknowledge(5)).toEqual([]);
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [6] });
  play.do({ kind: "upstreamOpened" });
  play.acknowledge(9);
  expect(play.tick(500)).toEqual([
    { subscribe: 10, device: "one", kinds: "config command" },
    { publish: 11, kind: "telemetry", device: "one", body: '[{"ts":1,"values":{"a":2}}]' },
  ]);
  expect(play.acknowledge(11)).toEqual([delivered(2)]);
});

test("handle() quarantines a message with a point that is too large, behind the points that fit", () => {
  const play = Play.attached("one", { upstream: small });
  const large = `{"a":"${"x".repeat(30)}"}`;
  expect(play.send(points("one", large))).toEqual([{ settle: "2.0", fate: "quarantined: oversize" }]);
  expect(play.send(points("one", '{"a":1}', large))).toHaveLength(1);
  expect(play.acknowledge(5)).toEqual([{ settle: "3.0", fate: "quarantined: oversize" }]);
});

test("handle() quarantines what the chosen shape cannot say", () => {
  const play = Play.attached("one", { rules: { telemetry: { shape: "flat" } } });
  expect(play.send(points("one", '{"ts":1}'))).toEqual([{ settle: "2.0", fate: "quarantined: unrepresentable" }]);
});

test("handle() sets a message aside that the upstream dialect cannot print, and goes on", () => {
  const play = Play.attached("one", { inFlight: 1 });
  play.send(points("one", "{}"));
  play.send(points("one", '{"a":1}'));
  expect(play.do({ kind: "unsendable", token: 5, reason: "unrepresentable" })).toEqual([
    { settle: "2.0", fate: "quarantined: unrepresentable" },
    { publish: 6, kind: "telemetry", device: "one", body: '[{"ts":0,"values":{"a":1}}]' },
  ]);
});

test("handle() sets aside what the cloud says is impossible: the publish it names, or else the oldest", () => {
  const error = { kind: "error", ...named("one"), code: "GATEWAY_INVALID_MQTT_TOPIC", description: "" } as const;
  const play = Play.attached("one");
  play.send(points("one", "{}"));
  play.send(points("one", "{}"));
  expect(play.do({ kind: "received", inbound: undefined, message: error, about: 6 })).toEqual([
    { forget: 6 },
    { settle: "3.0", fate: "quarantined: GATEWAY_INVALID_MQTT_TOPIC" },
  ]);
  expect(play.do({ kind: "received", inbound: undefined, message: { ...error, packetId: 5 } })).toEqual([
    { forget: 5 },
    { settle: "2.0", fate: "quarantined: GATEWAY_INVALID_MQTT_TOPIC" },
  ]);
});

test("handle() sends again after a while what the cloud could not take just now", () => {
  const play = Play.attached("one");
  play.send(points("one", "{}"));
  const message = { kind: "error", ...named("one"), code: "NEVER_HEARD_OF", description: "" } as const;
  expect(play.do({ kind: "received", inbound: undefined, message })).toEqual([{ forget: 5 }]);
  expect(play.tick(1000)).toEqual([{ publish: 6, kind: "attach", device: "one" }]);
});

test("handle() reconnects when the cloud reports more than three stray packets in a minute", () => {
  const play = Play.open();
  const stray = (packetId: number) =>
    play.do({
      kind: "received",
      inbound: undefined,
      message: { kind: "error", code: "GATEWAY_UNEXPECTED_PACKET_ID", description: "", packetId },
    });
  expect([1, 2, 3].flatMap(stray)).toEqual([]);
  expect(stray(4)).toEqual([{ reconnect: "GATEWAY_UNEXPECTED_PACKET_ID" }]);
});

test("handle() publishes a claim as telemetry in its folder where that is asked for, else drops it", () => {
  expect(Play.attached("one").send(claim("one", "s"))).toEqual([{ settle: "2.0", fate: "dropped: unsupported" }]);
  const play = Play.attached("one", { rules: { claims: { folder: "claims" } } });
  expect(play.send(claim("one", "s"))).toEqual([
    { publish: 5, kind: "telemetry", device: "one", folder: "claims", body: '{"secretKey":"s","durationMs":60000}' },
  ]);
});

test("handle() touches nothing between equal clouds but the time of a point that has none", () => {
  const play = Play.open({ upstream: changing });
  expect(play.send({ kind: "attach", ...named("a/b"), profile: "thermo" })).toEqual([
    { publish: 4, kind: "attach", device: "a/b", profile: "thermo" },
  ]);
  expect(play.acknowledge(4)).toEqual([{ store: "attached/a/b", value: "thermo" }, delivered(1)]);
  expect(play.send(points("a/b", '{"a":1}'))).toEqual([{ publish: 5, ...points("a/b", '{"a":1}') }]);
  expect(play.send(telemetry("a/b", '{"a":1}'))).toEqual([{ publish: 6, ...telemetry("a/b", '{"a":1}', play.now) }]);
  expect(play.send(claim("a/b", "s"))).toEqual([{ publish: 7, ...claim("a/b", "s") }]);
  play.send(telemetry("second", "{}"));
  expect(play.acknowledge(8)).toEqual([
    { store: "attached/second", value: "" },
    { publish: 9, ...telemetry("second", "{}", play.now) },
  ]);
});

test("handle() quarantines what a cloud with reason codes refuses, and sends again what was one too many", () => {
  const play = Play.open({ upstream: changing });
  play.bring("one");
  play.send(telemetry("one", "{}", 1));
  expect(play.acknowledge(5, 0x99)).toEqual([{ settle: "2.0", fate: "quarantined: refused: code 0x99" }]);
  play.send(telemetry("one", "{}", 1));
  play.send(telemetry("one", "{}", 2));
  expect(play.acknowledge(7, 0x97)).toEqual([{ forget: 6 }, { forget: 7 }]);
  expect(play.tick(1000)).toEqual([{ publish: 8, kind: "attach", device: "one" }]);
  expect(play.acknowledge(8)).toEqual([
    {
      publish: 9,
      ...{ kind: "telemetry", device: "one" },
      points: [
        { ts: 1, values: "{}" },
        { ts: 2, values: "{}" },
      ],
    },
  ]);
  play.send({ kind: "attach", ...named("two") });
  expect(play.acknowledge(10, 0x80)).toContainEqual({ settle: "5.0", fate: "held: attach-refused: code 0x80" });
});

test("handle() keeps bodies and folders of equal opaque clouds", () => {
  const play = Play.attached("one", { local: documented });
  const message = { kind: "telemetry", ...named("one"), folder: "a/b", body: Uint8Array.of(0, 255) } as const;
  const effects = play.engine.handle(
    {
      kind: "arrived",
      record: { seq: 2, arrivedMs: 1, isOpen: () => true },
      bytes: 1,
      connection: 1,
      messages: [message],
      queue: true,
    },
    play.now,
  );
  expect(effects).toEqual([{ kind: "publish", token: 5, message }]);
});

test("handle() makes points of an opaque body for a cloud that wants them", () => {
  const play = Play.open({ local: documented, upstream: changing });
  play.bring("one");
  expect(play.send({ kind: "telemetry", ...named("one"), folder: "x", body: Buffer.from("5") })).toEqual([
    { publish: 7, ...telemetry("one", '{"value":5,"subFolder":"x"}', play.now) },
  ]);
});

test("handle() begins nothing that can wait while the program ends", () => {
  const play = Play.attached("one");
  play.send(points("one", "{}"));
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [5] });
  play.facts.set("attached/idle", "");
  play.restart();
  play.arrive(2, [points("one", "{}")], true, "ended");
  play.do({ kind: "draining" });
  const attaches = play.do({ kind: "upstreamOpened" }).filter((effect) => "publish" in (effect as object));
  expect(attaches).toEqual([{ publish: 3, kind: "attach", device: "one" }]);
});
