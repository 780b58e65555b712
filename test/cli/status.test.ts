import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { PassThrough } from "node:stream";
import { Command } from "commander";
import { afterEach, describe, expect, test } from "vitest";
import { openAdmin } from "../../src/admin/admin.ts";
import type { Io } from "../../src/cli/io.ts";
import { addStatusCommand } from "../../src/cli/status.ts";
import { isDegraded, statusText } from "../../src/cli/status-text.ts";
import { Secret } from "../../src/message/secret.ts";
import type { BridgeStatus, ReloadStatus } from "../../src/message/status.ts";
import { brokenGateway, busyLedger, sampleGateway, sampleNowMs, sampleStatus } from "../admin/sample-status.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

const plain = { nowMs: sampleNowMs, isColoured: false, maxRows: 20 };

describe("statusText()", () => {
  test("says what became of the last changed configuration", () => {
    const at = { atMs: sampleNowMs - 60_000, inForceMs: sampleNowMs - 60_000 };
    const lineOf = (reload: ReloadStatus) => statusText(sampleStatus([], { reload }), plain).split("\n").slice(1, 3);
    expect(lineOf({ ...at, outcome: "applied", changes: ["mapping"] })[0]).toBe(
      "  configuration reloaded 1m 0s ago: mapping",
    );
    expect(
      lineOf({
        ...at,
        outcome: "needs-restart",
        changes: ["mapping", "spool.maxBytes"],
        needsRestart: ["spool.maxBytes"],
      })[0],
    ).toBe("  configuration reloaded 1m 0s ago: 2 changes; after a restart only: spool.maxBytes");
    expect(lineOf({ ...at, outcome: "refused", mistakes: ["plant.yaml:1:2: found x, wanted y"] })).toEqual([
      "  configuration refused 1m 0s ago, the one before is in force:",
      "    plant.yaml:1:2: found x, wanted y",
    ]);
  });

  test("shows links, devices, a ledger that adds up, and the backlog; the worst first", () => {
    const gateways = [sampleGateway("plant-1-gw"), brokenGateway("plant-2-gw")];
    const status = sampleStatus(gateways, { ledger: busyLedger() });
    expect(statusText(status, plain)).toBe(
      `dragoman 1.2.3: degraded, up 3h 12m, listening on mqtt://127.0.0.1:1883

Gateways: 1 of 2 ready
GATEWAY     STATE      UPSTREAM  LOCAL   IN FLIGHT  PENDING  HELD  QUARANTINED  NOTE
plant-2-gw  NOT READY  waiting   away            4        3    31            1  refused; connect ECONNREFUSED 192.0.2.1:8883; last proven 1h 0m ago
plant-1-gw  ready      open      MQTT 5          4        0     0            0

Devices: 1 held, 2 attached
DEVICE    GATEWAY     STATE     WAITING  SEEN    NOTE
Device C  plant-2-gw  HELD           31  0s ago  GATEWAY_ATTACHMENT_ERROR
Device A  plant-1-gw  attached        0  0s ago
Device B  plant-2-gw  attached        0  never

Messages up:   received 1,234 = delivered 1,196 + pending 3 + held 31 + quarantined 1 + dropped 3 (unmatched 2, gone 1)
Messages down: received 12 = delivered 11 + pending 0 + dropped 1 (offline 1)
In the spool:  12.3 KiB of 1 GiB
`,
    );
  });

  test("says that nothing has come yet", () => {
    const status = sampleStatus([sampleGateway("gw-1", { devices: [] })], { waitingBytes: 0, listen: [] });
    expect(statusText(status, plain)).toBe(
      `dragoman 1.2.3: healthy, up 3h 12m, not listening

Gateways: 1 of 1 ready
GATEWAY  STATE  UPSTREAM  LOCAL   IN FLIGHT  PENDING  HELD  QUARANTINED  NOTE
gw-1     ready  open      MQTT 5          4        0     0            0

Devices: none yet

Messages up:   received 0 = delivered 0 + pending 0 + held 0 + quarantined 0 + dropped 0
Messages down: received 0 = delivered 0 + pending 0 + dropped 0
In the spool:  0 B of 1 GiB
`,
    );
  });

  test("shows a ledger that does not add up, of which gateway, and the reasons", () => {
    const ledger = { ...busyLedger(), delivered: 1190 };
    const down = { ...ledger.down, delivered: 12 };
    const reasons = ['the ledger of gateway "gw-1" is off by 6'];
    const status = sampleStatus([sampleGateway("gw-0"), sampleGateway("gw-1", { ledger })], {
      healthy: false,
      reasons,
      ledger: { ...ledger, down },
    });
    const text = statusText(status, plain);
    expect(text).toContain('degraded, up 3h 12m, listening on mqtt://127.0.0.1:1883\n  the ledger of gateway "gw-1"');
    expect(text).toMatch(/^gw-1 .* ledger is off by 6\ngw-0 /m);
    expect(text).toMatch(/^Messages up: {3}received 1,234 ≠ delivered 1,190 .* \(off by 6\)$/m);
    expect(text).toMatch(/^Messages down: received 12 ≠ .* \(off by -1\)$/m);
  });

  test("lists twenty of many gateways, the bad ones among them, and counts the rest", () => {
    const gateways = Array.from({ length: 500 }, (_, index) =>
      (index % 100 === 99 ? brokenGateway : sampleGateway)(`gw-${String(index).padStart(3, "0")}`),
    );
    const lines = statusText(sampleStatus(gateways), plain).split("\n");
    expect(lines.slice(2, 10).map((line) => line.split("  ", 1)[0])).toEqual([
      "Gateways: 495 of 500 ready",
      "GATEWAY",
      "gw-099",
      "gw-199",
      "gw-299",
      "gw-399",
      "gw-499",
      "gw-000",
    ]);
    expect(lines).toContain("… and 480 more (--all lists them)");
    expect(lines).toContain("Devices: 5 held, 500 attached");
    expect(lines).toContain("… and 485 more (--all lists them)");
    expect(lines.length).toBeLessThan(60);
    const all = statusText(sampleStatus(gateways), { ...plain, maxRows: Number.POSITIVE_INFINITY });
    expect(all.split("\n").length).toBeGreaterThan(1000);
    expect(all).not.toContain("--all");
  });

  test("does not let a name or a reason steer the terminal", () => {
    const devices = [
      { name: "a\u001b[2Jb\nc\u202ed", state: "held", reason: "x\u009b31m\r", waiting: 1 },
    ] as const satisfies BridgeStatus["gateways"][number]["devices"];
    const ledger = { ...busyLedger(), dropped: { "\u0007bell": 3 } };
    const text = statusText(sampleStatus([sampleGateway("gw", { devices, ledger })], { ledger }), plain);
    expect(text).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
    expect(text).toContain("a\\u001b[2Jb\\u000ac\\u202ed  gw");
    expect(text).toContain("x\\u009b31m\\u000d");
    expect(text).toContain("\\u0007bell 3");
  });

  test("is degraded by a gateway that is not ready and by an unhealthy bridge, not by a held device", () => {
    const heldDevice = sampleGateway("gw", { devices: brokenGateway("gw").devices });
    expect(isDegraded(sampleStatus([heldDevice]))).toBe(false);
    expect(isDegraded(sampleStatus([heldDevice, brokenGateway("gw-2")]))).toBe(true);
    expect(isDegraded(sampleStatus([heldDevice], { healthy: false }))).toBe(true);
  });
});

