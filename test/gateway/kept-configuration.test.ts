import { expect, test } from "vitest";
import type { DeviceId, DownMessage } from "../../src/message/message.ts";
import { documented, named, Play } from "./play.ts";

/** A cloud of documents, and a gateway of such a cloud in front; tokens 1 and 2 are used. */
const open = () => Play.open({ local: documented });
const config = (device: string | undefined, body: string): DownMessage => ({
  kind: "config",
  ...named(device),
  body: Buffer.from(body),
});
const receive = (play: Play, body: string, inbound?: number, device?: string) =>
  play.do({ kind: "received", message: config(device, body), inbound });
const subscribe = (play: Play, connection = 1, device?: string) =>
  play.do({ kind: "localSubscribed", connection, heard: [{ kind: "config", ...named(device) }] });
const given = (token: number, body: string) => ({ deliver: token, kind: "config", body, connection: 1 });
const stored = (body: string) => [
  { store: "document/", value: Buffer.from(body).toString("base64") },
  { store: "documentTaken/", value: undefined },
];
const taken = [{ store: "documentTaken/", value: "" }, { down: "delivered" }];

test("a document is given as it comes, and acknowledged upstream when it is taken", () => {
  const play = open();
  expect(receive(play, "a", 7)).toEqual([{ down: "received" }, ...stored("a"), given(3, "a")]);
  expect(play.delivered(3)).toEqual([...taken, { acknowledge: 7 }]);
  // The same once more, as after each connect upstream.
  expect(receive(play, "a", 8)).toEqual([{ acknowledge: 8 }]);
});

test("a document that nobody listens for waits, and only the newest is given when somebody does", () => {
  const play = open();
  receive(play, "a", 7);
  expect(play.delivered(3, "unsubscribed")).toEqual([]);
  expect(receive(play, "a", 8)).toEqual([given(4, "a")]);
  play.delivered(4, "unsubscribed");
  expect(receive(play, "b", 9)).toEqual([
    ...[{ down: "received" }, { down: "dropped", reason: "superseded" }],
    ...[...stored("b"), given(5, "b")],
  ]);
  play.delivered(5, "unsubscribed");
  expect(subscribe(play)).toEqual([given(6, "b")]);
  expect(play.delivered(6)).toEqual([...taken, { acknowledge: 7 }, { acknowledge: 8 }, { acknowledge: 9 }]);
});

test("every subscription gets the document, also one that comes while it is under way", () => {
  const play = open();
  receive(play, "a");
  play.delivered(3);
  expect(subscribe(play)).toEqual([given(4, "a")]);
  expect(subscribe(play)).toEqual([]);
  expect(play.delivered(4, "written")).toEqual([given(5, "a")]);
  expect(play.delivered(5)).toEqual([]);
});

test("what comes while one is under way follows it", () => {
  const play = open();
  receive(play, "a", 7);
  expect(receive(play, "b", 8)).toEqual([
    ...[{ down: "received" }, { down: "dropped", reason: "superseded" }],
    ...stored("b"),
  ]);
  expect(play.delivered(3)).toEqual([given(4, "b")]);
  expect(play.delivered(4)).toEqual([...taken, { acknowledge: 7 }, { acknowledge: 8 }]);
});

test("a document that is refused is offered again after a while", () => {
  const play = open();
  receive(play, "a", 7);
  expect(play.delivered(3, "rejected")).toEqual([]);
  expect(play.tick(4999)).toEqual([]);
  expect(play.tick(1)).toEqual([given(4, "a")]);
  expect(play.delivered(4)).toEqual([...taken, { acknowledge: 7 }]);
});

test("a document waits for the gateway to come back; handles of an ended connection do not", () => {
  const play = open();
  receive(play, "a", 7);
  play.do({ kind: "localDisconnected", connection: 1 });
  expect(play.delivered(3, "offline")).toEqual([]);
  play.do({ kind: "upstreamClosed", reason: "reset", unacknowledged: [] });
  play.do({ kind: "localConnected", connection: 2 });
  expect(play.delivered(4, "unsubscribed")).toEqual([]);
  expect(subscribe(play, 2)).toEqual([{ ...given(5, "a"), connection: 2 }]);
  expect(play.delivered(5)).toEqual(taken);
});

test("a restart forgets neither the document nor whether it was taken", () => {
  const play = open();
  receive(play, "a");
  play.delivered(3);
  play.restart();
  play.do({ kind: "localConnected", connection: 2 });
  expect(subscribe(play, 2)).toEqual([{ deliver: 1, kind: "config", body: "a", connection: 2 }]);
  expect(play.delivered(1)).toEqual([]);
  receive(play, "b");
  play.restart();
  expect(play.do({ kind: "localConnected", connection: 3 })).toEqual([
    { deliver: 1, kind: "config", body: "b", connection: 3 },
  ]);
  expect(play.delivered(1)).toEqual(taken);
});

test("with its device a document goes", () => {
  const play = open();
  play.bring("one");
  const message = config("one", "a");
  play.do({ kind: "received", message, inbound: 7 });
  const detach = play.send({ kind: "detach", device: "one" as DeviceId });
  const { publish } = detach.find((effect) => "publish" in (effect as object)) as { publish: number };
  expect(play.acknowledge(publish)).toEqual(
    expect.arrayContaining([
      { down: "dropped", reason: "offline" },
      { store: "document/one", value: undefined },
    ]),
  );
  expect([...play.facts.keys()].filter((key) => key.startsWith("document"))).toEqual([]);
});
