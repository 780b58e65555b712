import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Ledger } from "../../src/message/fate.ts";
import type { RunningSubject, SubjectOptions } from "./subject.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** Runs `dragoman run` as a user would: the built program, a configuration file, a spool on disk. */
export async function startDragoman(options: SubjectOptions): Promise<RunningSubject & { readonly readyMs: number }> {
  // Beside the program rather than in the system's folder for temporary files, which may be in memory.
  const folder = mkdtempSync(join(root, "bench/dist/run-"));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  // JSON is YAML too.
  writeFileSync(join(folder, "dragoman.yaml"), JSON.stringify(configuration(options), undefined, 2));

  const child = spawn(process.execPath, [join(root, "dist/main.js"), "run", join(folder, "dragoman.yaml")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const startedMs = performance.now();
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const lines: string[] = [];
  const ready = new Promise<{ listen: readonly string[]; admin: string }>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      const entry = line.startsWith("{") ? (JSON.parse(line) as { msg?: string }) : {};
      if (entry.msg === "ready") resolve(entry as never);
    });
    child.once("exit", () => reject(new Error(`dragoman ended:\n${lines.slice(-20).join("\n")}`)));
  });

  try {
    const { listen, admin } = await ready;
    const readyMs = performance.now() - startedMs;
    if (options.awaitUpstream) await untilReady(admin);
    return {
      port: Number(new URL(listen[0] ?? "").port),
      pid: child.pid ?? 0,
      readyMs,
      stop,
      note: async () => describe(await ledgerOf(admin)),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration({
  tokens,
  upstreamPort,
  spoolDirectory = "spool",
  messagesPerSecond = 1_000_000,
}: SubjectOptions): object {
  return {
    allowInlineSecrets: true,
    local: { dialect: "thingsboard", listen: ["mqtt://127.0.0.1:0"] },
    upstream: {
      dialect: "google",
      url: `mqtt://127.0.0.1:${upstreamPort}`,
      project: "bench",
      location: "europe-west1",
      registry: "bench",
      // The sink has no limits, and the cloud's are not what is measured.
      limits: { messagesPerSecond, bytesPerSecond: "1GiB" },
    },
    gateways: tokens.map((token) => ({
      id: token,
      local: { token },
      upstream: { privateKey: "file:key.pem", algorithm: "ES256" },
    })),
    spool: { directory: spoolDirectory },
    admin: { listen: "http://127.0.0.1:0" },
  };
}

async function untilReady(admin: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while ((await fetch(`${admin}/readyz`)).status !== 200) {
    if (performance.now() > deadline)
      throw new Error(`Not ready upstream: ${await (await fetch(`${admin}/readyz`)).text()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function ledgerOf(admin: string): Promise<Ledger> {
  return (await (await fetch(`${admin}/ledger`)).json()) as Ledger;
}

function describe({ received, delivered, pending, held, quarantined, dropped }: Ledger): string {
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  return `ledger ${received} = ${delivered} delivered + ${pending} pending + ${held + quarantined} set aside + ${lost} dropped`;
}
