import { expect, test } from "vitest";
import type { JsonText } from "../../src/message/json.ts";
import type { DeviceId, DownMessage } from "../../src/message/message.ts";
import { attach, changing, documented, isPublish, named, Play, type Setup, telemetry } from "./play.ts";

const sides = { local: documented, upstream: changing };

function attached(setup: Setup = sides): Play {
  const play = Play.open(setup);
  bring(play, "one");
  return play;
}

function bring(play: Play, device: string, id: string = device): void {
  const [publish] = play.send(attach(device)).filter(isPublish);
  for (const asked of play.acknowledge(publish?.publish ?? 0).filter(isPublish)) {
    play.acknowledge(asked.publish);
    play.answer({ kind: "attributesResponse", ...named(id), id: asked.id });
  }
}

function reconnect(play: Play): readonly { publish: number; kind: string; device?: string }[] {
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  return play.do({ kind: "upstreamOpened" }).filter(isPublish);
}

function body(text: string) {
  return { kind: "telemetry", ...named("one"), body: Buffer.from(text) } as const;
}

const removed: DownMessage = { kind: "removed", device: "one" as DeviceId, id: 5 };
const renamed: DownMessage = { kind: "renamed", device: "one" as DeviceId, name: "first", id: 6 };
const success = (id: number) => expect.objectContaining({ kind: "commandResponse", id, data: '{"success":true}' });

test("handle() tells the gateway that a device was removed, answers the cloud, and attaches it no more by itself", () => {
  const play = attached();
  const effects = play.answer(removed);
  expect(effects).toContainEqual(success(5));
  expect(effects).toContainEqual(
    expect.objectContaining({ kind: "error", device: "one", code: "GATEWAY_DETACHMENT_DEVICE_ERROR", connection: 1 }),
  );
  expect([...play.facts.keys()]).toEqual([]);
  expect(reconnect(play).filter(({ kind }) => kind === "attach")).toEqual([]);
  expect(play.send(attach("one"))).toEqual([expect.objectContaining({ kind: "attach", device: "one" })]);
});

test("handle() holds what waits for a device that was removed, until the gateway attaches it anew", () => {
  const play = attached();
  play.send(body("1"));
  expect(play.answer(removed)).toContainEqual({ settle: "2.0", fate: "held: removed" });
  expect(play.tick(3_600_000).filter(isPublish)).toEqual([]);
  expect(play.send(attach("one")).filter(isPublish)).toContainEqual(
    expect.objectContaining({ kind: "attach", device: "one" }),
  );
});

test("handle() keeps the name of a renamed device here, and uses the new one with the next connection", () => {
  const play = attached();
  expect(play.answer(renamed)).toEqual([{ store: "alias/one", value: "first" }, success(6)]);
  expect(play.send(body("1"))).toEqual([expect.objectContaining({ kind: "telemetry", device: "one" })]);
  const again = reconnect(play).find(({ kind }) => kind === "attach");
  expect(again?.device).toBe("first");
  expect(play.acknowledge(again?.publish ?? 0).filter(isPublish)).toContainEqual(
    expect.objectContaining({ kind: "telemetry", device: "first" }),
  );
  const message = { kind: "command", ...named("first"), id: 0, method: "m" } as const;
  expect(play.answer(message)).toEqual([expect.objectContaining({ kind: "command", device: "one" })]);
});

test("handle() knows a renamed device after a restart, and follows it through a second name", () => {
  const play = attached();
  play.answer(renamed);
  play.answer({ kind: "renamed", device: "first" as DeviceId, name: "second" });
  play.restart();
  play.do({ kind: "localConnected", connection: 1 });
  play.openUpstream();
  expect(play.engine.status(play.now).devices).toEqual([
    expect.objectContaining({ name: "one", upstreamId: "second" }),
  ]);
});

test("handle() does not let two devices of a gateway meet in one name", () => {
  const play = attached();
  bring(play, "first");
  expect(play.answer(renamed)).toEqual([success(6)]);
  expect(
    reconnect(play)
      .filter(({ kind }) => kind === "attach")
      .map(({ device }) => device),
  ).toEqual(["one", "first"]);
});

test("handle() answers for a device that it does not know, and says nothing down", () => {
  expect(attached().answer({ ...removed, device: "nobody" as DeviceId })).toEqual([success(5)]);
});

test("handle() attaches a device again that the cloud has detached, slower each time", () => {
  const play = attached();
  const detached: DownMessage = { kind: "detached", device: "one" as DeviceId, reason: 150 };
  expect(play.answer(detached)).toEqual([]);
  const [again] = play.tick(5000).filter(isPublish);
  expect(again).toMatchObject({ kind: "attach", device: "one" });
  play.acknowledge(again?.publish ?? 0);
  play.answer(detached);
  expect(play.tick(5000).filter(isPublish)).toEqual([]);
  expect(play.tick(5000).filter(isPublish)).toContainEqual(expect.objectContaining({ kind: "attach", device: "one" }));
});

