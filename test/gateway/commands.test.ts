import { expect, test } from "vitest";
import { callOfCommand } from "../../src/gateway/command-shape.ts";
import { bodyOf, changing, delivered, detach, documented, named, Play, reply } from "./play.ts";

const command = (device: string | undefined, body: string, folder?: string, inbound = 9) =>
  ({
    kind: "received",
    inbound,
    message: { kind: "command", ...named(device), body: bodyOf(body), ...(folder === undefined ? {} : { folder }) },
  }) as const;

test.each([
  ['{"method":"set","params":[1],"id":"x-1"}', undefined, { method: "set", params: "[1]", ownId: '"x-1"' }],
  ['{"method":"set"}', "a/b", { method: "set", params: "{}", ownId: "null" }],
  [
    '{"method":"set","params":null,"id":12345678901234567890}',
    undefined,
    { method: "set", params: "null", ownId: "12345678901234567890" },
  ],
  ['{"method":"set","other":1}', undefined, { method: "command", params: '{"method":"set","other":1}', ownId: "null" }],
  ['{"method":1}', "a/b/c", { method: "a.b.c", params: '{"method":1}', ownId: "null" }],
  [" 1.50 ", "go", { method: "go", params: "1.50", ownId: "null" }],
  ["go!", undefined, { method: "command", params: '"go!"', ownId: "null" }],
  ["", "reboot", { method: "reboot", params: '""', ownId: "null" }],
])("callOfCommand() of %j in folder %j", (body, folder, call) => {
  expect(callOfCommand({ kind: "command", body: bodyOf(body), ...(folder === undefined ? {} : { folder }) })).toEqual(
    call,
  );
});

test("callOfCommand() gives bytes that are no text in base64", () => {
  expect(callOfCommand({ kind: "command", body: Uint8Array.of(0xff, 0xfe) }).params).toBe('"//4="');
});

test("handle() gives a command an id of its own, keeps it, and acknowledges upstream when its delivery has ended", () => {
  const play = Play.attached("Device A");
  expect(play.do(command("Device%20A", '{"on":true}', "led/set"))).toEqual([
    { store: "commandIds", value: "1024" },
    {
      store: "command/1",
      value: `{"device":"Device A","method":"led.set","ownId":"null","deadlineMs":${play.now + 60_000}}`,
    },
    { deliver: 5, kind: "command", device: "Device A", id: 1, method: "led.set", params: '{"on":true}', connection: 1 },
  ]);
  expect(play.delivered(5)).toEqual([{ down: "received" }, { down: "delivered" }, { acknowledge: 9 }]);
});

test.each([
  ['{"ok":true}', '{"ok":true}'],
  ['"{\\"ok\\": true}"', '{"ok": true}'],
  ['"[1]"', "[1]"],
  ['"5"', '"5"'],
  ['"ok"', '"ok"'],
  ["null", "null"],
])("handle() publishes the reply %s as telemetry with data %s", (data, unwrapped) => {
  const play = Play.attached("one");
  play.do(command("one", '{"method":"m","id":{"a": 1}}'));
  const [, publish] = play.send(reply("one", 1, data));
  expect(publish).toEqual({
    publish: 6,
    kind: "telemetry",
    device: "one",
    folder: "responses",
    body: `{"id":{"a": 1},"method":"m","data":${unwrapped}}`,
  });
  expect(play.acknowledge(6)).toEqual([delivered(2), { store: "command/1", value: undefined }]);
  expect(play.engine.status(play.now).openCommands).toBe(0);
});

test("handle() matches a reply by its id alone, whatever name it carries", () => {
  const play = Play.attached("one");
  play.do(command("one", '{"method":"m"}'));
  expect(play.send(reply("renamed", 1, "1")).at(-1)).toEqual(expect.objectContaining({ device: "one" }));
  expect(play.engine.status(play.now).devices.map(({ name }) => name)).toEqual(["one"]);
});

test("handle() takes a reply when it comes again, after the disk did not take it", () => {
  const play = Play.attached("one");
  const [, opened] = play.do(command("one", '{"method":"m"}'));
  play.send(reply("one", 1, "1"));
  expect(play.do({ kind: "refused", seq: 1 })).toEqual([]);
  expect(play.do({ kind: "refused", seq: 2 })).toEqual([opened]);
  expect(play.engine.status(play.now).openCommands).toBe(1);
  const [, publish] = play.send(reply("one", 1, "1"));
  expect(publish).toMatchObject({ kind: "telemetry", device: "one", folder: "responses" });
});

test("handle() drops a reply without an open command, and a second one", () => {
  const play = Play.attached("one");
  expect(play.send(reply("one", 1, "1"))).toEqual([{ settle: "2.0", fate: "dropped: unmatched" }]);
  expect(play.send(reply("nobody", 1, "1"))).toEqual([{ settle: "3.0", fate: "dropped: unmatched" }]);
  play.do(command("one", '{"method":"m"}'));
  play.send(reply("one", 1, "1"));
  expect(play.send(reply("one", 1, "1"))).toEqual([{ settle: "5.0", fate: "dropped: unmatched" }]);
});

test("handle() says that there was no reply in time; a late one is unmatched", () => {
  const play = Play.attached("one");
  play.do(command("one", '{"method":"m","id":7}'));
  play.delivered(5);
  expect(play.tick(59_999)).toEqual([]);
  expect(play.tick(1)).toEqual([
    {
      publish: 6,
      kind: "telemetry",
      device: "one",
      folder: "responses",
      body: '{"id":7,"method":"m","error":"timeout"}',
    },
  ]);
  expect(play.send(reply("one", 1, "1"))).toEqual([{ settle: "2.0", fate: "dropped: unmatched" }]);
  expect(play.acknowledge(6)).toEqual([{ store: "command/1", value: undefined }]);
});

