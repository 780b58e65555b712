import { describe, expect, onTestFinished, test } from "vitest";
import { openUpstream } from "../../src/upstream/connection.ts";
import { Reachability } from "../../src/upstream/reachability.ts";
import { openFakeServer } from "./fake-server.ts";
import { createManualTimers } from "./manual-timers.ts";
import { createRecorder } from "./recorder.ts";

/** A connection that knows of the others through `reachability`; its time is its own. */
function open(url: string, reachability: Reachability) {
  const recorder = createRecorder();
  const time = createManualTimers();
  const connection = openUpstream(
    {
      ...{ url, protocol: 4, keepaliveMs: 60_000, connectTimeoutMs: 30_000, reconnects: [], reachability },
      login: async () => ({ clientId: "gw", username: "unused", password: "secret" }),
      ...{ now: time.now, timers: time.timers, random: () => 0.5 },
    },
    recorder.handlers,
  );
  onTestFinished(() => connection.close());
  return { connection, time, ...recorder };
}

/** A port at which nobody listens now. */
async function freePort(): Promise<number> {
  const server = await openFakeServer();
  await server.close();
  return Number(new URL(server.url).port);
}

describe("after an outage", () => {
  test("the first connection that gets through has the others try at once", async () => {
    const port = await freePort();
    const url = `mqtt://127.0.0.1:${port}`;
    const reachability = new Reachability();
    const [first, second] = [open(url, reachability), open(url, reachability)];
    expect(await first.next("closed")).toMatchObject({ reason: "refused" });
    expect(await second.next("closed")).toMatchObject({ reason: "refused" });
    const server = await openFakeServer({ port });
    onTestFinished(() => server.close());
    first.time.advance(2000);
    await (await server.peer()).accept();
    await first.next("opened");
    await (await server.peer()).accept();
    // Without any time of its own having passed.
    await second.next("opened");
  });

  test("a wait is cut short once, then it takes what it takes", async () => {
    const port = await freePort();
    const reachability = new Reachability();
    const waits = open(`mqtt://127.0.0.1:${port}`, reachability);
    const reached = () => reachability.reached({ host: "127.0.0.1", port, isTls: false });
    await waits.next("closed");
    reached();
    expect(await waits.next("closed")).toMatchObject({ reason: "refused" });
    reached();
    expect(waits.connection.state).toBe("waiting");
    expect(waits.time.due()).toEqual([2500]);
  });

  test("whoever got an answer, waits for another place, or is closed, is left alone", async () => {
    const reachability = new Reachability();
    const server = await openFakeServer();
    onTestFinished(() => server.close());
    const answered = open(server.url, reachability);
    (await server.peer()).socket.write(Buffer.from([0x20, 2, 0, 3]));
    expect(await answered.next("closed")).toMatchObject({ reason: "connack-3" });
    const port = await freePort();
    const elsewhere = open(`mqtt://127.0.0.1:${port}`, reachability);
    await elsewhere.next("closed");
    reachability.reached({ host: "127.0.0.1", port: Number(new URL(server.url).port), isTls: false });
    expect(answered.connection.state).toBe("waiting");
    expect(elsewhere.connection.state).toBe("waiting");
    await elsewhere.connection.close();
    reachability.reached({ host: "127.0.0.1", port, isTls: false });
    expect(elsewhere.connection.state).toBe("closed");
  });
});

test("an attempt that was begun before another connection got through, and fails after that, is made again at once", async () => {
  const reachability = new Reachability();
  const server = await openFakeServer();
  onTestFinished(() => server.close());
  const late = open(server.url, reachability);
  // Its packets get lost: it will not be answered.
  const lost = await server.peer();
  await lost.nextOf("connect");
  const first = open(server.url, reachability);
  await (await server.peer()).accept();
  await first.next("opened");
  late.time.advance(30_000);
  expect(await late.next("closed")).toMatchObject({ reason: "timeout" });
  expect(late.time.due()).toEqual([0]);
  late.time.advance(0);
  await (await server.peer()).nextOf("connect");
  // Once only.
  late.time.advance(30_000);
  expect(await late.next("closed")).toMatchObject({ reason: "timeout" });
  expect(late.time.due()).toEqual([2500]);
});

test("who got through before an attempt was begun does not spare it the wait", async () => {
  const reachability = new Reachability();
  const server = await openFakeServer();
  onTestFinished(() => server.close());
  const broken = open(server.url, reachability);
  const peer = await server.peer();
  await peer.accept();
  await broken.next("opened");
  reachability.reached({ host: "127.0.0.1", port: Number(new URL(server.url).port), isTls: false });
  await server.close();
  await broken.next("closed");
  expect(broken.time.due()).toEqual([1500]);
  broken.time.advance(1500);
  expect(await broken.next("closed")).toMatchObject({ reason: "refused" });
  expect(broken.time.due()).toEqual([1500]);
});
