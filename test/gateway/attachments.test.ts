import { expect, test } from "vitest";
import { attach, delivered, detach, documented, Play, telemetry } from "./play.ts";

const errorFor = (device: string, code: string) =>
  ({ kind: "received", inbound: undefined, message: { kind: "error", device, code, description: "no" } }) as never;

test("handle() subscribes the errors topic alone before the gateway's own config and commands", () => {
  const play = new Play();
  expect(play.do({ kind: "upstreamOpened" })).toEqual([
    { subscribe: 1, kinds: "error" },
    { subscribe: 2, kinds: "config command" },
  ]);
});

test("handle() attaches on first sight, waits for PUBACK and settling, subscribes, then lets go what waited", () => {
  const play = Play.open();
  expect(play.send(telemetry("Device A", '{"t":1}', 5))).toEqual([
    { publish: 3, kind: "attach", device: "Device%20A" },
  ]);
  expect(play.send(telemetry("Device A", '{"t":2}', 6))).toEqual([]);
  expect(play.acknowledge(3)).toEqual([{ store: "attached/Device A", value: "" }]);
  expect(play.tick(499)).toEqual([]);
  expect(play.tick(1)).toEqual([
    { subscribe: 4, device: "Device%20A", kinds: "config command" },
    { publish: 5, kind: "telemetry", device: "Device%20A", body: '[{"ts":5,"values":{"t":1}}]' },
    { publish: 6, kind: "telemetry", device: "Device%20A", body: '[{"ts":6,"values":{"t":2}}]' },
  ]);
  expect(play.acknowledge(6)).toEqual([delivered(2)]);
  expect(play.acknowledge(5)).toEqual([delivered(1)]);
});

test("handle() lets other devices flow while one is being attached", () => {
  const play = Play.attached("one");
  play.send(telemetry("two", '{"t":1}', 1));
  expect(play.send(telemetry("one", '{"t":1}', 1))).toEqual([
    { publish: 6, kind: "telemetry", device: "one", body: '[{"ts":1,"values":{"t":1}}]' },
  ]);
});

test("handle() gives a repeated connect for nothing, with the upstream up or down", () => {
  const play = Play.attached("one");
  expect(play.send(attach("one"))).toEqual([delivered(2)]);
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  expect(play.send(attach("one"))).toEqual([delivered(3)]);
});

test("handle() does not attach for a disconnect of an unknown device", () => {
  expect(Play.open().send(detach("nobody"))).toEqual([delivered(1)]);
});

test("handle() detaches after what the device had to say is acknowledged, and forgets the attachment", () => {
  const play = Play.attached("one");
  play.send(telemetry("one", '{"t":1}', 1));
  expect(play.send(detach("one"))).toEqual([]);
  expect(play.acknowledge(5)).toEqual([delivered(2), { publish: 6, kind: "detach", device: "one" }]);
  expect(play.acknowledge(6)).toEqual([{ store: "attached/one", value: undefined }, delivered(3)]);
  expect(play.facts.size).toBe(0);
});

test("handle() attaches again for what comes behind a disconnect", () => {
  const play = Play.attached("one");
  play.send(detach("one"));
  expect(play.send(telemetry("one", '{"t":1}', 1))).toEqual([]);
  expect(play.acknowledge(5)).toEqual([
    { store: "attached/one", value: undefined },
    delivered(2),
    { publish: 6, kind: "attach", device: "one" },
  ]);
});

test("handle() repeats an unanswered attach with backoff, three times in all, then holds the device", () => {
  const play = Play.open();
  play.send(telemetry("one", '{"t":1}', 1));
  expect(play.tick(10_000)).toEqual([{ forget: 3 }]);
  expect(play.tick(1000)).toEqual([{ publish: 4, kind: "attach", device: "one" }]);
  expect(play.tick(10_000)).toEqual([{ forget: 4 }]);
  expect(play.tick(2000)).toEqual([{ publish: 5, kind: "attach", device: "one" }]);
  expect(play.tick(10_000)).toEqual([
    { forget: 5 },
    { settle: "1.0", fate: "held: attach-unanswered" },
    { store: "waiting/one", value: "attach-unanswered" },
  ]);
  expect(play.send(telemetry("one", '{"t":2}', 2))).toEqual([{ settle: "2.0", fate: "held: attach-unanswered" }]);
  expect(play.engine.load).toBe(0);
});

test("handle() lets an attachment error override an earlier PUBACK", () => {
  const play = Play.open();
  play.send(telemetry("one", '{"t":1}', 1));
  play.acknowledge(3);
  expect(play.do(errorFor("one", "GATEWAY_ATTACHMENT_ERROR"), 100)).toEqual([
    { store: "attached/one", value: undefined },
    { settle: "1.0", fate: "held: GATEWAY_ATTACHMENT_ERROR: no" },
    { store: "waiting/one", value: "GATEWAY_ATTACHMENT_ERROR: no" },
  ]);
  expect(play.tick(60_000)).toEqual([]);
});

