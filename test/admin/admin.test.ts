import { once } from "node:events";
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type Admin, type AdminSource, openAdmin } from "../../src/admin/admin.ts";
import { emptyLedger } from "../../src/message/fate.ts";
import { Secret } from "../../src/message/secret.ts";
import type { BridgeStatus } from "../../src/message/status.ts";
import { parseExposition } from "./exposition.ts";
import { brokenGateway, busyLedger, sampleGateway, sampleNowMs, sampleStatus } from "./sample-status.ts";

const opened: Admin[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((admin) => admin.close()));
});

const hourAgoMs = sampleNowMs - 3_600_000;

describe("openAdmin() answers", () => {
  test("/healthz with 200 as long as the process does its work, clouds away or not", async () => {
    const admin = await open(sampleStatus([brokenGateway("gw-2")]));
    const { status, headers, json } = await get(admin, "/healthz");
    expect([status, json, headers["content-type"]]).toEqual([200, { status: "ok" }, "application/json"]);
  });

  test("/healthz with 503 and the reasons when it does not", async () => {
    const reasons = ['the ledger of gateway "gw-1" is off by 2', 'spool "data/spool" cannot be written: ENOSPC'];
    const admin = await open(sampleStatus([sampleGateway("gw-1")], { healthy: false, reasons }));
    const { status, json } = await get(admin, "/healthz");
    expect([status, json]).toEqual([503, { status: "failing", reasons }]);
  });

  test("/readyz with 200 when every gateway is ready", async () => {
    const admin = await open(sampleStatus([sampleGateway("gw-1"), sampleGateway("gw-2")]));
    const { status, json } = await get(admin, "/readyz");
    expect([status, json]).toEqual([200, { status: "ready", gateways: 2 }]);
  });

  test("/readyz with 503 and each gateway that is not, with its reason", async () => {
    const { reason: _, ...unexplained } = brokenGateway("gw-3");
    const connecting = { state: "connecting", closes: {} } as const;
    const admin = await open(
      sampleStatus([sampleGateway("gw-1"), brokenGateway("gw-2"), { ...unexplained, upstream: connecting }]),
    );
    const { status, json } = await get(admin, "/readyz");
    expect(status).toBe(503);
    expect(json).toEqual({
      status: "notReady",
      gateways: 3,
      notReady: [
        { id: "gw-2", reason: "refused", detail: "connect ECONNREFUSED 192.0.2.1:8883", lastProvenMs: hourAgoMs },
        { id: "gw-3", reason: "the connection is connecting" },
      ],
    });
  });

  test("/readyz?verbose with every gateway's path and when it was last proven", async () => {
    const admin = await open(sampleStatus([sampleGateway("gw-1"), brokenGateway("gw-2")]));
    const { status, json } = await get(admin, "/readyz?verbose");
    expect(status).toBe(503);
    expect(json).toMatchObject({
      paths: [
        { id: "gw-1", lastProvenMs: sampleNowMs - 2000 },
        { id: "gw-2", reason: "refused", lastProvenMs: hourAgoMs },
      ],
    });
    const fine = await open(sampleStatus([sampleGateway("gw-1")]));
    expect((await get(fine, "/readyz?verbose")).json).toEqual({
      ...{ status: "ready", gateways: 1 },
      paths: [{ id: "gw-1", lastProvenMs: sampleNowMs - 2000 }],
    });
  });

  test("/metrics in the text format", async () => {
    const admin = await open(sampleStatus([sampleGateway("gw-1")]));
    const { status, headers, text } = await get(admin, "/metrics");
    expect([status, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(parseExposition(text).get("dragoman_gateway_ready")?.samples.length).toBe(1);
  });

  test("/ledger with exactly the members that scripts rely on", async () => {
    const odd = sampleGateway("__proto__", { ledger: { ...emptyLedger(), received: 1, pending: 1 } });
    const ledger = { ...busyLedger(), surplus: true };
    const admin = await open(sampleStatus([sampleGateway("gw-1", { ledger }), odd]), ledger);
    const { status, text } = await get(admin, "/ledger");
    const down = '"down":{"received":12,"delivered":11,"pending":0,"dropped":{"offline":1}}';
    const up =
      '"received":1234,"delivered":1196,"pending":3,"held":31,"quarantined":1,"dropped":{"unmatched":2,"gone":1}';
    const oddText =
      '{"received":1,"delivered":0,"pending":1,"held":0,"quarantined":0,"dropped":{},"down":{"received":0,"delivered":0,"pending":0,"dropped":{}}}';
    expect(status).toBe(200);
    expect(text).toBe(`{${up},"gateways":{"gw-1":{${up},${down}},"__proto__":${oddText}},${down}}`);
  });

  test("/status with everything there is", async () => {
    const status = sampleStatus([sampleGateway("gw-1"), brokenGateway("gw-2")]);
    const admin = await open(status);
    expect((await get(admin, "/status")).json).toEqual(JSON.parse(JSON.stringify(status)));
  });

  test("/ with a page whose files it has", async () => {
    const admin = await open(sampleStatus([]));
    const { headers, text } = await get(admin, "/");
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(files).toEqual(expect.arrayContaining(["page.js", "page.css", "icon.svg"]));
    for (const file of files) expect((await get(admin, `/${file}`)).status, file).toBe(200);
  });

  test("each request with the figures of its moment", async () => {
    let status = sampleStatus([brokenGateway("gw-1")]);
    const source: AdminSource = { status: () => status, ledger: () => status.ledger, ledgers: () => ({}) };
    const admin = await openAdmin({ listen: "http://127.0.0.1:0" }, source);
    opened.push(admin);
    expect((await get(admin, "/readyz")).status).toBe(503);
    status = sampleStatus([sampleGateway("gw-1")]);
    expect((await get(admin, "/readyz")).status).toBe(200);
  });
});

describe("openAdmin() keeps out", () => {
  const status = sampleStatus([brokenGateway("gw-2")]);
  const token = new Secret("correct horse battery staple");

  test("requests without the token or with another, where one is configured", async () => {
    const admin = await open(status, undefined, { token });
    for (const authorization of [undefined, "Bearer", "Bearer wrong", "Basic Y29ycmVjdA==", `bear ${token.reveal()}`]) {
      for (const path of ["/metrics", "/ledger", "/status", `/status?token=${encodeURIComponent(token.reveal())}`]) {
        const answer = await get(admin, path, authorization === undefined ? {} : { authorization });
        expect([answer.status, answer.headers["www-authenticate"]], `${authorization} ${path}`).toEqual([
          401,
          'Bearer realm="dragoman"',
        ]);
        expect(answer.text).not.toContain("gw-2");
      }
    }
    expect((await get(admin, "/status", { authorization: `Bearer ${token.reveal()}` })).status).toBe(200);
    expect((await get(admin, "/metrics", { authorization: `bearer  ${token.reveal()}` })).status).toBe(200);
    // The page asks for it, and holds nothing itself.
    for (const path of ["/", "/page.js", "/page.css"]) expect((await get(admin, path)).status, path).toBe(200);
  });

  test("details from probes without the token, which still get the verdict", async () => {
    const admin = await open({ ...status, healthy: false, reasons: ["spool is full"] }, undefined, { token });
    expect(await get(admin, "/healthz")).toMatchObject({ status: 503, json: { status: "failing" } });
    expect((await get(admin, "/readyz")).text).toBe('{"status":"notReady"}');
    const authorization = `Bearer ${token.reveal()}`;
    expect((await get(admin, "/readyz", { authorization })).text).toContain("ECONNREFUSED");
    expect((await get(admin, "/healthz", { authorization })).text).toContain("spool is full");
  });

  test("pages that resolve their own name to this machine", async () => {
    const admin = await open(status);
    const port = new URL(admin.url).port;
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1.evil.example",
      "localhost.evil.example:80",
      "evil.localhost",
    ]) {
      const answer = await get(admin, "/status", { host });
      expect([answer.status, answer.text.includes("gw-2")], host).toEqual([403, false]);
    }
    for (const host of [`127.0.0.1:${port}`, "localhost", "LOCALHOST:1", "[::1]:8080", "127.1.2.3"]) {
      expect((await get(admin, "/status", { host })).status, host).toBe(200);
    }
  });

  test("everything but reading", async () => {
    const admin = await open(status);
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const answer = await get(admin, "/status", {}, method);
      expect([answer.status, answer.headers.allow], method).toEqual([405, "GET, HEAD"]);
    }
    const head = await get(admin, "/healthz", {}, "HEAD");
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test("paths it does not know, whatever they try", async () => {
    const admin = await open(status);
    for (const path of ["/admin", "/status/", "/../package.json", "/%2e%2e/package.json", "/__proto__", "//healthz"]) {
      expect((await get(admin, path)).status, path).toBe(404);
    }
  });

  test("bodies, long headers and what is not HTTP", async () => {
    const admin = await open(status);
    const withBody = await get(admin, "/status", { "content-length": 5 }, "GET", "hello");
    expect([withBody.status, withBody.headers.connection]).toEqual([413, "close"]);
    expect((await get(admin, "/status", { "x-long": "x".repeat(20_000) })).status).toBe(431);
    expect(await talk(admin, "MQTT\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("what a browser should not do with an answer", async () => {
    const admin = await open(status);
    for (const path of ["/", "/status", "/nothing"]) {
      expect((await get(admin, path)).headers, path).toMatchObject({
        "cache-control": "no-store",
        "content-security-policy":
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
    }
  });

  test("the reason of a failure of its own", async () => {
    const fail = (): never => {
      throw new Error("token=hunter2");
    };
    const admin = await openAdmin({ listen: "http://127.0.0.1:0" }, { status: fail, ledger: fail, ledgers: fail });
    opened.push(admin);
    for (const path of ["/status", "/metrics", "/healthz", "/ledger"]) {
      const { status, text } = await get(admin, path);
      expect([status, text], path).toEqual([500, '{"error":"the answer could not be made"}']);
    }
  });
});

describe("openAdmin() lives and ends", () => {
  const status = sampleStatus([]);

  test("with the real port in its URL, IPv6 too", async () => {
    const admin = await open(status, undefined, { listen: "http://[::1]:0" });
    expect(admin.url).toMatch(/^http:\/\/\[::1\]:[1-9]\d*$/);
    expect((await get(admin, "/healthz")).status).toBe(200);
  });

  test("with a clear error when the port is taken", async () => {
    const { url } = await open(status);
    await expect(open(status, undefined, { listen: url })).rejects.toMatchObject({
      code: "ERR_ADMIN",
      message: `Cannot serve admin on "${url}": the port is in use, perhaps by another dragoman; "admin.listen" sets another, or "admin: false" none`,
    });
  });

  test("with a clear error when the address is not of this machine", async () => {
    await expect(open(status, undefined, { listen: "http://192.0.2.1:9464" })).rejects.toMatchObject({
      code: "ERR_ADMIN",
      message: 'Cannot serve admin on "http://192.0.2.1:9464": this machine does not have that address',
    });
  });

  test("close() ends kept-alive connections and frees the port", async () => {
    const admin = await open(status);
    const agent = new Agent({ keepAlive: true });
    await get(admin, "/healthz", {}, "GET", undefined, agent);
    const socket = Object.values(agent.freeSockets)[0]?.[0];
    if (socket === undefined) throw new Error("the connection was not kept");
    const ended = once(socket, "close");
    await Promise.all([admin.close(), admin.close(), ended]);
    const again = await open(status, undefined, { listen: admin.url });
    expect(again.url).toBe(admin.url);
  });

  test("close() does not wait for ever for half a request", async () => {
    const admin = await open(status);
    const socket = connect(Number(new URL(admin.url).port), "127.0.0.1");
    await once(socket, "connect");
    await new Promise<void>((resolve) =>
      socket.write("GET /status HTTP/1.1\r\nHost: localhost\r\nX-", () => resolve()),
    );
    const ended = once(
      socket.on("error", () => {}),
      "close",
    );
    await get(admin, "/healthz");
    await admin.close();
    await ended;
  });
});

async function open(
  status: BridgeStatus,
  ledger = status.ledger,
  options: { readonly listen?: string; readonly token?: Secret } = {},
): Promise<Admin> {
  const admin = await openAdmin({ listen: "http://127.0.0.1:0", ...options }, sourceOf(status, ledger));
  opened.push(admin);
  return admin;
}

function sourceOf(status: BridgeStatus, ledger = status.ledger): AdminSource {
  const ledgers = () => Object.fromEntries(status.gateways.map((gateway) => [gateway.id, gateway.ledger]));
  return { status: () => status, ledger: () => ledger, ledgers };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly json: unknown;
}

/** A plain request, because `fetch` sets `Host` and tidies paths. */
function get(
  admin: Admin,
  path: string,
  headers: OutgoingHttpHeaders = {},
  method = "GET",
  body?: string,
  agent: Agent | false = false,
): Promise<Answer> {
  const { hostname, port } = new URL(admin.url);
  return new Promise((resolve, reject) => {
    const options = { host: hostname.replace(/[[\]]/g, ""), port, path, method, headers, agent };
    request(options, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      const isJson = response.headers["content-type"]?.startsWith("application/json") && text !== "";
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      });
    })
      .on("error", reject)
      .end(body);
  });
}

async function talk(admin: Admin, text: string): Promise<string> {
  const socket = connect(Number(new URL(admin.url).port), "127.0.0.1");
  socket.end(text);
  let answer = "";
  for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
  return answer;
}
