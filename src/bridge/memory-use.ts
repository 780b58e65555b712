/**
 * Payload bytes of the records whose messages the rules have in memory. Owns the sum, so that what is large counts for more
 * than what is many.
 */
export class MemoryUse {
  readonly #records = new Map<number, { left: number; readonly bytes: number }>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** So many messages of a record are handed over; its bytes count until each of them has a fate. */
  add(seq: number, messages: number, bytes: number): void {
    if (messages === 0) return;
    const known = this.#records.get(seq);
    if (known !== undefined) {
      known.left += messages;
      return;
    }
    this.#records.set(seq, { left: messages, bytes });
    this.#bytes += bytes;
  }

  /** One message of a record has its fate. Of records that were never handed over nothing happens. */
  settled(seq: number): void {
    const known = this.#records.get(seq);
    if (known === undefined) return;
    known.left -= 1;
    if (known.left > 0) return;
    this.#records.delete(seq);
    this.#bytes -= known.bytes;
  }
}