function held(): Play {
  const play = Play.open();
  play.send(telemetry("one", '{"t":1}', 1));
  play.do(errorFor("one", "GATEWAY_ATTACHMENT_ERROR"));
  return play;
}

test("handle() tries a held device again when the gateway connects it anew, and recalls what is held in order", () => {
  const play = held();
  expect(play.send(attach("one"))).toEqual([
    { settle: "2.0", fate: "held: GATEWAY_ATTACHMENT_ERROR: no" },
    { publish: 4, kind: "attach", device: "one" },
  ]);
  expect(play.send(telemetry("one", '{"t":2}', 2))).toEqual([{ settle: "3.0", fate: "parked" }]);
  play.acknowledge(4);
  expect(play.tick(500)).toEqual([
    { subscribe: 5, device: "one", kinds: "config command" },
    { recall: "one", limit: 64 },
  ]);
  const recalled = (seq: number, message: unknown) =>
    play.do({ kind: "recalled", seq, arrivedMs: 9, index: 0, message: message as never });
  expect(recalled(1, telemetry("one", '{"t":1}'))).toEqual([
    { publish: 6, kind: "telemetry", device: "one", body: '[{"ts":9,"values":{"t":1}}]' },
  ]);
  expect(recalled(2, attach("one"))).toEqual([delivered(2)]);
  expect(recalled(3, telemetry("one", '{"t":2}', 2))).toEqual([
    { publish: 7, kind: "telemetry", device: "one", body: '[{"ts":2,"values":{"t":2}}]' },
  ]);
  expect(play.do({ kind: "recallEnded", device: "one" as never })).toEqual([
    { store: "waiting/one", value: undefined },
  ]);
  expect(play.send(telemetry("one", '{"t":3}', 3))).toEqual([
    { publish: 8, kind: "telemetry", device: "one", body: '[{"ts":3,"values":{"t":3}}]' },
  ]);
});

test("status() says since when a device is held, attempts in between included, and no more once it is attached", () => {
  const play = held();
  const since = () => play.engine.status(play.now).devices[0]?.heldSinceMs;
  const firstMs = play.now;
  expect(since()).toBe(firstMs);
  const [again] = play.tick(15 * 60_000) as [{ publish: number }];
  expect(since()).toBeUndefined();
  play.do(errorFor("one", "GATEWAY_ATTACHMENT_ERROR"));
  expect(since()).toBe(firstMs);
  const [last] = play.tick(15 * 60_000) as [{ publish: number }];
  expect(last.publish).toBeGreaterThan(again.publish);
  play.acknowledge(last.publish);
  play.tick(500);
  expect(play.engine.status(play.now).devices[0]).toMatchObject({ state: "attached" });
  expect(since()).toBeUndefined();
});

test("recordsOf() names what a publish carries, and for an attach what waits behind it", () => {
  const play = Play.open();
  const [attaching] = play.send(telemetry("one", '{"t":1}', 1)) as [{ publish: number }];
  play.send(telemetry("one", '{"t":2}', 2));
  expect(play.engine.recordsOf(attaching.publish)).toEqual([1]);
  play.acknowledge(attaching.publish);
  const effects = play.tick(500) as readonly Partial<{ publish: number }>[];
  const sent = effects.filter((effect) => effect.publish !== undefined) as readonly { publish: number }[];
  expect(sent.map(({ publish }) => play.engine.recordsOf(publish))).toEqual([[1], [2]]);
  for (const { publish } of sent) play.acknowledge(publish);
  expect(sent.flatMap(({ publish }) => play.engine.recordsOf(publish))).toEqual([]);
});

test("handle() recalls once more what was parked while it read the spool", () => {
  const play = held();
  play.do({ kind: "retry" });
  play.acknowledge(4);
  expect(play.tick(500)).toContainEqual({ recall: "one", limit: 64 });
  play.send(telemetry("one", '{"t":2}', 2));
  play.do({ kind: "recalled", seq: 1, arrivedMs: 1, index: 0, message: telemetry("one", '{"t":1}', 1) });
  expect(play.do({ kind: "recallEnded", device: "one" as never })).toEqual([{ recall: "one", limit: 64 }]);
});

test("handle() tries held devices again on retry, after a restart, and every 15 minutes", () => {
  const attachAgain = { publish: 4, kind: "attach", device: "one" };
  expect(held().do({ kind: "retry" })).toEqual([attachAgain]);
  expect(held().do({ kind: "retry", device: "one" as never })).toEqual([attachAgain]);
  expect(held().tick(899_999)).toEqual([]);
  expect(held().tick(900_000)).toEqual([attachAgain]);
  const play = held();
  play.restart();
  expect(play.do({ kind: "upstreamOpened" })).toContainEqual({ publish: 3, kind: "attach", device: "one" });
});

