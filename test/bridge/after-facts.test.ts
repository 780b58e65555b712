import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AfterFacts } from "../../src/bridge/after-facts.ts";
import { openSpool } from "../../src/spool/open-spool.ts";
import { connectGateway } from "./gateway-client.ts";
import { openPlant } from "./harness.ts";

/** Syncs that end when they are told to. */
function disk() {
  const syncs: { resolve(): void; reject(error: Error): void }[] = [];
  return {
    syncs,
    flushed: () => new Promise<void>((resolve, reject) => syncs.push({ resolve, reject })),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("run() acts at once while there is no fact to wait for", () => {
  const after = new AfterFacts(disk().flushed);
  const done: string[] = [];
  after.run(() => done.push("one"));
  expect(done).toEqual(["one"]);
});

test("run() waits for the facts stored before it, in order, with one sync for all, and not for later ones", async () => {
  const { flushed, syncs } = disk();
  const after = new AfterFacts(flushed);
  const done: string[] = [];
  after.stored();
  after.run(() => done.push("one"));
  after.run(() => done.push("two"));
  expect([done, syncs.length]).toEqual([[], 1]);
  after.stored();
  after.run(() => done.push("three"));
  syncs[0]?.resolve();
  await turn();
  expect([done, syncs.length]).toEqual([["one", "two"], 2]);
  syncs[1]?.resolve();
  await after.done();
  expect(done).toEqual(["one", "two", "three"]);
  after.run(() => done.push("four"));
  expect(done.at(-1)).toBe("four");
});

test("run() goes on where the disk fails", async () => {
  const { flushed, syncs } = disk();
  const after = new AfterFacts(flushed);
  const done: string[] = [];
  after.stored();
  after.run(() => done.push("one"));
  syncs[0]?.reject(new Error("no space left"));
  await turn();
  expect(done).toEqual(["one"]);
});

test("what a command or a configuration left on disk is there before the gateway, or the cloud, hears of it", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/connect", { device: "pump-2" });
  await plant.cloud.next("acknowledged", ({ device }) => device === "pump-2");

  let atCommand: string | undefined;
  gateway.client.on("message", (topic) => {
    if (topic === "v1/gateway/rpc") atCommand ??= copyOf(plant.folder);
  });
  plant.cloud.sendCommand("pump-2", JSON.stringify({ method: "stop" }));
  await gateway.next("v1/gateway/rpc");
  expect(await factsIn(atCommand)).toContain("command");

  const version = plant.cloud.setConfig("pump-2", JSON.stringify({ limit: 7 }));
  await plant.cloud.next("acknowledged", (record) => record.version === version);
  expect(await factsIn(copyOf(plant.folder))).toContain("taken");
});

/** The spool as it would be found if the process ended now. */
function copyOf(folder: string): string {
  const copy = mkdtempSync(join(tmpdir(), "dragoman-facts-"));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  mkdirSync(join(copy, "spool"));
  copyFileSync(join(folder, "spool", "data.mdb"), join(copy, "spool", "data.mdb"));
  return join(copy, "spool");
}

/** What kinds of facts a copy has. */
async function factsIn(directory: string | undefined): Promise<readonly string[]> {
  if (directory === undefined) return [];
  const spool = await openSpool({ directory, maxBytes: 2 ** 20, whenFull: "refuse" });
  const facts = [...spool.gateway("gw-01").entries()].map(([key]) => key);
  await spool.close();
  return ["command", "taken"].filter((kind) => facts.some((key) => key.startsWith(`${kind}@`)));
}
