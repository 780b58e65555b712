import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type Admin, type AdminSource, openAdmin } from "../../src/admin/admin.ts";
import { EventStream } from "../../src/admin/event-stream.ts";
import { History } from "../../src/admin/history.ts";
import { StatusTicker } from "../../src/admin/status-ticker.ts";
import { emptyLedger } from "../../src/message/fate.ts";
import type { PlaygroundRequest } from "../../src/message/playground.ts";
import { Secret } from "../../src/message/secret.ts";
import type { BridgeStatus, DeviceStatus } from "../../src/message/status.ts";
import type { TraceFilter, TraceLine, TraceListener } from "../../src/message/trace.ts";
import { readEvents } from "../bridge/event-reader.ts";
import { eventually } from "../bridge/harness.ts";
import { brokenGateway, sampleGateway, sampleStatus } from "./sample-status.ts";

const token = "a-token-of-some-length";

/** A bridge whose packets a test makes up. */
function sampleSource(status: () => BridgeStatus = () => sampleStatus([sampleGateway("gw-1"), brokenGateway("gw-2")])) {
  const listening: { readonly filter: TraceFilter; readonly listener: TraceListener }[] = [];
  const tried: PlaygroundRequest[] = [];
  const source: AdminSource = {
    ...{ status, ledger: emptyLedger, ledgers: () => ({}) },
    trace: {
      listen(filter, listener) {
        const one = { filter, listener };
        listening.push(one);
        return () => listening.splice(listening.indexOf(one), 1);
      },
    },
    playground: {
      dialects: async () => [],
      async try(request) {
        tried.push(request);
        return { mistakes: [] };
      },
    },
  };
  return { source, listening, tried };
}

async function open(source: AdminSource, options: { readonly token?: Secret } = {}): Promise<Admin> {
  const admin = await openAdmin({ listen: "http://127.0.0.1:0", ...options }, source);
  onTestFinished(() => admin.close());
  return admin;
}

function sampleLine(id: number, payload = "{}"): TraceLine {
  const packet = { topic: "v1/gateway/telemetry", payload, bytes: payload.length, qos: 1 } as const;
  return { id, atMs: 0, gateway: "gw-1", side: "local", direction: "in", ...packet, messages: [] };
}

