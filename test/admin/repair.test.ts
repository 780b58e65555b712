import { request } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { type Admin, openAdmin } from "../../src/admin/admin.ts";
import { createRepair } from "../../src/bridge/repair.ts";
import { dialectNamed } from "../../src/mappings.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { Secret } from "../../src/message/secret.ts";
import { openSpool, type Spool } from "../../src/spool/spool.ts";
import { append } from "../spool/append.ts";
import { sampleGateway, sampleStatus } from "./sample-status.ts";

const opened: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const nowMs = Date.UTC(2026, 10, 20, 12);
const secret = "s3cret-in-the-payload";

/** Three quarantined packets and a held one of `gw-1`, and a quarantined one of `gw 2`, which is configured no more. */
async function open(token?: Secret): Promise<{ readonly admin: Admin; readonly spool: Spool }> {
  const spool = await openSpool({ directory: "memory", maxBytes: 1024 * 1024, whenFull: "refuse" });
  const add = async (gateway: string, payload: Uint8Array | string, arrivedMs = nowMs) => {
    const packet = { topic: "v1/gateway/telemetry", payload: Buffer.from(payload), qos: 1 } as const;
    const arrival = { packet, arrivedMs, dialect: "thingsboard", count: 1, priority: "data" } as const;
    return { seq: (await append(spool.gateway(gateway), arrival)).seq, index: 0 };
  };
  const [one, two, three, four] = [
    await add("gw-1", `{"${secret}`, nowMs - 7_200_000),
    await add("gw-1", Uint8Array.of(0xff, 0x00)),
    await add("gw-1", '{"Device A":[{"t":1}]}'),
    await add("gw-1", '{"Device B":[{"t":1}]}'),
  ];
  spool.gateway("gw-1").settle(one, { kind: "quarantined", reason: "unparseable: no value" });
  spool.gateway("gw-1").settle(two, { kind: "quarantined", reason: "unparseable: not UTF-8" });
  spool.gateway("gw-1").settle(three, { kind: "quarantined", device: "Device A" as DeviceId, reason: "oversize" });
  spool.gateway("gw-1").settle(four, { kind: "held", device: "Device B" as DeviceId, reason: "refused" });
  spool.gateway("gw 2").settle(await add("gw 2", "x"), { kind: "quarantined", reason: "unparseable: x" });
  await spool.flushed();
  const dialects = (gateway: string) => dialectNamed("thingsboard").bind({ gateway });
  const status = sampleStatus([sampleGateway("gw-1")]);
  const admin = await openAdmin(
    { listen: "http://127.0.0.1:0", ...(token === undefined ? {} : { token }) },
    {
      status: () => status,
      ledger: () => spool.ledger(),
      ledgers: () => ({}),
      repair: createRepair({ directory: "memory", spool, dialects, now: () => nowMs }),
    },
  );
  opened.push(admin, spool);
  return { admin, spool };
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function ask(admin: Admin, path: string, { method = "GET", headers = {}, body }: Asked = {}) {
  return new Promise<{ readonly status: number; readonly text: string; readonly json: () => unknown }>(
    (resolve, reject) => {
      const sent = request(new URL(path, admin.url), { method, headers, agent: false }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text, json: () => JSON.parse(text) }));
      });
      sent.on("error", reject);
      sent.end(body);
    },
  );
}

const json = { "content-type": "application/json" };

function post(admin: Admin, path: string, body: object | string, headers: Asked["headers"] = json) {
  return ask(admin, path, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });
}

const idsOf = (answer: { json: () => unknown }) =>
  (answer.json() as { messages: { id: string }[] }).messages.map(({ id }) => id);

