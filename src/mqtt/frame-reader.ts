/** What a `FrameReader` finds. `header` is the first byte of a packet, its body is `bytes` from `start` to `end`. */
export interface FrameSink {
  /** One whole packet. `bytes` is only valid during the call. */
  frame(header: number, bytes: Buffer, start: number, end: number): void;
  /** A packet above the limit begins, as its header says; `stop()` here keeps it from being waited for. */
  tooLarge?(): void;
  /** A PUBLISH above the limit, which is skipped: `bytes` holds its topic and packet id, `length` is that of the whole body. */
  oversized(header: number, bytes: Buffer, start: number, length: number): void;
  /** The bytes are no MQTT; nothing further is read. */
  malformed(reason: string): void;
}

/**
 * Cuts a byte stream into MQTT packets, without copying those that arrive in one piece.
 *
 * mqtt-packet's parser keeps a packet of any announced size in memory; this one holds at most `maxBytes` plus a topic.
 */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #sink: FrameSink;
  /** The beginning of a packet whose rest has not come, with room for exactly what is known to be wanted. */
  #partial: Buffer | undefined;
  #filled = 0;
  #skip = 0;
  #isStopped = false;

  /** @param maxBytes Largest body of a packet; the fixed header does not count. */
  constructor(maxBytes: number, sink: FrameSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Nothing is reported any more, not even what follows in the chunk that is just being read. */
  stop(): void {
    this.#isStopped = true;
    this.#partial = undefined;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && !this.#isStopped) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, rest.length);
        this.#skip -= skipped;
        rest = rest.subarray(skipped);
      } else if (this.#partial !== undefined) {
        const copied = rest.copy(this.#partial, this.#filled);
        this.#filled += copied;
        rest = rest.subarray(copied);
        if (this.#filled < this.#partial.length) return;
        const whole = this.#partial;
        this.#partial = undefined;
        this.#parse(whole);
      } else {
        this.#parse(rest);
        return;
      }
    }
  }

  #parse(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#isStopped) {
      const header = bytes[at] ?? 0;
      let start = at + 1;
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        if (start === bytes.length) {
          this.#hold(bytes, at, start + 1);
          return;
        }
        const byte = bytes[start++] ?? 0;
        length += (byte & 0x7f) << shift;
        if (byte < 0x80) break;
        if (shift === 21) {
          this.#malformed("a remaining length of more than four bytes");
          return;
        }
      }
      const end = start + length;
      if (length > this.#maxBytes) {
        if (!this.#startSkipping(bytes, at, start, length)) return;
        this.#skip = Math.max(0, end - bytes.length);
      } else {
        if (end > bytes.length) {
          this.#hold(bytes, at, end);
          return;
        }
        this.#sink.frame(header, bytes, start, end);
      }
      at = end;
    }
  }

  /** Reports an oversized PUBLISH once its topic and packet id are here; false while they are not. */
  #startSkipping(bytes: Buffer, at: number, start: number, length: number): boolean {
    this.#sink.tooLarge?.();
    if (this.#isStopped) return false;
    const header = bytes[at] ?? 0;
    if (header >>> 4 !== 3) return this.#malformed(`a packet of type ${header >>> 4} with ${length} bytes`);
    if (bytes.length < start + 2) return this.#hold(bytes, at, start + 2);
    const head = 2 + bytes.readUInt16BE(start) + 2;
    if (head > length) return this.#malformed("a PUBLISH shorter than its topic");
    if (bytes.length < start + head) return this.#hold(bytes, at, start + head);
    this.#sink.oversized(header, bytes, start, length);
    return true;
  }

  #hold(bytes: Buffer, from: number, to: number): false {
    this.#partial = Buffer.allocUnsafe(to - from);
    this.#filled = bytes.copy(this.#partial, 0, from);
    return false;
  }

  #malformed(reason: string): false {
    this.stop();
    this.#sink.malformed(reason);
    return false;
  }
}
