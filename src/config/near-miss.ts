import { editsBetween } from "../message/edits.ts";

/** The known word that was probably meant: the nearest one, if it is near enough. */
export function nearMiss(word: string, known: readonly string[]): string | undefined {
  const plain = plainOf(word);
  let best: string | undefined;
  let least = Math.min(3, Math.floor(plain.length / 3) + 1);
  for (const candidate of known) {
    const edits = editsBetween(plain, plainOf(candidate));
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

/** `, did you mean "…"?` where a near miss is found, else nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearMiss(word, known);
  return meant === undefined ? "" : `, did you mean "${meant}"?`;
}

/** `max_bytes`, `max-bytes` and `maxBytes` are one word to someone who guesses. */
function plainOf(word: string): string {
  return word.replace(/[-_ ]/g, "").toLowerCase();
}
