import type { Mistake } from "../dialect/mistake.ts";

export type { Mistake, Place } from "../dialect/mistake.ts";

/** `file:line:column: message`, as editors and terminals know how to open it. */
export function formatMistake({ file, line, column, message }: Mistake): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** In reading order, file by file, each once. */
export function sortMistakes(mistakes: readonly Mistake[]): readonly Mistake[] {
  const files = [...new Set(mistakes.map(({ file }) => file))];
  const sorted = [...mistakes].sort(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
  const seen = new Set<string>();
  return sorted.filter((mistake) => {
    const text = formatMistake(mistake);
    return !seen.has(text) && seen.add(text);
  });
}
