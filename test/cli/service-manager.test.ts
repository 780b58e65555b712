import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { openServiceManager } from "../../src/cli/service-manager.ts";
import { startBridge } from "../bridge/bridge-process.ts";
import { createFeed, type Feed } from "../bridge/feed.ts";
import { openPlant } from "../bridge/harness.ts";
import { describeWith } from "../tools.ts";

/** What systemd listens on: a datagram socket of the Unix kind, which Node has not. */
const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(4096).decode().replace("\\n", "|"), flush=True)
`;

/** Stands in for systemd; each message is its assignments, joined by bars. */
async function openNotifySocket(): Promise<{ readonly path: string; readonly heard: Feed<string> }> {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-notify-"));
  const path = join(folder, "socket");
  const child = spawn("/usr/bin/python3", ["-c", receiver, path], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });
  const heard = createFeed<string>();
  // systemd-notify ends once what it sent has been taken from the socket; that is no message of ours.
  createInterface(child.stdout).on("line", (line) => line === "BARRIER=1" || heard.push(line));
  await heard.next((line) => line === "bound");
  return { path, heard };
}

describeWith(["python3", "systemd-notify"], "dragoman run under systemd", () => {
  test("says when it is ready, reloads, stops, and that it lives", async () => {
    const { path, heard } = await openNotifySocket();
    const plant = await openPlant();
    const bridge = await startBridge(plant.configFile, { env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "1000000" } });
    await heard.next((line) => line.startsWith("READY=1|STATUS="));
    const reloading = heard.next((line) => line.startsWith("RELOADING=1"));
    const lives = heard.next((line) => line === "WATCHDOG=1");
    await lives;
    bridge.signal("SIGHUP");
    expect(await reloading).toMatch(/^RELOADING=1\|MONOTONIC_USEC=\d+\|STATUS=/);
    await heard.take(2, (line) => line.startsWith("READY=1"));
    const stopping = heard.next((line) => line.startsWith("STOPPING=1"));
    expect(await bridge.end("SIGTERM")).toBe(0);
    await stopping;
    const told = heard.all
      .filter((line) => line !== "bound" && line !== "WATCHDOG=1")
      .map((line) => line.split("|")[0]);
    expect(told).toEqual(["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
    expect(bridge.log.all.map(({ msg }) => msg)).not.toContain("service-manager-unreachable");
  });

  test("goes on where nobody listens, and says so once", async () => {
    const plant = await openPlant();
    const bridge = await startBridge(plant.configFile, {
      env: { NOTIFY_SOCKET: "/nowhere/socket", WATCHDOG_USEC: "200000" },
    });
    await bridge.log.next(({ msg }) => msg === "service-manager-unreachable");
    expect((await bridge.get("/healthz")).status).toBe(200);
    expect(await bridge.end("SIGTERM")).toBe(0);
    expect(bridge.log.all.filter(({ msg }) => msg === "service-manager-unreachable")).toHaveLength(1);
  });
});

test("openServiceManager() tells nobody where nobody asks", async () => {
  const log = { debug: fail, info: fail, warn: fail, error: fail };
  const manager = openServiceManager({ env: { WATCHDOG_USEC: "1000" } }, log);
  manager.ready();
  manager.stopping();
  await manager.close();

  function fail(): never {
    throw new Error("wanted silence");
  }
});
