import { readFileSync } from "node:fs";
import type { BaselineOptions } from "./baseline.ts";
import { startChild } from "./child.ts";

export interface SubjectOptions {
  readonly tokens: readonly string[];
  readonly upstreamPort: number;
  /** Whether to wait until every upstream connection is open. */
  readonly awaitUpstream: boolean;
  /** A spool that was there before and stays; absent: a new one. */
  readonly spoolDirectory?: string;
  /** Per gateway; absent: no limit. */
  readonly messagesPerSecond?: number;
}

/** A bridge under load. */
export interface RunningSubject {
  readonly port: number;
  readonly pid: number;
  /** What it says of itself after the run. */
  note(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts the baseline in one of its two manners. */
export async function startBaseline(
  acknowledge: BaselineOptions["acknowledge"],
  options: SubjectOptions,
): Promise<RunningSubject> {
  const child = await startChild("./baseline.js");
  const { port } = (await child.ask({ ...options, acknowledge } satisfies BaselineOptions)) as { port: number };
  return { port, pid: child.pid, stop: child.stop, note: async () => "" };
}

/** Processor seconds that a process has used, all its threads together; NaN where the system does not say (not Linux). */
export function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    // Fields 14 and 15 of proc(5), in ticks of which Linux shows 100 per second.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

/** Resident memory of a process; NaN where the system does not say (not Linux). */
export function residentBytesOf(pid: number): number {
  try {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kibibytes) * 1024;
  } catch {
    return Number.NaN;
  }
}
