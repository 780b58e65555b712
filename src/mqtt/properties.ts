/** Where the v5 properties that begin at `at` end; `undefined` when that is behind `end`, or not said in four bytes. */
export function skipProperties(bytes: Uint8Array, at: number, end: number): number | undefined {
  let length = 0;
  let start = at;
  for (let shift = 0; ; shift += 7) {
    if (start >= end || shift > 21) return undefined;
    const byte = bytes[start++] ?? 0;
    length += (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return start + length <= end ? start + length : undefined;
}