describe("GET /spool", () => {
  test("lists what is held or quarantined, of all gateways, and nothing of the payloads", async () => {
    const { admin } = await open();
    const answer = await ask(admin, "/spool");
    expect([answer.status, answer.text.includes(secret)]).toEqual([200, false]);
    expect(answer.json()).toMatchObject({ directory: "memory", gateways: ["gw 2", "gw-1"] });
    expect(idsOf(answer)).toEqual(["5.0", "4.0", "1.0", "2.0", "3.0"]);
    expect((answer.json() as { messages: object[] }).messages[1]).toEqual({
      ...{ id: "4.0", gateway: "gw-1", device: "Device B", fate: "held", reason: "refused", arrivedMs: nowMs },
      ...{ dialect: "thingsboard", topic: "v1/gateway/telemetry", bytes: 22 },
    });
  });

  test.each([
    ["gateway=gw+2", ["5.0"]],
    ["device=Device%20A", ["3.0"]],
    ["reason=UNPARSEABLE", ["5.0", "1.0", "2.0"]],
    ["fate=held", ["4.0"]],
    ["minAgeMs=3600000", ["1.0"]],
    ["id=2", ["2.0"]],
    ["id=2.0&fate=quarantined", ["2.0"]],
    ["id=2.1", []],
    ["id=2&gateway=gw+2", []],
    ["reason=nothing+like+it", []],
  ])("with ?%s lists only those", async (query, ids) => {
    const { admin } = await open();
    expect(idsOf(await ask(admin, `/spool?${query}`))).toEqual(ids);
  });

  test("goes on where the page before ended", async () => {
    const { admin } = await open();
    const found: string[] = [];
    let after = "";
    for (let pages = 0; pages < 10; pages++) {
      const answer = await ask(admin, `/spool?limit=2${after}`);
      found.push(...idsOf(answer));
      const { next } = answer.json() as { next?: string };
      if (next === undefined) break;
      after = `&after=${next}`;
    }
    expect(found).toEqual(["5.0", "4.0", "1.0", "2.0", "3.0"]);
    expect(idsOf(await ask(admin, "/spool?after=nonsense"))).toHaveLength(5);
  });

  test.each([
    ["fate=lost", '"fate" must be "held" or "quarantined"'],
    ["id=x", '"id" must be the number of a packet, or SEQ.INDEX'],
    ["limit=-1", '"limit" must be a whole number, not negative'],
    ["minAgeMs=1h", '"minAgeMs" must be a whole number, not negative'],
    ["devise=x", 'found "devise", wanted one of gateway, device, reason, after, minAgeMs, limit, fate, id, all'],
  ])("refuses ?%s", async (query, error) => {
    const { admin } = await open();
    const answer = await ask(admin, `/spool?${query}`);
    expect([answer.status, answer.json()]).toEqual([400, { error }]);
  });

  test("knows which gateways have something, and no others", async () => {
    const { admin } = await open();
    const answer = await ask(admin, "/spool?gateway=gw-9");
    expect([answer.status, answer.json()]).toEqual([
      404,
      { error: "this gateway has nothing in the spool", gateways: ["gw 2", "gw-1"] },
    ]);
  });
});

describe("GET /spool/{gateway}/{seq}/{index}", () => {
  test("shows the packet, with exact bytes, and what reads it", async () => {
    const { admin } = await open();
    expect((await ask(admin, "/spool/gw-1/1/0")).json()).toMatchObject({
      ...{ id: "1.0", qos: 1, messages: 1, payload: `{"${secret}` },
      reading: {
        rule: { name: "telemetry", file: expect.stringContaining("thingsboard.yaml"), line: expect.any(Number) },
        unread: { reason: expect.stringMatching(/thingsboard\.yaml:\d+\)$/) },
      },
    });
    expect((await ask(admin, "/spool/gw-1/2/0")).json()).toMatchObject({ id: "2.0", payload64: "/wA=" });
    expect((await ask(admin, "/spool/gw%202/5/0")).json()).toMatchObject({ id: "5.0", payload: "x" });
    const readable = (await ask(admin, "/spool/gw-1/3/0")).json() as { reading: object };
    expect(readable.reading).not.toHaveProperty("unread");
  });

  test.each(["/spool/gw-1/5/0", "/spool/gw-9/1/0", "/spool/gw-1/1/7", "/spool/gw-1/x/0"])("%s is 404", async (path) => {
    const { admin } = await open();
    expect((await ask(admin, path)).status).toBe(404);
  });
});

