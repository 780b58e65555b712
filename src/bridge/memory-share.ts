/** What one gateway's messages may take up in memory; beyond that its backlog stays on disk. */
export interface MemoryShare {
  readonly messages: number;
  /** The same in payload bytes: of large packets far fewer fit. */
  readonly bytes: number;
}

const mebibyte = 1024 * 1024;
/** For all gateways together. A small message takes 0.5 to 0.7 KB of heap with all that is known of it. */
const all: MemoryShare = { messages: 16_384, bytes: 64 * mebibyte };
const most: MemoryShare = { messages: 4096, bytes: 16 * mebibyte };
/** As much as is under way at a time, and the next. */
const least: MemoryShare = { messages: 512, bytes: 2 * mebibyte };

/** The share of each of so many gateways: what they have in memory must not grow with their number. */
export function shareOf(gateways: number): MemoryShare {
  const share = (of: keyof MemoryShare) => Math.max(least[of], Math.min(most[of], Math.floor(all[of] / gateways)));
  return { messages: share("messages"), bytes: share("bytes") };
}
