import { expect, test } from "vitest";
import { changing, delivered, detach, documented, isPublish, Play, state, telemetry } from "./play.ts";

const published = (token: number, body: string, device = "one") => ({ publish: token, kind: "state", device, body });

test("handle() merges changes, keeps the document, and publishes it whole", () => {
  const play = Play.attached("one");
  expect(play.send(state("one", '{"a":1,"b":{"x": 1.50}}'))).toEqual([
    { store: "reported/one", value: '2 0 {"a":1,"b":{"x": 1.50}}' },
    published(5, '{"a":1,"b":{"x": 1.50}}'),
  ]);
  expect(play.acknowledge(5)).toEqual([{ store: "published/one", value: "2 0" }, delivered(2)]);
  play.tick(1100);
  expect(play.send(state("one", '{"b":2,"c":null,"__proto__":12345678901234567890}'))).toEqual([
    { store: "reported/one", value: '3 0 {"a":1,"b":2,"__proto__":12345678901234567890}' },
    published(6, '{"a":1,"b":2,"__proto__":12345678901234567890}'),
  ]);
});

test("handle() waits 1.1 s from the last acknowledgement, the newest wins, and what it replaced is delivered with it", () => {
  const play = Play.attached("one");
  play.send(state("one", '{"a":1}'));
  expect(play.send(state("one", '{"a":2}'))).toEqual([{ store: "reported/one", value: '3 0 {"a":2}' }]);
  play.tick(5000);
  expect(play.acknowledge(5)).toEqual([{ store: "published/one", value: "2 0" }, delivered(2)]);
  expect(play.send(state("one", '{"a":3}'))).toEqual([{ store: "reported/one", value: '4 0 {"a":3}' }]);
  expect(play.tick(1099)).toEqual([]);
  expect(play.engine.wakeAtMs).toBe(play.now + 1);
  expect(play.tick(1)).toEqual([published(6, '{"a":3}')]);
  expect(play.acknowledge(6)).toEqual([{ store: "published/one", value: "4 0" }, delivered(3), delivered(4)]);
});

test("handle() lets telemetry pass a state that waits", () => {
  const play = Play.attached("one");
  play.send(state("one", '{"a":1}'));
  play.send(state("one", '{"a":2}'));
  expect(play.send(telemetry("one", "{}", 1))).toEqual([
    { publish: 6, kind: "telemetry", device: "one", body: '[{"ts":1,"values":{}}]' },
  ]);
});

test("handle() merges on arrival, in line or not, and never twice", () => {
  const play = new Play();
  expect(play.arrive(1, [state("one", '{"a":1}')], false)).toEqual([{ store: "reported/one", value: '1 0 {"a":1}' }]);
  play.arrive(2, [state("one", '{"a":2}')], false);
  expect(play.arrive(1, [state("one", '{"a":1}')])).toEqual([]);
  expect(play.arrive(2, [state("one", '{"a":2}')])).toEqual([]);
  play.do({ kind: "upstreamOpened" });
  play.acknowledge(3);
  expect(play.tick(500)).toContainEqual(published(5, '{"a":2}'));
  expect(play.acknowledge(5)).toEqual([{ store: "published/one", value: "2 0" }, delivered(1), delivered(2)]);
});

test("handle() never lets an older change overwrite a newer one after a restart, but adds what is missing", () => {
  const play = new Play();
  play.arrive(5, [state("one", '{"a":5}')], false);
  play.restart();
  expect(play.arrive(3, [state("one", '{"a":3,"b":3}')])).toEqual([
    { store: "reported/one", value: '5 0 {"a":5,"b":3}' },
  ]);
});

test("handle() takes what the upstream has already for delivered", () => {
  const play = Play.attached("one");
  play.arrive(7, [state("one", '{"a":1}')], false);
  play.arrive(8, [state("one", '{"a":2}')]);
  play.acknowledge(5);
  expect(play.facts.get("published/one")).toBe("8 0");
  play.restart();
  expect(play.arrive(7, [state("one", '{"a":1}')])).toEqual([delivered(7)]);
});

