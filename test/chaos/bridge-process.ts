import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { LedgerDocument } from "../../src/admin/ledger.ts";
import type { BridgeStatus } from "../../src/message/status.ts";

/** `dragoman run`, a process of its own. */
export interface BridgeProcess {
  readonly pid: number;
  /** Where gateways connect. */
  readonly url: string;
  /** The last lines of its log. */
  readonly log: readonly string[];
  ledger(): Promise<LedgerDocument>;
  status(): Promise<BridgeStatus>;
  /** It runs no more. */
  readonly hasEnded: boolean;
  /** Resolves if it ends without having been told to. */
  readonly died: Promise<void>;
  /** Sends the signal and waits for the end; gives the exit code, or nothing where the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const keptLines = 400;

/** Resolves once it says that it is ready. */
export async function startBridge(program: string, configFile: string): Promise<BridgeProcess> {
  const child = spawn(process.execPath, [program, "run", configFile], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  const log: string[] = [];
  const ready = new Promise<{ readonly listen: readonly string[]; readonly admin: string }>((resolve) => {
    createInterface(child.stderr).on("line", (line) => {
      log.push(line);
      if (log.length > keptLines) log.shift();
      if (line.includes('"msg":"ready"')) resolve(JSON.parse(line));
    });
  });
  const failed = ended.then(() => {
    throw new Error(`dragoman run ended with ${child.exitCode ?? child.signalCode}:\n${log.join("\n")}`);
  });
  failed.catch(() => undefined);
  let isToldTo = false;
  const { listen, admin } = await Promise.race([ready, failed]);
  const get = async (path: string) => (await fetch(new URL(path, admin))).json();
  return {
    pid: child.pid as number,
    url: listen[0] as string,
    log,
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    ledger: async () => (await get("/ledger")) as LedgerDocument,
    status: async () => (await get("/status")) as BridgeStatus,
    died: new Promise((resolve) => {
      void ended.then(() => {
        if (!isToldTo) resolve();
      });
    }),
    async end(signal) {
      isToldTo = true;
      child.kill(signal);
      await ended;
      return child.exitCode;
    },
  };
}