describe("POST /spool/retry and /spool/discard", () => {
  test("try what can be read again, and say why the rest stays", async () => {
    const { admin, spool } = await open();
    const answer = await post(admin, "/spool/retry", { gateway: "gw-1" });
    expect(answer.status).toBe(200);
    const { examples, ...counts } = answer.json() as { examples: { id: string; reason: string }[] };
    expect(counts).toEqual({ done: 2, kept: 2, idle: [] });
    expect(examples.map(({ id }) => id)).toEqual(["1.0", "2.0"]);
    expect(spool.gateway("gw-1").ledger).toMatchObject({ received: 4, pending: 2, held: 0, quarantined: 2 });
  });

  test("discard what fits, and count it", async () => {
    const { admin, spool } = await open();
    const answer = await post(admin, "/spool/discard", { fate: "quarantined", limit: 2 });
    expect(answer.json()).toMatchObject({ done: 2, kept: 0, next: expect.any(String) });
    const { next } = answer.json() as { next: string };
    const rest = await post(admin, "/spool/discard", { fate: "quarantined", after: next });
    expect(rest.json()).toEqual({ done: 2, kept: 0, examples: [], idle: [] });
    expect(spool.ledger()).toMatchObject({ received: 5, held: 1, quarantined: 0, dropped: { discarded: 4 } });
  });

  test("discard everything only if that is asked for by name", async () => {
    const { admin, spool } = await open();
    const refused = await post(admin, "/spool/discard", {});
    expect([refused.status, refused.json()]).toEqual([
      400,
      { error: 'wanted a filter, or "all": true to discard everything' },
    ]);
    expect(spool.ledger()).toMatchObject({ held: 1, quarantined: 4 });
    expect((await post(admin, "/spool/discard", { all: true })).json()).toMatchObject({ done: 5 });
  });

  test.each(["", "[]", "null", "{", '"x"'])("refuse the body %j", async (body) => {
    const { admin } = await open();
    const answer = await post(admin, "/spool/retry", body);
    expect([answer.status, answer.json()]).toEqual([400, { error: "wanted a JSON object" }]);
  });

  test("refuse what a page of another origin had a browser send", async () => {
    const { admin, spool } = await open();
    const { host } = new URL(admin.url);
    for (const headers of [
      { ...json, origin: "https://evil.example" },
      { ...json, origin: "null" },
      { ...json, origin: "http://127.0.0.1:1" },
      { ...json, "sec-fetch-site": "cross-site" },
      { ...json, "sec-fetch-site": "same-site" },
    ]) {
      const answer = await post(admin, "/spool/discard", { all: true }, headers);
      expect([answer.status, answer.json()]).toEqual([403, { error: "pages of other origins may not ask for this" }]);
    }
    for (const type of ["text/plain", "application/x-www-form-urlencoded", ""]) {
      const answer = await post(admin, "/spool/discard", { all: true }, type === "" ? {} : { "content-type": type });
      expect(answer.status).toBe(415);
    }
    expect(spool.ledger()).toMatchObject({ held: 1, quarantined: 4 });
    const own = { ...json, origin: `http://${host}`, "sec-fetch-site": "same-origin" };
    expect((await post(admin, "/spool/discard", { all: true }, own)).status).toBe(200);
  });

  test("want the token, as everything else does", async () => {
    const token = new Secret("correct horse battery staple");
    const { admin, spool } = await open(token);
    expect((await ask(admin, "/spool")).status).toBe(401);
    expect((await ask(admin, "/spool/gw-1/1/0")).status).toBe(401);
    expect((await post(admin, "/spool/discard", { all: true })).status).toBe(401);
    expect(spool.ledger()).toMatchObject({ held: 1, quarantined: 4 });
    const authorized = { ...json, authorization: `Bearer ${token.reveal()}` };
    expect((await post(admin, "/spool/discard", { all: true }, authorized)).status).toBe(200);
  });

  test("refuse a body that is too large, and other methods", async () => {
    const { admin } = await open();
    expect((await post(admin, "/spool/retry", { reason: "x".repeat(100_000) })).status).toBe(413);
    expect((await ask(admin, "/spool/retry")).status).toBe(405);
    expect((await ask(admin, "/spool", { method: "POST" })).status).toBe(405);
    expect((await post(admin, "/status", {})).status).toBe(405);
  });
});