describe("/events", () => {
  test("tells the status at once and again when it changes, and no trace unless asked", async () => {
    let version = "1";
    const { source, listening } = sampleSource(() => sampleStatus([sampleGateway("gw-1")], { version }));
    const admin = await open(source);
    const { response, events } = await readEvents(admin.url);
    expect([response.status, response.headers.get("content-type"), response.headers.get("cache-control")]).toEqual([
      ...[200, "text/event-stream; charset=utf-8", "no-store"],
    ]);
    await events.next(({ event, data }) => event === "status" && (data as BridgeStatus).version === "1");
    version = "2";
    await events.next(({ event, data }) => event === "status" && (data as BridgeStatus).version === "2");
    expect(listening).toEqual([]);
  });

  test("tells a large plant's status less often, with the first devices of all", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const device = { name: "x".repeat(1_000), state: "attached", waiting: 0 } as const;
    const gateways = Array.from({ length: 3_000 }, (_, index) =>
      sampleGateway(`gw-${index}`, { devices: [device, device], inFlight: index }),
    );
    let version = 0;
    const ticker = new StatusTicker(() => sampleStatus(gateways, { version: `${version++}` }));
    const said: string[] = [];
    const end = ticker.listen((json) => said.push(json));
    vi.advanceTimersByTime(60_000);
    end();
    const { length } = said[0] ?? "";
    expect(length).toBeGreaterThan(1024 * 1024);
    expect(said.length).toBeGreaterThan(1);
    expect(said.length - 1).toBeLessThanOrEqual(60 / (length / (512 * 1024)));
    const told = (JSON.parse(said[1] ?? "") as BridgeStatus).gateways;
    expect(told.reduce((sum, { devices }) => sum + devices.length, 0)).toBe(100);
    expect(told[2_999]).toMatchObject({ devices: [], deviceCounts: { attached: 2 } });
  });

  test("tells the first devices of a large gateway only; /devices has them all", async () => {
    const devices = Array.from({ length: 5000 }, (_, index): DeviceStatus => {
      return { name: `pump-${String(index).padStart(4, "0")}`, state: "attached", waiting: 0 };
    });
    const { source } = sampleSource(() => sampleStatus([sampleGateway("gw-1", { devices })]));
    const admin = await open(source);
    const { events } = await readEvents(admin.url);
    const { data } = await events.next(({ event }) => event === "status");
    const [report] = (data as BridgeStatus).gateways;
    expect(report?.devices).toHaveLength(100);
    expect(report?.deviceCounts).toEqual({ attached: 5000 });
    const page = await (await fetch(`${admin.url}/devices?search=PUMP-49&offset=90&limit=200`)).json();
    expect(page).toMatchObject({ total: 100, devices: devices.slice(4990).map(({ name }) => ({ device: name })) });
    const most = (await (await fetch(`${admin.url}/devices?limit=5000`)).json()) as { devices: object[] };
    expect(most.devices).toHaveLength(200);
  });

  test("hands the filter on, and ends the trace with the reader", async () => {
    const { source, listening } = sampleSource();
    const admin = await open(source);
    const { close, lines } = await readEvents(admin.url, "?trace=1&gateway=gw-1&device=Device%20A&kind=telemetry");
    expect(listening.map(({ filter }) => filter)).toEqual([{ gateway: "gw-1", device: "Device A", kind: "telemetry" }]);
    listening[0]?.listener.line(sampleLine(1));
    await lines.next(({ id }) => id === 1);
    close();
    await eventually(() => listening.length).toBe(0);
  });

  test("bounds what waits for a reader that does not read, and counts what is left out", async () => {
    const { source, listening } = sampleSource();
    const admin = await open(source);
    const socket = await rawRequest(admin, "GET /events?trace=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "readable");
    const other = await readEvents(admin.url, "?trace=1");
    const sent = 20_000;
    const payload = "x".repeat(4000);
    for (let id = 1; id <= sent; id += 1) {
      for (const { listener } of listening) listener.line(sampleLine(id, payload));
      // Turns go by, so that a reader who reads gets what it can.
      if (id % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await eventually(() => other.lines.all.length + missedIn(other.events.all)).toBe(sent);

    let text = "";
    socket.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    const count = () => (text.match(/"id":\d+/g) ?? []).length;
    const missed = () =>
      [...text.matchAll(/event: missed\ndata: \{"count":(\d+)\}/g)].reduce((sum, [, n]) => sum + Number(n), 0);
    await eventually(() => count() + missed()).toBe(sent);
    // What the kernel took, and our bound: far from the 80 MB that were sent.
    expect(count()).toBeLessThan(sent / 2);
    expect(missed()).toBeGreaterThan(sent / 2);
  });

  test("has room for so many readers, and for others when those are gone", async () => {
    const { source } = sampleSource();
    const admin = await open(source);
    const readers = await Promise.all(Array.from({ length: 16 }, () => readEvents(admin.url)));
    expect(readers.map(({ response }) => response.status)).toEqual(new Array(16).fill(200));
    expect((await fetch(`${admin.url}/events`)).status).toBe(503);
    for (const { close } of readers) close();
    await eventually(async () => (await readEvents(admin.url)).response.status).toBe(200);
  });

  test("ends with the server, at once", async () => {
    const { source, listening } = sampleSource();
    const admin = await open(source);
    const socket = await rawRequest(admin, "GET /events?trace=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "readable");
    const ended = once(socket.resume(), "close");
    await Promise.all([admin.close(), ended]);
    expect(listening).toEqual([]);
  });

  test("answers HEAD without opening a stream", async () => {
    const { source, listening } = sampleSource();
    const admin = await open(source);
    for (let times = 0; times < 20; times += 1) {
      expect((await fetch(`${admin.url}/events?trace=1`, { method: "HEAD" })).status).toBe(200);
    }
    expect(listening).toEqual([]);
  });
});

test("EventStream cuts off a reader that has taken nothing for half a minute", async () => {
  let nowMs = 0;
  let isCutOff = false;
  const stream = new EventStream({
    now: () => nowMs,
    cutOff: () => {
      isCutOff = true;
    },
  });
  const hasEnded = new Promise<void>((resolve) => stream.onEnd(resolve));
  stream.status(`"${"x".repeat(100_000)}"`);
  // Each look at the clock finds it ten seconds on.
  const cutOffMs = await new Promise<number>((resolve) => {
    const ticking = setInterval(() => {
      if (isCutOff) resolve(nowMs);
      else nowMs += 10_000;
    }, 300);
    onTestFinished(() => clearInterval(ticking));
  });
  expect(cutOffMs).toBeGreaterThanOrEqual(30_000);
  await hasEnded;
});

describe("the live routes keep out", () => {
  const routes = [
    ["GET", "/events"],
    ["GET", "/history"],
    ["GET", "/devices"],
    ["GET", "/playground"],
    ["POST", "/playground"],
  ] as const;
  const body = JSON.stringify({ local: "google", upstream: "google", direction: "up", topic: "a", payload: "b" });
  const init = (method: string, headers: Record<string, string> = {}) =>
    method === "POST"
      ? { method, body, headers: { "content-type": "application/json", ...headers } }
      : { method, headers };

  test.each(routes)("%s %s without the token", async (method, path) => {
    const { source, listening, tried } = sampleSource();
    const admin = await open(source, { token: new Secret(token) });
    expect((await fetch(`${admin.url}${path}`, init(method))).status).toBe(401);
    expect((await fetch(`${admin.url}${path}?token=${token}`, init(method))).status).toBe(401);
    expect([listening, tried]).toEqual([[], []]);
    const response = await fetch(`${admin.url}${path}`, init(method, { authorization: `Bearer ${token}` }));
    expect(response.status).toBe(200);
    await response.body?.cancel();
  });

  test.each(routes)("%s %s for a page that has its own name resolve to this machine", async (method, path) => {
    const { source, tried } = sampleSource();
    const admin = await open(source);
    const head = `${method} ${path} HTTP/1.1\r\nHost: evil.example:9464\r\nConnection: close\r\n`;
    const rest =
      method === "POST" ? `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}` : "\r\n";
    const socket = await rawRequest(admin, head + rest);
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    expect(tried).toEqual([]);
  });

  test.each([
    ["GET", "/events"],
    ["POST", "/playground"],
  ] as const)("%s %s for pages of other origins", async (method, path) => {
    const { source, listening, tried } = sampleSource();
    const admin = await open(source);
    for (const headers of [{ origin: "http://evil.example" }, { "sec-fetch-site": "cross-site" }] as const) {
      const response = await fetch(`${admin.url}${path}`, init(method, headers as Record<string, string>));
      expect(response.status).toBe(403);
    }
    expect([listening, tried]).toEqual([[], []]);
  });

  test("a form, a body that is too large and what is no request to try", async () => {
    const { source, tried } = sampleSource();
    const admin = await open(source);
    const post = async (text: string, type = "application/json") => {
      const response = await fetch(`${admin.url}/playground`, {
        method: "POST",
        body: text,
        headers: { "content-type": type },
      });
      return [response.status, ((await response.json()) as { error?: string }).error];
    };
    expect(await post(body, "text/plain")).toEqual([415, "wanted content-type: application/json"]);
    expect(await post(JSON.stringify({ ...JSON.parse(body), payload: "x".repeat(256 * 1024) }))).toEqual([
      413,
      "the body is too large",
    ]);
    expect(await post("{")).toEqual([400, "wanted a JSON object"]);
    expect(await post(JSON.stringify({ ...JSON.parse(body), direction: "sideways" }))).toEqual([
      400,
      '"direction" must be "up" or "down"',
    ]);
    expect(await post(JSON.stringify({ ...JSON.parse(body), topic: 5 }))).toEqual([400, '"topic" must be text']);
    expect(await post(JSON.stringify({ ...JSON.parse(body), mappings: { plant: "" } }))).toEqual([
      400,
      'found "plant" in "mappings", wanted one of local, upstream, deployment',
    ]);
    expect(tried).toEqual([]);
    expect(await post(body)).toEqual([200, undefined]);
    expect(tried).toHaveLength(1);
  });

  test.each(["/history?seconds=-1", "/history?seconds=x", "/devices?limit=1.5", `/devices?search=${"x".repeat(2000)}`])(
    "%s",
    async (path) => {
      const { source } = sampleSource();
      const admin = await open(source);
      expect((await fetch(`${admin.url}${path}`)).status).toBe(400);
    },
  );
});

test("/devices tells why and since when a device is held, and filters by gateway", async () => {
  const broken = brokenGateway("gw-2");
  const devices = broken.devices.map((device) => (device.state === "held" ? { ...device, heldSinceMs: 5 } : device));
  const { source } = sampleSource(() => sampleStatus([sampleGateway("gw-1"), { ...broken, devices }]));
  const admin = await open(source);
  expect(await (await fetch(`${admin.url}/devices?gateway=gw-2&search=device`)).json()).toEqual({
    total: 2,
    devices: [
      { device: "Device B", gateway: "gw-2", attached: true, state: "attached", waiting: 0 },
      {
        ...{ device: "Device C", gateway: "gw-2", attached: false, state: "held", waiting: 31 },
        ...{ lastSeenMs: expect.any(Number), held: { reason: "GATEWAY_ATTACHMENT_ERROR", sinceMs: 5 } },
      },
    ],
  });
});

test("History keeps a point per second for five minutes and one per ten seconds for an hour", () => {
  let nowMs = 0;
  const ledger = emptyLedger();
  const history = new History(
    () => ledger,
    () => nowMs,
  );
  onTestFinished(() => history.close());
  for (let second = 1; second <= 7200; second += 1) {
    nowMs = second * 1000;
    ledger.received = second;
    ledger.dropped = { gone: 1, full: second };
    history.note();
  }
  const fine = history.document(300);
  expect([fine.stepMs, fine.points.length, fine.points.at(-1)]).toEqual([
    ...[1000, 300],
    { atMs: nowMs, received: 7200, delivered: 0, pending: 0, held: 0, quarantined: 0, dropped: 7201 },
  ]);
  const coarse = history.document(3600);
  expect([coarse.stepMs, coarse.points.length]).toEqual([10_000, 360]);
  expect(history.document(10).points.map(({ received }) => received)).toEqual([
    ...[7190, 7191, 7192, 7193, 7194, 7195, 7196, 7197, 7198, 7199, 7200],
  ]);
});

async function rawRequest(admin: Admin, text: string): Promise<Socket> {
  const socket = connect(Number(new URL(admin.url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

function missedIn(events: readonly { readonly event: string; readonly data: unknown }[]): number {
  return events
    .filter(({ event }) => event === "missed")
    .reduce((sum, { data }) => sum + (data as { count: number }).count, 0);
}