test("handle() passes removed, renamed and detached devices to a gateway that understands, and lets it answer", () => {
  const play = attached({ upstream: changing });
  for (const message of [renamed, removed, { kind: "detached", device: "one" as DeviceId, reason: 150 } as const]) {
    const effects = play.answer(message);
    expect(effects).toContainEqual(expect.objectContaining({ ...message }));
    expect(effects.filter(isPublish)).toEqual([]);
  }
  play.do({ kind: "localDisconnected", connection: 1 });
  expect(play.answer(removed).filter(isPublish)).toEqual([success(5)]);
});

test("handle() holds a device that the cloud does not attach, and says so on the gateway's errors topic", () => {
  const play = Play.open(sides);
  const [publish] = play.send(attach("one")).filter(isPublish);
  const effects = play.acknowledge(publish?.publish ?? 0, 0x80);
  expect(effects).toContainEqual({ settle: "1.0", fate: "held: attach-refused: code 0x80" });
  expect(effects).toContainEqual(
    expect.objectContaining({ kind: "error", device: "one", code: "GATEWAY_ATTACHMENT_ERROR" }),
  );
});

test("handle() attaches more slowly where the cloud has no room now, and holds the device in the end", () => {
  const play = Play.open(sides);
  let [publish] = play.send(attach("one")).filter(isPublish);
  for (const delayMs of [1000, 2000]) {
    expect(play.acknowledge(publish?.publish ?? 0, 0x97)).toEqual([]);
    expect(play.tick(delayMs - 1)).toEqual([]);
    [publish] = play.tick(1).filter(isPublish);
    expect(publish).toMatchObject({ kind: "attach", device: "one" });
  }
  expect(play.acknowledge(publish?.publish ?? 0, 0x97)).toContainEqual({
    settle: "1.0",
    fate: "held: attach-refused: code 0x97",
  });
});

test("handle() passes an error of the cloud on to a gateway that has a topic for it", () => {
  const play = Play.attached("one", { local: documented });
  const error: DownMessage = {
    ...{ kind: "error", device: "one" as DeviceId, code: "GATEWAY_DETACHMENT_DEVICE_ERROR", description: "elsewhere" },
    ...{ topic: "/devices/one/events", packetId: 7, messageType: "PUBLISH" },
  };
  expect(play.answer(error)).toContainEqual({
    deliver: 5,
    ...{ kind: "error", device: "one", code: "GATEWAY_DETACHMENT_DEVICE_ERROR", description: "elsewhere" },
    connection: 1,
  });
});

test("handle() asks something about a device that has been quiet for 5 min, so that the cloud does not forget it", () => {
  const play = attached({ upstream: changing });
  play.tick(200_000);
  const [sent] = play.send(telemetry("one", "{}", 1)).filter(isPublish);
  play.acknowledge(sent?.publish ?? 0);
  expect(play.tick(299_999)).toEqual([]);
  const [asked] = play.tick(1).filter(isPublish);
  expect(asked).toMatchObject({ kind: "attributesRequest", device: "one" });
  play.acknowledge(asked?.publish ?? 0);
  expect(play.answer({ kind: "attributesResponse", ...named("one"), id: asked?.id ?? 0 })).toEqual([]);
  expect(play.tick(300_000).filter(isPublish)).toHaveLength(1);
});

test("handle() keeps a gateway's own configuration back between equal clouds, whatever it asks for", () => {
  const play = Play.open({ upstream: changing });
  const request = { kind: "attributesRequest", id: 1 } as const;
  expect(play.send(request)).toEqual([{ deliver: 4, kind: "attributesResponse", id: 1, connection: 1 }]);
  expect(play.send({ ...request, sharedKeys: ["a"] })).toEqual([
    { deliver: 5, kind: "attributesResponse", id: 1, connection: 1 },
  ]);
  expect(play.send({ ...request, clientKeys: ["c"], sharedKeys: ["a"] })).toEqual([
    { publish: 6, kind: "attributesRequest", id: 1, clientKeys: ["c"] },
  ]);
  const open = Play.open({ upstream: changing, rules: { config: { gateway: "forward" } } });
  expect(open.send(request)).toEqual([{ publish: 4, ...request }]);
});

test("handle() tells a gateway what its cloud allows, with something to spare", () => {
  const play = new Play({ upstream: changing });
  play.do({ kind: "localConnected", connection: 1 });
  const [asked] = play.do({ kind: "upstreamOpened" }).filter(isPublish);
  const data =
    '{"rateLimits":{"messages":"10:1"},"gatewayRateLimits":{"messages":"20:1,600:60","telemetryDataPoints":"200:1"}}';
  play.answer({ kind: "callResult", id: asked?.id ?? 0, data: data as JsonText });
  const [told] = play.send({ kind: "call", id: 1, method: "getSessionLimits" });
  expect(JSON.parse((told as { data: string }).data)).toEqual({
    ...{ maxPayloadSize: 65536, maxInflightMessages: 256, rateLimits: { messages: "8:1" } },
    gatewayRateLimits: { messages: "16:1,480:60", telemetryDataPoints: "160:1" },
  });
});
