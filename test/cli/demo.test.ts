import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { expect, onTestFinished, test } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { type TestIo, testIo } from "./test-io.ts";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-demo-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A port that is taken until the test ends. */
async function takenPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

/** A command that is stopped by a signal, with a way to wait for what it prints. */
function stoppableIo(options: Parameters<typeof testIo>[0] = {}) {
  const io = testIo(options);
  const handlers: (() => void)[] = [];
  const waiting = new Set<() => void>();
  const until = (text: string) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!io.out().includes(text)) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const watched: TestIo = {
    ...io,
    stdout: {
      write: (text) => {
        io.stdout.write(text);
        for (const check of [...waiting]) check();
      },
    },
    onSignal: (_signal, handler) => {
      handlers.push(handler);
      return () => undefined;
    },
  };
  return { io: watched, until, stop: () => handlers[0]?.() };
}

test("dragoman demo --script goes through attach, telemetry, state, configuration, command and reply, and exits 0", async () => {
  const io = testIo();
  const folder = temporaryFolder();
  expect(await runProgram(["demo", "--script", "--folder", folder], io)).toBe(0);
  const out = io.out();
  // Both sides of each: as it was, and as it became.
  for (const text of [
    '▶         v1/gateway/connect  {"device":"Device A"}',
    "/devices/Device%20A/attach  {}",
    '/devices/Device%20A/events  [{"ts":1483228800000,"values":{"temperature":42,"humidity":80}}]',
    '/devices/Device%20A/state  {"serial":"S-1","firmware":"1.2"}',
    '/devices/Device%20A/config  {"interval":30}',
    '▶ gateway v1/gateway/attributes  {"device":"Device A","data":{"interval":30}}',
    '/devices/Device%20A/commands  {"method":"setLed","params":{"on":true},"id":"c-1"}',
    '/devices/Device%20A/events/responses  {"id":"c-1","method":"setLed","data":{"success":true}}',
    "received 4 = delivered 4 + pending 0 + held 0 + quarantined 0",
  ]) {
    expect(out).toContain(text);
  }
  expect(io.err()).toBe("");
});

test.each(["google:omnicore", "thingsboard:thingsboard", "omnicore:google"])(
  "dragoman demo --script --pair %s goes through everything, and exits 0",
  async (pair) => {
    const io = testIo();
    expect(await runProgram(["demo", "--script", "--pair", pair, "--folder", temporaryFolder()], io)).toBe(0);
    expect(io.err()).toBe("");
    expect(io.out()).toContain("pending 0 + held 0 + quarantined 0");
  },
);

test.each([
  ["google", 'Cannot show pair "google": wanted two dialects, such as "google:thingsboard"'],
  ["azure:google", 'Cannot show "azure:google": '],
])("dragoman demo --pair %s is a usage error", async (pair, message) => {
  const io = testIo();
  expect(await runProgram(["demo", "--script", "--pair", pair, "--folder", temporaryFolder()], io)).toBe(2);
  expect(io.err()).toContain(message);
});

test("dragoman demo tells what to paste next, and what is pasted works", async () => {
  const folder = temporaryFolder();
  const { io, until, stop } = stoppableIo();
  const ended = runProgram(["demo", "--port", "0", "--folder", folder], io);
  await until("Ctrl+C ends");
  const [, port = ""] = /npx mqtt pub -p (\d+) -u demo-token -q 1 -t v1\/gateway\/connect/.exec(io.out()) ?? [];
  const [, dashboard = ""] = /Its dashboard: +(\S+)\n/.exec(io.out()) ?? [];
  const [, put = ""] = /curl -X PUT {2}(\S+) -d/.exec(io.out()) ?? [];
  const [, post = ""] = /curl -X POST (\S+) -d/.exec(io.out()) ?? [];

  const gateway = await connectAsync(`mqtt://127.0.0.1:${port}`, { username: "demo-token", reconnectPeriod: 0 });
  onTestFinished(() => gateway.endAsync(true));
  await gateway.subscribeAsync(["v1/gateway/attributes", "v1/gateway/rpc"], { qos: 1 });
  await gateway.publishAsync("v1/gateway/connect", '{"device":"Device A"}', { qos: 1 });
  await until("/devices/Device%20A/config  (empty)");
  expect((await fetch(put, { method: "PUT", body: '{"interval":30}' })).status).toBe(200);
  await until('▶ gateway v1/gateway/attributes  {"device":"Device A","data":{"interval":30}}');
  expect((await fetch(post, { method: "POST", body: '{"method":"setLed","params":{"on":true}}' })).status).toBe(200);
  await until('"method":"setLed","params":{"on":true}}}');

  const page = await fetch(dashboard);
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);

  stop();
  expect(await ended).toBe(0);
  // The configuration that it wrote is one that a user may go on from; it holds no secret.
  const config = readFileSync(join(folder, "dragoman.yaml"), "utf8");
  expect(config).toContain("dialect: clearblade");
  expect(config).not.toContain("demo-token");
});

test("dragoman demo says in one line that its port is taken, and what to do", async () => {
  const port = await takenPort();
  const io = testIo({ env: { PORT: `${port}` } });
  expect(await runProgram(["demo", "--port", `${port}`, "--folder", temporaryFolder()], io)).toBe(1);
  expect(io.err()).toMatch(new RegExp(`^dragoman: [^\\n]*${port}[^\\n]*--port[^\\n]*\\n$`));
});

test.each(["70000", "-1", "web", "1883.5", ""])("dragoman demo --port %j is a usage error", async (port) => {
  const io = testIo();
  expect(await runProgram(["demo", `--port=${port}`, "--folder", temporaryFolder()], io)).toBe(2);
  expect(io.err()).toContain(`Cannot use port "${port}": wanted a number from 0 to 65535`);
});