test("handle() attaches anew once and repeats what was not acknowledged when the cloud does not know a device", () => {
  const play = Play.attached("one");
  play.send(telemetry("one", '{"t":1}', 1));
  play.send(telemetry("one", '{"t":2}', 2));
  expect(play.do(errorFor("one", "GATEWAY_DEVICE_NOT_FOUND"))).toEqual([
    { forget: 5 },
    { forget: 6 },
    { publish: 7, kind: "attach", device: "one" },
  ]);
  expect(play.do(errorFor("one", "GATEWAY_DEVICE_NOT_FOUND"), 1999)).toEqual([]);
  play.acknowledge(7);
  expect(play.tick(500)).toEqual([
    { subscribe: 8, device: "one", kinds: "config command" },
    { publish: 9, kind: "telemetry", device: "one", body: '[{"ts":1,"values":{"t":1}}]' },
    { publish: 10, kind: "telemetry", device: "one", body: '[{"ts":2,"values":{"t":2}}]' },
  ]);
  expect(play.do(errorFor("one", "GATEWAY_DEVICE_NOT_FOUND"), 55_000)).toEqual([
    { forget: 9 },
    { forget: 10 },
    { store: "attached/one", value: undefined },
    { settle: "2.0", fate: "held: GATEWAY_DEVICE_NOT_FOUND: no" },
    { settle: "3.0", fate: "held: GATEWAY_DEVICE_NOT_FOUND: no" },
    { store: "waiting/one", value: "GATEWAY_DEVICE_NOT_FOUND: no" },
  ]);
});

test("handle() takes the errors for all publishes that were under way for one", () => {
  const play = Play.attached("one");
  for (let n = 1; n <= 3; n++) play.send(telemetry("one", "{}", n));
  const notFound = (packetId: number) => {
    const { message, ...event } = errorFor("one", "GATEWAY_DEVICE_NOT_FOUND") as { message: object };
    return play.do({ ...event, message: { ...message, packetId } } as never);
  };
  expect(notFound(1)).toContainEqual({ publish: 8, kind: "attach", device: "one" });
  expect([...notFound(2), ...notFound(3)]).toEqual([]);
});

test("handle() attaches again for a connect that comes while the device is being detached", () => {
  const play = Play.attached("one");
  play.send(detach("one"));
  expect(play.send(attach("one"))).toEqual([]);
  expect(play.acknowledge(5)).toContainEqual({ publish: 6, kind: "attach", device: "one" });
});

test("handle() attaches a device that was thrown out again after 5 s, and later each time up to 5 min", () => {
  const play = Play.attached("one");
  const waits = [5, 10, 20, 40, 80, 160, 300, 300].map((seconds) => {
    play.do(errorFor("one", "GATEWAY_DETACHMENT_DEVICE_ERROR"), 2000);
    expect(play.tick(seconds * 1000 - 1)).toEqual([]);
    const [publish] = play.tick(1) as { publish: number }[];
    play.acknowledge(publish?.publish ?? 0);
    play.tick(500);
    return publish;
  });
  expect(waits).toEqual(waits.map((publish) => ({ publish: publish?.publish, kind: "attach", device: "one" })));
});

test("handle() attaches who was attached again after a reconnect, those with waiting messages first", () => {
  const play = Play.open();
  for (const name of ["one", "two", "three"]) play.bring(name);
  play.send(telemetry("three", '{"t":1}', 1));
  play.send(telemetry("three", '{"t":2}', 2));
  expect(play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [9, 10] })).toEqual([]);
  expect(play.do({ kind: "upstreamOpened" })).toEqual([
    { subscribe: 11, kinds: "error" },
    { subscribe: 12, kinds: "config command" },
    { publish: 13, kind: "attach", device: "three" },
    { publish: 14, kind: "attach", device: "one" },
    { publish: 15, kind: "attach", device: "two" },
  ]);
  play.acknowledge(13);
  expect(play.tick(500)).toEqual([
    { subscribe: 16, device: "three", kinds: "config command" },
    { publish: 17, kind: "telemetry", device: "three", body: '[{"ts":1,"values":{"t":1}}]' },
    { publish: 18, kind: "telemetry", device: "three", body: '[{"ts":2,"values":{"t":2}}]' },
  ]);
});

test("handle() attaches who was attached again after a restart", () => {
  const play = Play.attached("Device A");
  play.restart();
  expect(play.do({ kind: "upstreamOpened" })).toContainEqual({ publish: 3, kind: "attach", device: "Device%20A" });
});

