/**
 * The records whose messages the rules have in memory: when they came, and their payload bytes. Owns the sum of those, so
 * that what is large counts for more than what is many.
 */
export class MemoryUse {
  #records: Map<number, { left: number; readonly bytes: number; readonly arrivedMs: number }> | undefined;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** So many messages of a record are handed over; its bytes count until each of them has a fate. */
  add(
    seq: number,
    messages: number,
    { bytes, arrivedMs }: { readonly bytes: number; readonly arrivedMs: number },
  ): void {
    if (messages === 0) return;
    this.#records ??= new Map();
    const known = this.#records.get(seq);
    if (known !== undefined) {
      known.left += messages;
      return;
    }
    this.#records.set(seq, { left: messages, bytes, arrivedMs });
    this.#bytes += bytes;
  }

  /** One message of a record has its fate; gives when it came. Of records that were never handed over nothing is known. */
  settled(seq: number): number | undefined {
    const known = this.#records?.get(seq);
    if (known === undefined) return undefined;
    known.left -= 1;
    if (known.left > 0) return known.arrivedMs;
    this.#records?.delete(seq);
    this.#bytes -= known.bytes;
    return known.arrivedMs;
  }
}