test("handle() publishes a document again that was lost with the connection", () => {
  const play = Play.attached("one");
  play.send(state("one", '{"a":1}'));
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [5] });
  play.do({ kind: "upstreamOpened" }, 2000);
  play.acknowledge(8);
  expect(play.tick(500)).toEqual([{ subscribe: 9, device: "one", kinds: "config command" }, published(10, '{"a":1}')]);
});

test("handle() holds a change that makes the document too large; the last good one stays", () => {
  const play = Play.attached("one", { upstream: { ...documented, limits: { stateBytes: 20 } } });
  play.send(state("one", '{"a":1}'));
  expect(play.send(state("one", `{"b":"${"x".repeat(20)}"}`))).toEqual([
    { store: "waiting/one", value: "oversize" },
    { settle: "3.0", fate: "held: oversize" },
  ]);
  expect(play.send(state("one", '{"c":3}'))).toEqual([{ store: "reported/one", value: '4 0 {"a":1,"c":3}' }]);
  expect(play.do({ kind: "retry", device: "one" as never })).toEqual([{ recall: "one", limit: 64 }]);
  play.do({ kind: "recalled", seq: 3, arrivedMs: 1, index: 0, message: state("one", `{"b":"${"x".repeat(20)}"}`) });
  expect(play.facts.get("waiting/one")).toBe("oversize");
  expect(play.do({ kind: "recallEnded", device: "one" as never })).toEqual([]);
  expect(play.send(telemetry("one", "{}", 1))).toContainEqual(expect.objectContaining({ kind: "telemetry" }));
});

test("handle() publishes each change alone where that is the mode, one per interval", () => {
  const play = Play.attached("one", { rules: { state: { mode: "as-is" } } });
  expect(play.send(state("one", '{"a":1}')).at(-1)).toEqual(published(5, '{"a":1}'));
  play.send(state("one", '{"b":2}'));
  play.send(state("one", '{"value":3}'));
  expect(play.acknowledge(5)).toContainEqual(delivered(2));
  expect(play.tick(1100)).toEqual([published(6, '{"b":2}')]);
  play.acknowledge(6);
  expect(play.tick(1100)).toEqual([published(7, "3")]);
});

test("handle() publishes an opaque document untouched between equal clouds, the newest wins", () => {
  const play = Play.attached("one", { local: documented });
  const opaque = (body: Uint8Array) => ({ kind: "state", device: "one" as never, body }) as const;
  play.send(opaque(Uint8Array.of(0xff)));
  play.send(opaque(Uint8Array.of(1)));
  play.send(opaque(Uint8Array.of(2)));
  play.acknowledge(5);
  const effects = play.engine.handle({ kind: "tick" }, play.now + 1100);
  expect(effects).toEqual([{ kind: "publish", token: 6, message: opaque(Uint8Array.of(2)) }]);
});

test("handle() passes changes between equal clouds in line with telemetry", () => {
  const play = Play.open({ upstream: changing });
  play.bring("one");
  expect(play.send(state("one", '{"a":null}'))).toEqual([
    { publish: 5, kind: "state", device: "one", values: '{"a":null}' },
  ]);
});

test("handle() gets a state out before a detach, and attaches again for one behind it", () => {
  const play = Play.attached("one");
  play.send(state("one", '{"a":1}'));
  play.send(detach("one"));
  expect(play.send(state("one", '{"a":2}'))).toEqual([{ store: "reported/one", value: '4 0 {"a":2}' }]);
  expect(play.acknowledge(5)).toContainEqual({ publish: 6, kind: "detach", device: "one" });
  expect(play.acknowledge(6)).toEqual([
    { store: "attached/one", value: undefined },
    delivered(3),
    { publish: 7, kind: "attach", device: "one" },
  ]);
  play.acknowledge(7);
  expect(play.tick(1100)).toContainEqual(published(9, '{"a":2}'));
});