test("handle() detaches everyone after ten minutes without the local gateway, behind what still waits", () => {
  const play = Play.attached("one");
  play.send(telemetry("one", '{"t":1}', 1));
  play.do({ kind: "localDisconnected", connection: 1 });
  play.acknowledge(5);
  expect(play.tick(599_999)).toEqual([]);
  expect(play.tick(1)).toEqual([{ publish: 6, kind: "detach", device: "one" }]);
  expect(play.acknowledge(6)).toEqual([{ store: "attached/one", value: undefined }]);
});

test("handle() keeps devices attached when the local gateway comes back in time", () => {
  const play = Play.attached("one");
  play.do({ kind: "localDisconnected", connection: 1 });
  expect(play.do({ kind: "localConnected", connection: 2 }, 599_999)).toEqual([]);
  expect(play.tick(600_000)).toEqual([]);
});

test("handle() forgets attachments at once when the time is up with the upstream down", () => {
  const play = Play.attached("one");
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  play.do({ kind: "localDisconnected", connection: 1 });
  expect(play.tick(600_000)).toEqual([{ store: "attached/one", value: undefined }]);
});

test("handle() repeats a refused subscription once behind a new attach", () => {
  const play = Play.attached("one");
  expect(play.do({ kind: "subscribed", token: 4, codes: [1, 128] })).toEqual([
    { publish: 5, kind: "attach", device: "one" },
  ]);
  play.acknowledge(5);
  expect(play.tick(500)).toEqual([{ subscribe: 6, device: "one", kinds: "config command" }]);
  expect(play.do({ kind: "subscribed", token: 6, codes: [1, 128] })).toEqual([]);
});

test("handle() holds a device whose name makes no id, and one whose id another has", () => {
  const play = Play.open();
  const long = "x".repeat(256);
  expect(play.send(telemetry(long, "{}"))).toEqual([
    {
      settle: "1.0",
      fate: "held: no id can be made of the name (256 characters, at most 255 fit): give the device an alias",
    },
    expect.objectContaining({ store: `waiting/${long}` }),
  ]);
  play.bring("Device A");
  expect(play.send(telemetry("Device%20A", "{}"))).toEqual([
    { settle: "3.0", fate: 'held: "Device A" has the id "Device%20A" already: give one of the devices an alias' },
    expect.objectContaining({ store: "waiting/Device%20A" }),
  ]);
});

test("handle() reconnects when a publish goes unacknowledged for 30 s", () => {
  const play = Play.attached("one");
  play.send(telemetry("one", "{}", 1));
  expect(play.tick(29_999)).toEqual([]);
  expect(play.tick(1)).toEqual([{ reconnect: "unacknowledged" }]);
});

test("handle() parks what a device that cannot be attached has too much of, and recalls it once it is", () => {
  const play = Play.open();
  play.send(telemetry("one", '{"t":0}', 0));
  play.tick(2000);
  for (let t = 1; t <= 255; t++) play.send(telemetry("one", `{"t":${t}}`, t));
  expect(play.send(telemetry("one", '{"t":257}', 257))).toEqual([
    { settle: "257.0", fate: "parked" },
    { store: "waiting/one", value: "" },
  ]);
  play.acknowledge(3);
  expect(play.tick(500)).toContainEqual({ recall: "one", limit: 64 });
});

test("handle() sends at most the in-flight window, the rest as it is acknowledged, in order", () => {
  const play = Play.attached("one", { inFlight: 2 });
  expect(play.send(telemetry("one", '{"t":1}', 1))).toHaveLength(1);
  expect(play.send(telemetry("one", '{"t":2}', 2))).toHaveLength(1);
  expect(play.send(telemetry("one", '{"t":3}', 3))).toEqual([]);
  expect(play.acknowledge(5)).toEqual([
    delivered(2),
    { publish: 7, kind: "telemetry", device: "one", body: '[{"ts":3,"values":{"t":3}}]' },
  ]);
});

test("handle() paces attaches, subscriptions and data together, replies before data", () => {
  const limits = { ...documented.limits, messagesPerSecond: 10, pace: 0.5 };
  const play = Play.open({ upstream: { ...documented, limits }, settleMs: 0 });
  for (const name of ["one", "two", "three"]) play.send(telemetry(name, "{}", 1));
  // The burst is 5: two subscriptions of the gateway, three attaches.
  for (const token of [3, 4, 5]) expect(play.acknowledge(token)).toHaveLength(1);
  expect(play.engine.wakeAtMs).toBe(play.now + 200);
  expect(play.tick(200)).toEqual([{ subscribe: 6, device: "one", kinds: "config command" }]);
  expect(play.tick(200)).toEqual([{ subscribe: 7, device: "two", kinds: "config command" }]);
});
