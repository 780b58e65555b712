/**
 * A short name for a text, so that a long one can be recognised without being kept. Not for anything that somebody could
 * gain from forging: two 32-bit hashes (FNV-1a with two offsets) in hexadecimal.
 */
export function digestOf(text: string): string {
  let one = 0x811c9dc5;
  let other = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    one = Math.imul(one ^ code, 0x01000193);
    other = Math.imul(other ^ code ^ (i & 0xff), 0x01000193);
  }
  return (one >>> 0).toString(16).padStart(8, "0") + (other >>> 0).toString(16).padStart(8, "0");
}
