/**
 * Lays out a table for people: columns as wide as they need, two spaces between, the last one ragged. Cells are made
 * {@link printable}.
 *
 * @param rightAligned Columns of numbers, counted from 0.
 * @returns The heads and one line per row; nothing for a table without rows.
 */
export function layOutTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: ReadonlySet<number> = new Set(),
): string[] {
  if (rows.length === 0) return [];
  const cells = [heads, ...rows.map((row) => row.map(printable))];
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return rightAligned.has(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

/**
 * Makes text from outside safe for a terminal: control characters (which could move the cursor or repaint the screen)
 * and those that reverse the reading direction are shown as escapes.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `12,345`. */
export function shortCount(count: number): string {
  return count.toLocaleString("en");
}

/** `12.3 KiB`; whole bytes below one KiB. */
export function shortBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  const amount = bytes / 1024 ** power;
  return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${units[power - 1]}`;
}

/** A span in its two largest units: `3d 4h`, `5m 12s`, `9s`. Clocks that disagree make it `0s`, never negative. */
export function shortAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days}d ${hours % 24}h`;
  if (hours > 0) return `${hours}h ${minutes % 60}m`;
  if (minutes > 0) return `${minutes}m ${seconds % 60}s`;
  return `${seconds}s`;
}
