import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Config } from "../config.ts";
import { dateOf } from "./certificate.ts";
import type { Finding } from "./checkup.ts";

/** A file may be a little ahead: file servers have clocks of their own. */
const toleranceMs = 60_000;

/**
 * What the machine itself gives away about its clock: whether somebody keeps it, and whether files were written later than
 * now. Whether the cloud agrees with it is seen when a token is made.
 */
export async function checkClock(config: Config, nowMs: number): Promise<Finding> {
  const files = [config.file, join(config.spool.directory, "data.mdb")].filter((file) => existsSync(file));
  const newest = files
    .map((file) => ({ file, writtenMs: statSync(file).mtimeMs }))
    .sort((a, b) => b.writtenMs - a.writtenMs)[0];
  const says = `this machine's clock says ${dateOf(nowMs)}`;
  if (newest !== undefined && newest.writtenMs > nowMs + toleranceMs) {
    return {
      outcome: "fail",
      found: `${says}, but "${newest.file}" was written at ${dateOf(newest.writtenMs)}`,
      causes: [
        {
          name: "clock",
          likelihood: "likely",
          what: "the clock is behind: it was set back, or starts from nothing when the machine does",
          remedy: "Set the clock, and have it kept by NTP.",
        },
      ],
    };
  }
  const isKept = await isSynchronised();
  if (isKept !== false) return { outcome: "ok", found: isKept === true ? `${says}, and NTP keeps it` : says };
  return {
    outcome: "warn",
    found: `${says}, and nothing keeps it`,
    causes: [
      {
        name: "noNtp",
        likelihood: "likely",
        what: "the clock is not synchronised (timedatectl)",
        remedy: "Turn NTP on (timedatectl set-ntp true), or see why it does not reach its servers.",
      },
    ],
  };
}

/** What systemd says; `undefined` where there is none. */
async function isSynchronised(): Promise<boolean | undefined> {
  try {
    const { stdout } = await promisify(execFile)("timedatectl", ["show", "-p", "NTPSynchronized", "--value"], {
      timeout: 2000,
    });
    const word = stdout.trim();
    return word === "yes" ? true : word === "no" ? false : undefined;
  } catch {
    return undefined;
  }
}
