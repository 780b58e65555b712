import { expect, test } from "vitest";
import { bodyOf, changing, named, Play } from "./play.ts";

const config = (device: string | undefined, body: string, inbound?: number) =>
  ({ kind: "received", inbound, message: { kind: "config", ...named(device), body: bodyOf(body) } }) as const;

test("handle() gives the gateway what changed, then what is gone, and acknowledges upstream once both are taken", () => {
  const play = Play.attached("Device A");
  expect(play.do(config("Device%20A", '{"a":1,"b":{"x":[1]}}', 7))).toEqual([
    { down: "received" },
    { store: "desired/Device A", value: '{"a":1,"b":{"x":[1]}}' },
    { store: "doubtful/Device A", value: '["a","b"]' },
    { deliver: 5, kind: "config", device: "Device A", values: '{"a":1,"b":{"x":[1]}}' },
  ]);
  expect(play.delivered(5)).toEqual([
    { store: "taken/Device A", value: '{"a":1,"b":{"x":[1]}}' },
    { store: "doubtful/Device A", value: undefined },
    { down: "delivered" },
    { acknowledge: 7 },
  ]);
  expect(play.do(config("Device%20A", '{"b":{"x":[2]},"c":12345678901234567890}', 8))).toEqual([
    { down: "received" },
    { store: "desired/Device A", value: '{"b":{"x":[2]},"c":12345678901234567890}' },
    { store: "doubtful/Device A", value: '["b","c","a"]' },
    { deliver: 6, kind: "config", device: "Device A", values: '{"b":{"x":[2]},"c":12345678901234567890}' },
    { deliver: 7, kind: "config", device: "Device A", deleted: ["a"] },
  ]);
  expect(play.delivered(6)).toEqual([]);
  expect(play.delivered(7, "written")).toContainEqual({ acknowledge: 8 });
});

test("handle() sends nothing for a configuration that the gateway has", () => {
  const play = Play.attached("one");
  expect(play.do(config("one", "", 7))).toEqual([
    { down: "received" },
    { store: "desired/one", value: "{}" },
    { down: "delivered" },
    { acknowledge: 7 },
  ]);
  play.do(config("one", '{"a":1}', 8));
  play.delivered(5);
  expect(play.do(config("one", ' {"a": 1} ', 9))).toEqual([
    { down: "received" },
    { store: "desired/one", value: '{"a": 1}' },
    { store: "taken/one", value: '{"a": 1}' },
    { down: "delivered" },
    { acknowledge: 9 },
  ]);
});

test("handle() keeps the newest configuration until a gateway is there, and acknowledges the older ones with it", () => {
  const play = Play.attached("one");
  play.do({ kind: "localDisconnected", connection: 1 });
  play.do(config("one", '{"a":1}', 7));
  expect(play.do(config("one", '{"a":2}', 8))).toEqual([
    { down: "received" },
    { down: "dropped", reason: "superseded" },
    { store: "desired/one", value: '{"a":2}' },
  ]);
  expect(play.do({ kind: "localConnected", connection: 2 })).toEqual([
    { store: "doubtful/one", value: '["a"]' },
    { deliver: 5, kind: "config", device: "one", values: '{"a":2}' },
  ]);
  expect(play.delivered(5)).toEqual([
    { store: "taken/one", value: '{"a":2}' },
    { store: "doubtful/one", value: undefined },
    { down: "delivered" },
    { acknowledge: 7 },
    { acknowledge: 8 },
  ]);
});

test("handle() gives a configuration again that was not taken, after a reconnect, a subscription or a while", () => {
  for (const again of [
    (play: Play) => play.do({ kind: "localSubscribed", connection: 1 }),
    (play: Play) => play.tick(5000),
    (play: Play) => play.do({ kind: "localConnected", connection: 2 }),
  ]) {
    const play = Play.attached("one");
    play.do(config("one", '{"a":1}', 7));
    expect(play.delivered(5, "rejected")).toEqual([]);
    expect(again(play)).toEqual([{ deliver: 6, kind: "config", device: "one", values: '{"a":1}' }]);
    expect(play.delivered(6)).toContainEqual({ acknowledge: 7 });
  }
});