test("handle() leaves out what a gateway reports of its own configuration", () => {
  const play = Play.open();
  const send = (values: string) => play.send(state(undefined, values));
  expect(send('{"general_configuration":{"token":"secret"},"storage_configuration":{}}')).toEqual([
    { settle: "1.0", fate: "dropped: withheld" },
  ]);
  expect(send('{"active_connectors":["MQTT Broker Connector"],"Version":"3.8"}')).toEqual([
    { store: "connectors", value: '["MQTT Broker Connector"]' },
    { store: "reported/", value: '2 0 {"Version":"3.8"}' },
    { publish: 3, kind: "state", body: '{"Version":"3.8"}' },
  ]);
  expect(send('{"MQTT Broker Connector":{"broker":{}}}')).toEqual([{ settle: "3.0", fate: "dropped: withheld" }]);
  expect(send('{"New":{"configurationJson":{}},"Other":{"configuration":"x.json"}}')).toEqual([
    { settle: "4.0", fate: "dropped: withheld" },
  ]);
  play.restart();
  play.do({ kind: "localConnected", connection: 1 });
  expect(play.send(state(undefined, '{"MQTT Broker Connector":1}'))).toEqual([
    { settle: "5.0", fate: "dropped: withheld" },
  ]);
  expect(play.send(state("one", '{"general_configuration":1}'))).toContainEqual({
    store: "reported/one",
    value: '6 0 {"general_configuration":1}',
  });
});

test("handle() forwards a gateway's own configuration where that is allowed", () => {
  const play = Play.open({ rules: { attributes: { gateway: "forward" } } });
  expect(play.send(state(undefined, '{"general_configuration":1}'))).toContainEqual({
    publish: 3,
    kind: "state",
    body: '{"general_configuration":1}',
  });
});

test("handle() counts the interval from a restart on: the last state may have been published just before it", () => {
  const play = Play.attached("one");
  play.send(state("one", '{"a":1}'));
  play.acknowledge(5);
  play.restart();
  play.do({ kind: "upstreamOpened" });
  play.acknowledge(3);
  play.tick(500);
  expect(play.arrive(9, [state("one", '{"a":2}')])).toEqual([{ store: "reported/one", value: '9 0 {"a":2}' }]);
  expect(play.tick(599)).toEqual([]);
  expect(play.tick(1)).toContainEqual(expect.objectContaining({ kind: "state", body: '{"a":2}' }));
});

test("handle() keeps the last good document where a newer one is refused, with what was reported since", () => {
  const play = Play.attached("one");
  play.send(state("one", '{"fw":1}'));
  play.acknowledge(5);
  play.send(state("one", '{"fw":2,"bad":true}'));
  play.send(state("one", '{"worse":true}'));
  const [sent] = play.tick(1100).filter(isPublish);
  expect(sent).toMatchObject({ body: '{"fw":2,"bad":true,"worse":true}' });
  play.send(state("one", '{"serial":"x"}'));
  expect(play.acknowledge(sent?.publish ?? 0, 0x83)).toEqual([
    { settle: "3.0", fate: "quarantined: refused: code 0x83" },
    { settle: "4.0", fate: "quarantined: refused: code 0x83" },
    { store: "reported/one", value: '5 0 {"fw":1,"serial":"x"}' },
  ]);
  const [next] = play.tick(1100).filter(isPublish);
  expect(next).toMatchObject({ body: '{"fw":1,"serial":"x"}' });
  expect(play.acknowledge(next?.publish ?? 0)).toContainEqual(delivered(5));
});

test("handle() quarantines only the change that was refused where each goes alone", () => {
  const play = Play.attached("one", { rules: { state: { mode: "as-is" } } });
  play.send(state("one", '{"bad":1}'));
  play.send(state("one", '{"fw":2}'));
  expect(play.acknowledge(5, 0x83)).toEqual([{ settle: "2.0", fate: "quarantined: refused: code 0x83" }]);
  expect(play.tick(1100)).toMatchObject([{ body: '{"fw":2}' }]);
});
