import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { BridgeStatus } from "../../src/message/status.ts";
import { runProgram, startBridge } from "../bridge/bridge-process.ts";
import { connectGateway } from "../bridge/gateway-client.ts";
import { eventually, openPlant } from "../bridge/harness.ts";
import { audit, createLoad } from "../bridge/load.ts";

test("dragoman run says where it listens, with the real ports, and needs no upstream for that", async () => {
  const plant = await openPlant();
  await plant.stopCloud();
  const bridge = await startBridge(plant.configFile);
  expect(bridge.url).toMatch(/^mqtt:\/\/127\.0\.0\.1:[1-9]\d*$/);
  expect(bridge.admin).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  expect((await bridge.get("/healthz")).status).toBe(200);
  expect(await bridge.end("SIGINT")).toBe(0);
});

test("dragoman run exits 2 with every mistake at its place, and opens nothing", async () => {
  const plant = await openPlant({ upstream: { setle: "1s" }, spool: { maxBytes: "12 apples" } });
  const { code, stdout, stderr } = await runProgram(["run", plant.configFile]);
  expect([code, stdout]).toEqual([2, ""]);
  const lines = stderr.trim().split("\n");
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatch(new RegExp(`^${plant.configFile}:1:\\d+: `));
  expect(stderr).toContain("setle");
  expect(stderr).toContain("maxBytes");
});

test("dragoman run exits 2 when there is no such file", async () => {
  const { code, stderr } = await runProgram(["run", "/nowhere/dragoman.yaml"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^[^\n]*\/nowhere\/dragoman\.yaml[^\n]*\n$/);
});

test("dragoman run exits 1 in one line when a port or the spool is taken", async () => {
  const plant = await openPlant();
  const bridge = await startBridge(plant.configFile);

  const second = await runProgram(["run", plant.configFile]);
  expect(second.code).toBe(1);
  expect(second.stderr.trim().split("\n")).toHaveLength(1);
  expect(second.stderr).toMatch(/^dragoman: Cannot open spool /);

  plant.configure({ local: { listen: [bridge.url] }, spool: { directory: "other" } });
  const third = await runProgram(["run", plant.configFile]);
  expect(third.code).toBe(1);
  expect(third.stderr.trim().split("\n")).toHaveLength(1);
  expect(third.stderr).toMatch(new RegExp(`^dragoman: Cannot listen on "${bridge.url}": `));
});

test("SIGTERM sends what waits, exits 0 and says that nothing stays", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  cloud.faults.acknowledgeDelayMs = 20;
  const load = createLoad();
  const bridge = await startBridge(plant.configFile);
  const gateway = await load.send(bridge.url, plant.tokenOf("gw-01"), 1000);
  await gateway.next("puback", () => load.acknowledged.size >= 500);
  expect(await bridge.end("SIGTERM")).toBe(0);
  await gateway.closed;

  expect(audit(load, [cloud])).toMatchObject({ lost: [], disordered: [] });
  const stopped = bridge.log.all.at(-1);
  expect(stopped).toMatchObject({ msg: "stopped", level: "info", pending: 0, held: 0, quarantined: 0 });
  // It went in peace: the last the cloud saw is a DISCONNECT.
  expect(await cloud.next("closed")).toMatchObject({ by: "device", reason: "disconnect" });
});

test("SIGTERM with the upstream down exits 0 and says how much stays; the next start sends it", async () => {
  const plant = await openPlant();
  await plant.stopCloud();
  const load = createLoad();
  const bridge = await startBridge(plant.configFile);
  const gateway = await load.send(bridge.url, plant.tokenOf("gw-01"), 60);
  await gateway.next("puback", ({ messageId }) => messageId === 60);
  expect(await bridge.end("SIGTERM")).toBe(0);
  expect(bridge.log.all.at(-1)).toMatchObject({ msg: "stopped", pending: 60, held: 0, quarantined: 0 });

  const cloud = await plant.startCloud();
  const next = await startBridge(plant.configFile);
  await eventually(() => audit(load, [cloud])).toEqual({ lost: [], disordered: [], arrived: 60 });
  await eventually(() => next.ledger()).toMatchObject({ received: 60, delivered: 60, pending: 0 });
});

