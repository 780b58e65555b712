import { accessSync, constants, existsSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { SpoolOptions } from "../spool/options.ts";
import type { Finding } from "./checkup.ts";
import type { RunningBridge } from "./running-bridge.ts";

const mebibyte = 1024 * 1024;
/** Below this a spool cannot do much. */
const leastBytes = 64 * mebibyte;

/** Whether the spool's folder can be written, and has the room that it may need. */
export function checkSpool({ directory, maxBytes }: SpoolOptions, bridge: RunningBridge): Finding {
  if (directory === "memory") {
    return {
      outcome: "ok",
      found: 'it is kept in memory ("directory: memory"): what waits is lost when the bridge ends',
    };
  }
  const folder = existing(resolve(directory));
  const who = `user "${userInfo().username}"`;
  try {
    if (!statSync(folder).isDirectory()) return unusable(`"${folder}" is no folder`, who);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const file = join(folder, `.dragoman-doctor-${process.pid}`);
    writeFileSync(file, "dragoman");
    rmSync(file);
  } catch (error) {
    return unusable(`"${folder}" cannot be written: ${(error as Error).message}`, who);
  }
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  const stillWantedBytes = Math.max(0, 2 * maxBytes + 8 * mebibyte - sizeOf(directory));
  const state = `"${directory}" can be written by ${who}, ${inMebibytes(freeBytes)} are free`;
  const details = [
    ...(folder === resolve(directory) ? [] : [`the folder is not there yet; it will be made in "${folder}"`]),
    `with "maxBytes" as it is, its files may take ${inMebibytes(stillWantedBytes)} more`,
    ...(bridge.runs === "yes" ? ["a bridge has it open"] : []),
  ];
  if (freeBytes >= stillWantedBytes) return { outcome: "ok", found: state, details };
  return {
    outcome: freeBytes < leastBytes ? "fail" : "warn",
    found: `${state}, less than it may need`,
    details,
    causes: [
      {
        name: "diskFull",
        likelihood: "proven",
        what: "the disk is too small for what the spool may hold",
        remedy: 'Make room, or set a smaller "spool.maxBytes"; on a full disk gateways are refused.',
      },
    ],
  };
}

function unusable(found: string, who: string): Finding {
  const remedy = `Give the folder to the user that runs the bridge (this is ${who}), or set another "spool.directory".`;
  return {
    outcome: "fail",
    found,
    causes: [{ name: "permission", likelihood: "proven", what: "the bridge could not write its spool", remedy }],
  };
}

/** The folder itself, or the nearest above it that is there. */
function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder));
}

function sizeOf(directory: string): number {
  return statSync(join(directory, "data.mdb"), { throwIfNoEntry: false })?.size ?? 0;
}

function inMebibytes(bytes: number): string {
  return bytes >= 10 * 1024 * mebibyte
    ? `${Math.round(bytes / 1024 / mebibyte)} GiB`
    : `${Math.round(bytes / mebibyte)} MiB`;
}