test("handle() takes back by deletion what may have been taken before the connection was lost", () => {
  const play = Play.attached("one");
  play.do(config("one", '{"a":1}', 7));
  play.do({ kind: "localDisconnected", connection: 1 });
  play.delivered(5, "offline");
  play.restart();
  play.do({ kind: "upstreamOpened" });
  play.do(config("one", "{}", 8));
  expect(play.do({ kind: "localConnected", connection: 1 })).toEqual([
    { deliver: 4, kind: "config", device: "one", deleted: ["a"] },
  ]);
});

test("handle() gives a configuration again after a restart, and acknowledges none of an ended connection", () => {
  const play = Play.attached("one");
  play.do(config("one", '{"a":1}', 7));
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  expect(play.delivered(5).filter((effect) => "acknowledge" in (effect as object))).toEqual([]);
  const again = Play.attached("one");
  again.do(config("one", '{"a":1}', 7));
  again.restart();
  expect(again.do({ kind: "localConnected", connection: 2 })).toEqual([
    { deliver: 1, kind: "config", device: "one", values: '{"a":1}' },
  ]);
});

test("handle() refuses a configuration with a key that means deletion", () => {
  const play = Play.attached("one");
  expect(play.do(config("one", '{"deleted":["a"]}', 7))).toEqual([
    { down: "received" },
    { down: "dropped", reason: "unrepresentable" },
    { acknowledge: 7 },
  ]);
});

test("handle() makes attributes of a configuration that is no object, or one attribute of any", () => {
  const play = Play.attached("one");
  expect(play.do(config("one", "[1]", 7))).toContainEqual(expect.objectContaining({ values: '{"value":[1]}' }));
  const whole = Play.attached("one", { rules: { config: { document: "cfg" } } });
  expect(whole.do(config("one", '{"a": 1}', 7))).toContainEqual(
    expect.objectContaining({ values: '{"cfg":"{\\"a\\": 1}"}' }),
  );
  whole.delivered(5);
  expect(whole.do(config("one", "", 8))).toContainEqual(expect.objectContaining({ deleted: ["cfg"] }));
});

test("handle() withholds the gateway's own configuration unless it is to be forwarded", () => {
  expect(Play.open().do(config(undefined, '{"active_connectors":[]}', 7))).toEqual([
    { down: "received" },
    { down: "dropped", reason: "forbidden" },
    { acknowledge: 7 },
  ]);
  const play = Play.open({ rules: { config: { gateway: "forward" } } });
  expect(play.do(config(undefined, '{"a":1}', 7)).at(-1)).toEqual({ deliver: 3, kind: "config", values: '{"a":1}' });
  expect(play.delivered(3, "unsubscribed")).toEqual([]);
  expect(play.do({ kind: "localSubscribed", connection: 1 })).toEqual([
    { deliver: 4, kind: "config", values: '{"a":1}' },
  ]);
});

test("handle() gives on what it knows of a device that it never attached", () => {
  const play = Play.open();
  expect(play.do(config("Device%20X", '{"a":1}')).at(-1)).toEqual({
    deliver: 3,
    kind: "config",
    device: "Device X",
    values: '{"a":1}',
  });
});

test("handle() passes changes on as they are between equal clouds", () => {
  const play = Play.open({ upstream: changing });
  const message = { kind: "config", ...named("a/b"), deleted: ["x"] } as const;
  expect(play.do({ kind: "received", inbound: 5, message })).toEqual([
    { deliver: 4, kind: "config", device: "a/b", deleted: ["x"] },
  ]);
  expect(play.delivered(4)).toEqual([{ down: "received" }, { down: "delivered" }, { acknowledge: 5 }]);
});