test("SIGHUP with a bad file is logged and changes nothing; with a good one the bridge goes on by it, nobody notices", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const bridge = await startBridge(plant.configFile);
  // The real port goes into the file, as a user's would be.
  plant.configure({ local: { listen: [bridge.url] } });
  const good = readFileSync(plant.configFile, "utf8");
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });

  writeFileSync(plant.configFile, good.replace('"clearblade"', '"clearblad"').replace('"20ms"', '"soon"'));
  bridge.signal("SIGHUP");
  await bridge.log.take(2, ({ msg }) => msg === "reload-refused");
  const refusals = bridge.log.all.filter(({ msg }) => msg === "reload-refused");
  expect(refusals.map(({ level }) => level)).toEqual(["error", "error"]);
  expect(refusals[0]?.["mistake"]).toMatch(/^.*dragoman\.yaml:1:\d+: .*clearblad.*clearblade/);
  await gateway.say("v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"n":1}}]}');
  await cloud.next("telemetry");
  expect(gateway.client.connected).toBe(true);

  plant.configure({ local: { listen: [bridge.url] }, rules: { telemetry: { shape: "flat" } } });
  bridge.signal("SIGHUP");
  await bridge.log.next(({ msg }) => msg === "reloaded");
  await gateway.say("v1/gateway/telemetry", '{"Device A":[{"ts":2,"values":{"n":2}}]}');
  const record = await cloud.next("telemetry", ({ payload }) => payload.toString().includes("2"));
  expect(record.payload.toString()).toBe('{"ts":2,"n":2}');
  expect(cloud.records.filter(({ kind }) => kind === "connected")).toHaveLength(1);
  expect(await bridge.end("SIGTERM")).toBe(0);
  expect(bridge.text()).not.toMatch(/^\s+at /m);
});

test("SIGHUP with a file that is right but cannot be run, as on a taken port, goes on with what was before", async () => {
  const plant = await openPlant();
  const bridge = await startBridge(plant.configFile);
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  plant.configure({ local: { listen: [plant.cloud.urls[0]] }, rules: { telemetry: { shape: "flat" } } });
  bridge.signal("SIGHUP");
  const refusal = await bridge.log.next(({ msg }) => msg === "reload-refused");
  expect(refusal).toMatchObject({ level: "error", mistake: expect.stringMatching(/^Cannot listen on "mqtt:/) });
  await gateway.say("v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"n":1}}]}');
  const record = await plant.cloud.next("telemetry");
  expect(record.payload.toString()).toBe('[{"ts":1,"values":{"n":1}}]');
  expect(await bridge.end("SIGTERM")).toBe(0);
  expect(bridge.text()).not.toMatch(/^\s+at /m);
});

test("a changed file is taken over by itself, and one that it names", async () => {
  const plant = await openPlant({ mapping: "plant.yaml", reload: { watch: true } });
  const mapping = join(plant.folder, "plant.yaml");
  const write = (key: string) =>
    writeFileSync(mapping, `mapping: p\nrules: { all: { keys: { n: { to: ${key} } } } }\n`);
  write("before");
  const bridge = await startBridge(plant.configFile);
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  write("after");
  const reloaded = await bridge.log.next(({ msg }) => msg === "reloaded");
  expect(reloaded).toMatchObject({ changes: ["mapping"] });
  await gateway.say("v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"n":1}}]}');
  expect((await plant.cloud.next("telemetry")).payload.toString()).toBe('[{"ts":1,"values":{"after":1}}]');

  write("fine, to: twice");
  await bridge.log.next(({ msg }) => msg === "reload-refused");
  const { reload } = JSON.parse((await bridge.get("/status")).text) as BridgeStatus;
  expect(reload).toMatchObject({ outcome: "refused", mistakes: [expect.stringContaining("plant.yaml:2:")] });
  write("mended");
  await bridge.log.next(({ msg }) => msg === "reloaded", reloaded);
  expect(await bridge.end("SIGTERM")).toBe(0);
});

test("SIGTERM that comes while SIGHUP is at work ends it all the same", async () => {
  const plant = await openPlant();
  const bridge = await startBridge(plant.configFile);
  bridge.signal("SIGHUP");
  expect(await bridge.end("SIGTERM")).toBe(0);
  expect(bridge.log.all.at(-1)).toMatchObject({ msg: "stopped" });
});

test("SIGHUP loses nothing that was acknowledged before it", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  cloud.faults.acknowledgeDelayMs = 50;
  const load = createLoad();
  const bridge = await startBridge(plant.configFile);
  const gateway = await load.send(bridge.url, plant.tokenOf("gw-01"), 500);
  await gateway.next("puback", () => load.acknowledged.size >= 200);
  plant.configure({ local: { listen: [bridge.url] }, upstream: { keepalive: "30s" } });
  bridge.signal("SIGHUP");
  await bridge.log.next(({ msg }) => msg === "reloaded");
  await gateway.next("puback", () => load.acknowledged.size >= 500);
  cloud.faults.acknowledgeDelayMs = 0;
  await eventually(() => audit(load, [cloud])).toMatchObject({ lost: [], disordered: [] });
  expect(await bridge.end("SIGTERM")).toBe(0);
});
