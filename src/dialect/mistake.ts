/** Where something stands in a mapping file. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something wrong in a mapping file, and what was wanted there. */
export interface Mistake extends Place {
  readonly message: string;
}

/** Takes note of a mistake. Compiling goes on, so that one run finds them all. */
export type Blame = (at: Place, message: string) => void;

/** Collects mistakes: `blame` adds one, `found` gives them in reading order, each once. */
export function collectMistakes(): { readonly blame: Blame; readonly found: () => readonly Mistake[] } {
  const mistakes: Mistake[] = [];
  const seen = new Set<string>();
  return {
    blame: ({ file, line, column }, message) => {
      const key = `${file}:${line}:${column}:${message}`;
      if (!seen.has(key)) mistakes.push({ file, line, column, message });
      seen.add(key);
    },
    found: () => {
      const files = [...new Set(mistakes.map(({ file }) => file))];
      return [...mistakes].sort(
        (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
      );
    },
  };
}

/** `a, b or c`, each in double quotes. */
export function oneOf(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  const last = quoted.pop() ?? "nothing";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}
