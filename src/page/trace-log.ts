import type { TraceLine } from "../message/trace.ts";

/** A packet that came in and those that went out because of it, or one packet that stands alone. */
export interface TraceEntry {
  readonly key: number;
  readonly lines: readonly TraceLine[];
}

/** The latest packets, newest first, tied together by the records they have in common, or by what they follow from. */
export interface TraceLog {
  readonly entries: readonly TraceEntry[];
  /** Packets that passed and were left out, here or at the server. */
  readonly missed: number;
  add(lines: readonly TraceLine[]): void;
  miss(count: number): void;
  clear(): void;
}

/** More than anyone reads, and little to draw. */
const maxEntries = 100;

export function traceLog(): TraceLog {
  let entries: readonly TraceEntry[] = [];
  let missed = 0;
  return {
    get entries() {
      return entries;
    },
    get missed() {
      return missed;
    },
    add(lines) {
      for (const line of lines) {
        const kin = entries.find((entry) => entry.lines.some((other) => belongTogether(other, line)));
        if (kin === undefined) entries = [{ key: line.id, lines: [line] }, ...entries].slice(0, maxEntries);
        else entries = entries.map((entry) => (entry === kin ? { key: kin.key, lines: [...kin.lines, line] } : entry));
      }
    },
    miss(count) {
      missed += count;
    },
    clear() {
      entries = [];
      missed = 0;
    },
  };
}

function belongTogether(one: TraceLine, other: TraceLine): boolean {
  if (one.gateway !== other.gateway) return false;
  if (one.cause === other.id || other.cause === one.id) return true;
  return one.records?.some((record) => other.records?.includes(record) === true) === true;
}