test("handle() says that nobody is connected", () => {
  const play = Play.attached("one");
  play.do({ kind: "localDisconnected", connection: 1 });
  const answer = {
    publish: 5,
    kind: "telemetry",
    device: "one",
    folder: "responses",
    body: '{"id":null,"method":"m","error":"offline"}',
  };
  expect(play.do(command("one", '{"method":"m"}'))).toEqual([
    { down: "received" },
    { down: "dropped", reason: "offline" },
    { acknowledge: 9 },
    answer,
  ]);
  play.do({ kind: "localConnected", connection: 2 });
  play.do(command("one", '{"method":"m"}'));
  expect(play.delivered(6, "offline")).toEqual([
    { down: "received" },
    { down: "dropped", reason: "offline" },
    { acknowledge: 9 },
    { store: "command/1", value: undefined },
    { ...answer, publish: 7 },
  ]);
});

test("handle() refuses commands to the gateway itself unless they are listed", () => {
  const play = Play.open({ rules: { commands: { gateway: ["gateway_ping"] } } });
  expect(play.do(command(undefined, '{"method":"gateway_reboot"}'))).toEqual([
    { down: "received" },
    { down: "dropped", reason: "forbidden" },
    { acknowledge: 9 },
    {
      publish: 3,
      kind: "telemetry",
      folder: "responses",
      body: '{"id":null,"method":"gateway_reboot","error":"forbidden"}',
    },
  ]);
  expect(play.do(command(undefined, "{}", "gateway_ping")).at(-1)).toEqual({
    deliver: 4,
    kind: "command",
    id: 1,
    method: "gateway_ping",
    params: "{}",
    connection: 1,
  });
  expect(play.send(reply(undefined, 1, '{"code":200}')).at(-1)).toEqual({
    publish: 5,
    kind: "telemetry",
    folder: "responses",
    body: '{"id":null,"method":"gateway_ping","data":{"code":200}}',
  });
});

test("handle() finds its commands and their time again after a restart, and uses no id twice", () => {
  const play = Play.attached("one");
  play.do(command("one", '{"method":"m"}'));
  play.do(command("one", '{"method":"n"}'));
  play.restart();
  play.do({ kind: "upstreamOpened" }, 59_000);
  play.do({ kind: "localConnected", connection: 1 });
  play.acknowledge(3);
  play.tick(500);
  expect(play.send(reply("one", 2, "1")).at(-1)).toEqual(
    expect.objectContaining({ body: '{"id":null,"method":"n","data":1}' }),
  );
  expect(play.tick(500)).toContainEqual(
    expect.objectContaining({ body: '{"id":null,"method":"m","error":"timeout"}' }),
  );
  expect(play.do(command("one", '{"method":"o"}'))).toContainEqual(expect.objectContaining({ id: 1025 }));
});

test("handle() takes a reply on arrival, so that no time-out overtakes it in the backlog", () => {
  const play = Play.attached("one");
  play.do(command("one", '{"method":"m"}'));
  play.delivered(5);
  play.arrive(7, [reply("one", 1, "1")], false);
  expect(play.tick(60_000)).toEqual([]);
  play.restart();
  play.do({ kind: "upstreamOpened" });
  play.acknowledge(3);
  play.tick(500);
  expect(play.arrive(7, [reply("one", 1, "1")], true, "ended")).toEqual([
    expect.objectContaining({ body: '{"id":null,"method":"m","data":1}' }),
  ]);
});

test("handle() sends replies before other devices' data when the cloud is slow", () => {
  const limits = { ...documented.limits, messagesPerSecond: 10 };
  const play = Play.open({ upstream: { ...documented, limits }, settleMs: 0 });
  play.tick(1000);
  play.bring("one");
  play.tick(1000);
  play.do(command("one", '{"method":"m"}'));
  for (let ts = 1; ts <= 5; ts++) {
    play.send({ kind: "telemetry", ...named("one"), points: [{ ts, values: "{}" as never }] });
  }
  play.send(reply("one", 1, "1"));
  expect(play.tick(125)).toEqual([expect.objectContaining({ folder: "responses" })]);
  expect(play.tick(125)).toEqual([expect.objectContaining({ body: expect.stringMatching(/^\[/) })]);
});

test("handle() answers nothing for a device that has been disconnected meanwhile", () => {
  const play = Play.attached("one");
  play.do(command("one", '{"method":"m"}'));
  play.delivered(5);
  play.send(detach("one"));
  expect(play.acknowledge(6)).toContainEqual({ store: "command/1", value: undefined });
  expect(play.send(reply("one", 1, "1"))).toEqual([{ settle: "3.0", fate: "dropped: unmatched" }]);
  expect(play.tick(60_000)).toEqual([]);
});

test("handle() passes calls and replies on with their ids between equal clouds", () => {
  const play = Play.open({ upstream: changing });
  play.bring("a/b");
  const message = { kind: "command", ...named("a/b"), id: 0, method: "m", params: "1" as never } as const;
  expect(play.do({ kind: "received", inbound: 5, message })).toEqual([
    { deliver: 5, kind: "command", device: "a/b", id: 0, method: "m", params: "1" },
  ]);
  play.delivered(5);
  expect(play.send(reply("a/b", 0, '"{}"'))).toEqual([
    { publish: 6, kind: "commandResponse", device: "a/b", id: 0, data: '"{}"' },
  ]);
  expect(play.acknowledge(6)).toEqual([delivered(2)]);
});
