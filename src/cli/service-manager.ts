import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Log } from "../message/log.ts";
import type { Io } from "./io.ts";

/** Who started the process and wants to know how it is: systemd, or nobody, who is told nothing. sd_notify(3). */
export interface ServiceManager {
  ready(): void;
  reloading(): void;
  stopping(): void;
  /** Ends the signs of life; resolves when all has been told. */
  close(): Promise<void>;
}

/**
 * Tells systemd, where `NOTIFY_SOCKET` says that it listens, and gives the signs of life that `WatchdogSec=` asks for:
 * from a timer of the event loop, so that they stop when that does.
 *
 * The messages go through the `systemd-notify` command, as Node has no datagram sockets of the Unix kind. It is a process
 * of its own, so the unit needs `NotifyAccess=all`.
 */
export function openServiceManager({ env }: Pick<Io, "env">, log: Log): ServiceManager {
  if (!env["NOTIFY_SOCKET"]) return nobody;
  let told: Promise<void> = Promise.resolve();
  let isFailing = false;
  // One after the other: "ready" after "reloading" must not arrive before it.
  const tell = (...assignments: readonly string[]) => {
    told = told
      .then(() => run("systemd-notify", assignments, { env: { ...env }, timeout: notifyTimeoutMs }))
      .then(
        () => {
          isFailing = false;
        },
        (error: unknown) => {
          if (!isFailing) log.warn({ err: error }, "service-manager-unreachable");
          isFailing = true;
        },
      );
  };
  const periodMs = watchdogPeriodMs(env);
  const signs = periodMs === undefined ? undefined : setInterval(() => tell("WATCHDOG=1"), periodMs / 2).unref();
  return {
    ready: () => tell("READY=1", "STATUS=Gateways can connect."),
    reloading: () =>
      tell("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, "STATUS=Reads its configuration again."),
    stopping: () => tell("STOPPING=1", "STATUS=Sends what waits."),
    async close() {
      clearInterval(signs);
      await told;
    },
  };
}

const run = promisify(execFile);
const notifyTimeoutMs = 10_000;

const nobody: ServiceManager = {
  ready: () => undefined,
  reloading: () => undefined,
  stopping: () => undefined,
  close: async () => undefined,
};

/** sd_watchdog_enabled(3): time without a sign of life after which this process, and no other, is taken for dead. */
function watchdogPeriodMs(env: Io["env"]): number | undefined {
  const { WATCHDOG_USEC: period, WATCHDOG_PID: pid } = env;
  if (period === undefined || !/^[1-9]\d*$/.test(period) || (pid !== undefined && pid !== String(process.pid)))
    return undefined;
  return Number(period) / 1000;
}
