import { afterEach, describe, expect, test } from "vitest";
import { type Admin, openAdmin } from "../../src/admin/admin.ts";
import type { LogControl, LogEvent } from "../../src/message/log.ts";
import { Secret } from "../../src/message/secret.ts";
import type { TraceFilter, TraceLine, TraceListener, TraceSource } from "../../src/message/trace.ts";
import { sampleStatus } from "./sample-status.ts";

const opened: Admin[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const line: TraceLine = {
  ...{ id: 7, atMs: 1, gateway: "gw-1", side: "local", direction: "in", topic: "v1/gateway/telemetry" },
  ...{ payload: '{"Device A":[]}', bytes: 15, qos: 1, records: [3] },
  rule: { name: "telemetry", file: "thingsboard.yaml", line: 40 },
  messages: [{ kind: "telemetry", device: "Device A", text: '{"points":[]}' }],
} as TraceLine;

async function open(token?: Secret) {
  const written: { readonly fields: object; readonly event: LogEvent }[] = [];
  const listening = new Map<TraceListener, TraceFilter>();
  const log: LogControl = {
    level: "info",
    insist: (fields, event) => written.push({ fields, event }),
    suppressed: { "packet-not-understood": 5 },
  };
  const trace: TraceSource = {
    listen(filter, listener) {
      listening.set(listener, filter);
      return () => listening.delete(listener);
    },
  };
  const status = sampleStatus([]);
  const source = { status: () => status, ledger: () => status.ledger, ledgers: () => ({}), log, trace };
  const options = { listen: "http://127.0.0.1:0", ...(token === undefined ? {} : { token }) };
  const admin = await openAdmin(options, source);
  opened.push(admin);
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(new URL(path, admin.url), {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, json: (await answer.json()) as Readonly<Record<string, unknown>> };
  };
  return { admin, ask, listening, log, written };
}

describe("/log", () => {
  test("says the level, whose packets are logged and what was held back; PUT changes the level", async () => {
    const { ask, log } = await open();
    const suppressed = { "packet-not-understood": 5 };
    expect(await ask("GET", "/log")).toEqual({ status: 200, json: { level: "info", packets: [], suppressed } });
    expect(await ask("PUT", "/log", { level: "debug" })).toMatchObject({ status: 200, json: { level: "debug" } });
    expect(log.level).toBe("debug");
  });

  test.each([{}, { level: "loud" }, { level: 3 }, [], "debug"])(
    "PUT %j changes nothing and says what is wanted",
    async (body) => {
      const { ask, log } = await open();
      const { status, json } = await ask("PUT", "/log", body);
      expect([status, log.level]).toEqual([400, "info"]);
      expect(json["error"]).toBe('"level" must be one of trace, debug, info, warn, error, fatal, silent');
    },
  );

  test("wants the token, no other origin, and JSON", async () => {
    const { ask, admin, log, listening } = await open(new Secret("t0ken"));
    const authorization = "Bearer t0ken";
    expect((await ask("PUT", "/log", { level: "debug" })).status).toBe(401);
    expect((await ask("GET", "/log")).status).toBe(401);
    const foreign = { authorization, origin: "http://evil.example" };
    expect((await ask("PUT", "/log", { level: "debug" }, foreign)).status).toBe(403);
    expect((await ask("POST", "/log/packets", { device: "a" }, foreign)).status).toBe(403);
    const plain = { method: "PUT", body: '{"level":"debug"}', headers: { authorization } };
    expect((await fetch(new URL("/log", admin.url), plain)).status).toBe(415);
    expect([log.level, listening.size]).toEqual(["info", 0]);
    expect((await ask("PUT", "/log", { level: "debug" }, { authorization })).status).toBe(200);
    expect((await ask("PATCH", "/log", undefined, { authorization })).status).toBe(405);
  });
});

describe("/log/packets", () => {
  test("POST has a device's packets logged without what they hold, and DELETE ends it", async () => {
    const { ask, listening, written } = await open();
    const before = Date.now();
    const { json } = await ask("POST", "/log/packets", { gateway: "gw-1", device: "Device A", seconds: 60 });
    const [followed] = json["packets"] as readonly { readonly untilMs: number }[];
    expect(followed).toMatchObject({ gateway: "gw-1", device: "Device A" });
    expect(followed?.untilMs).toBeGreaterThanOrEqual(before + 60_000);
    const [[listener, filter] = []] = [...listening];
    expect(filter).toEqual({ gateway: "gw-1", device: "Device A" });
    listener?.line(line);
    listener?.missed();
    listener?.missed();
    listener?.line({ ...line, side: "upstream", direction: "out" });
    const fields = {
      ...{ gateway: "gw-1", topic: "v1/gateway/telemetry", bytes: 15, qos: 1, records: [3] },
      ...{ rule: "thingsboard.yaml:40", messages: ["telemetry Device A"] },
    };
    expect(written).toEqual([
      { event: "packet", fields: { ...fields, side: "local", direction: "in" } },
      { event: "packet", fields: { ...fields, side: "upstream", direction: "out", missed: 2 } },
    ]);
    expect(await ask("DELETE", "/log/packets")).toMatchObject({ status: 200, json: { packets: [] } });
    expect(listening.size).toBe(0);
  });

  test("ends by itself when its time is over, and with the server", async () => {
    const { admin, ask, listening } = await open();
    await ask("POST", "/log/packets", { device: "Device A", seconds: 1 });
    await expect.poll(() => listening.size, { timeout: 60_000 }).toBe(0);
    expect((await ask("GET", "/log")).json["packets"]).toEqual([]);
    await ask("POST", "/log/packets", { device: "Device A" });
    await admin.close();
    expect(listening.size).toBe(0);
  });

  test.each([
    [{}, 'wanted "gateway" or "device"'],
    [{ kind: "telemetry" }, 'wanted "gateway" or "device"'],
    [{ device: "" }, '"device" must be text'],
    [{ device: "a", seconds: 3601 }, '"seconds" must be a whole number from 1 to 3600'],
    [{ device: "a", seconds: "60" }, '"seconds" must be a whole number from 1 to 3600'],
    [{ device: "a", minutes: 1 }, 'found "minutes", wanted gateway, device, kind or seconds'],
    [[], "wanted a JSON object"],
  ])("POST %j begins nothing and says what is wanted", async (body, error) => {
    const { ask, listening } = await open();
    expect(await ask("POST", "/log/packets", body)).toEqual({ status: 400, json: { error } });
    expect(listening.size).toBe(0);
  });

  test("takes no more than sixteen at once", async () => {
    const { ask, listening } = await open();
    for (let index = 0; index < 16; index++) await ask("POST", "/log/packets", { device: `d-${index}` });
    expect((await ask("POST", "/log/packets", { device: "one more" })).status).toBe(400);
    expect(listening.size).toBe(16);
  });
});