describe("dragoman status", () => {
  test("prints the status and exits 0 when all is well", async () => {
    const url = await serve(sampleStatus([sampleGateway("gw-1")]));
    const { exitCode, stdout, stderr } = await status(["--url", url]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^dragoman 1\.2\.3: healthy, up /);
  });

  test("exits 3 when something is not", async () => {
    const url = await serve(sampleStatus([brokenGateway("gw-1")]));
    expect(await status(["--url", `${url}/`])).toMatchObject({ exitCode: 3, stderr: "" });
  });

  test("prints JSON on request, with the same exit codes", async () => {
    const bridge = sampleStatus([brokenGateway("gw-1")]);
    const { exitCode, stdout } = await status(["--json", "--url", await serve(bridge)]);
    expect([exitCode, JSON.parse(stdout)]).toEqual([3, JSON.parse(JSON.stringify(bridge))]);
  });

  test("colours on a terminal only, and not where NO_COLOR is set", async () => {
    const url = await serve(sampleStatus([brokenGateway("gw-1")]));
    expect((await status(["--url", url], { isTTY: true })).stdout).toContain("\u001b[31mdegraded\u001b[0m");
    expect((await status(["--url", url])).stdout).not.toContain("\u001b");
    const quiet = await status(["--url", url], { isTTY: true, env: { NO_COLOR: "1" } });
    expect(quiet.stdout).not.toContain("\u001b");
  });

  test("brings the token from the option or the environment", async () => {
    const url = await serve(sampleStatus([sampleGateway("gw-1")]), new Secret("s3cret-token"));
    expect((await status(["--url", url, "--token", "s3cret-token"])).exitCode).toBe(0);
    expect((await status(["--url", url], { env: { DRAGOMAN_ADMIN_TOKEN: "s3cret-token" } })).exitCode).toBe(0);
    await expect(status(["--url", url])).rejects.toMatchObject({
      code: "ERR_ADMIN",
      message: `Cannot read status from "${url}": it wants a token; set DRAGOMAN_ADMIN_TOKEN or --token`,
    });
    await expect(status(["--url", url, "--token", "hunter2"])).rejects.toMatchObject({
      code: "ERR_ADMIN",
      message: `Cannot read status from "${url}": it does not take this token, wanted the one of "admin.token"`,
    });
  });

  test("says what to try when nothing listens there", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await expect(status(["--url", url])).rejects.toMatchObject({
      code: "ERR_ADMIN",
      message: `Cannot read status from "${url}": nothing listens there; is "dragoman run" running, and is this its "admin.listen"? --url names another`,
    });
  });

  test("says that something else answers", async () => {
    const page = await answerWith((_request, response) => response.end("<h1>It works!</h1>"));
    await expect(status(["--url", page])).rejects.toMatchObject({
      code: "ERR_ADMIN",
      message: `Cannot read status from "${page}": what answers there is not the admin server of a dragoman`,
    });
    const moved = await answerWith((_request, response) => response.writeHead(302, { location: page }).end());
    await expect(status(["--url", moved])).rejects.toMatchObject({
      message: `Cannot read status from "${moved}": it answered 302, wanted 200`,
    });
  });

  test("refuses what is no URL of a server, and does not repeat what may be a password", async () => {
    for (const url of ["localhost", "127.0.0.1:9464", "ftp://localhost", "http://admin:hunter2@localhost:9464"]) {
      await expect(status(["--url", url]), url).rejects.toMatchObject({
        code: "ERR_USAGE",
        message: 'Cannot use "--url": wanted a URL such as http://127.0.0.1:9464',
      });
    }
  });
});

async function status(
  args: readonly string[],
  { isTTY = false, env = {} }: { readonly isTTY?: boolean; readonly env?: Io["env"] } = {},
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const output = (name: keyof typeof written) => ({
    isTTY,
    write(text: string) {
      written[name] += text;
    },
  });
  const io: Io = {
    stdin: new PassThrough(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    env,
    onSignal: () => () => {},
    exitCode: 0,
  };
  const program = new Command("dragoman").exitOverride();
  addStatusCommand(program, io);
  await program.parseAsync(["status", ...args], { from: "user" });
  return { exitCode: io.exitCode, ...written };
}

async function serve(bridge: BridgeStatus, token?: Secret): Promise<string> {
  const source = { status: () => bridge, ledger: () => bridge.ledger, ledgers: () => ({}) };
  const admin = await openAdmin({ listen: "http://127.0.0.1:0", ...(token === undefined ? {} : { token }) }, source);
  closers.push(() => admin.close());
  return admin.url;
}

async function answerWith(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
