import type { Row } from "./scenario.ts";

const heads = [
  "scenario",
  "times",
  "sent",
  "acknowledged",
  "lost",
  "duplicates",
  "of them by gateways",
  "reordered",
  "set aside",
  "ledger",
  "recovery p50",
  "max",
  "PUBACK p99",
];

/** The rows as a Markdown table. */
export function markdownOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.revivals === 0 ? row.name : `${row.name} (ended by itself ${row.revivals} times)`,
    row.rounds,
    row.sent,
    row.acknowledged,
    row.lost.length,
    row.unexplained.length === 0 ? row.duplicates : `${row.duplicates}, ${row.unexplained.length} without need`,
    row.resent,
    row.reordered.length,
    row.poison,
    row.ledger === undefined ? "balances" : "**wrong**",
    secondsAt(row.recoveriesMs, 0.5),
    secondsAt(row.recoveriesMs, 1),
    millisecondsAt(row.pubackMs, 0.99),
  ]);
  const rules = heads.map((_, index) => (index === 0 ? "---" : "---:"));
  return `${[heads, rules, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

function secondsAt(sortedMs: readonly number[], share: number): string {
  const ms = at(sortedMs, share);
  return ms === undefined ? "-" : `${(ms / 1000).toFixed(2)} s`;
}

function millisecondsAt(sortedMs: readonly number[], share: number): string {
  const ms = at(sortedMs, share);
  return ms === undefined ? "-" : `${Math.round(ms)} ms`;
}

function at(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
