/** What a packet id was taken for. */
export type Awaited = "publish" | "subscribe" | "unsubscribe";

export interface Oldest {
  readonly id: number;
  readonly awaited: Awaited;
  readonly token: number;
  readonly sinceMs: number;
}

const done = 0;
const publish = 1;
const subscribe = 2;
const unsubscribe = 3;
const forgotten = 4;
const codes = { publish, subscribe, unsubscribe } as const;
const words = [undefined, "publish", "subscribe", "unsubscribe", undefined] as const;

const idCount = 65_535;
const firstCapacity = 16;

/**
 * Which packet ids wait for an answer, and for which token, in the order of sending.
 *
 * A ring over the positions `head` to `tail`. The id is the position modulo 65535 plus one, so ids cycle, an id in use is
 * never given out again, and neither a map nor an object per packet is needed. Memory follows the window, not the 65535.
 */
export class InFlight {
  #head = 0;
  #tail = 0;
  #publishes = 0;
  #unanswered = 0;
  #headSinceMs = Number.NEGATIVE_INFINITY;
  #kinds = new Uint8Array(firstCapacity);
  #tokens = new Float64Array(firstCapacity);
  #sentAt = new Float64Array(firstCapacity);

  /** Publishes that wait for their PUBACK, the forgotten ones left out. */
  get publishes(): number {
    return this.#publishes;
  }

  /** Publishes without a PUBACK, the forgotten ones included: what counts against the server's Receive Maximum. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Packet ids that are free. */
  get free(): number {
    return idCount - (this.#tail - this.#head);
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#head === this.#tail;
  }

  /** Takes the next packet id. The caller sees to it that one is `free`. */
  add(awaited: Awaited, token: number, atMs: number): number {
    if (this.#tail - this.#head === this.#kinds.length) this.#grow();
    const position = this.#tail++;
    const slot = position & (this.#kinds.length - 1);
    this.#kinds[slot] = codes[awaited];
    this.#tokens[slot] = token;
    this.#sentAt[slot] = atMs;
    if (awaited === "publish") {
      this.#publishes += 1;
      this.#unanswered += 1;
    }
    return (position % idCount) + 1;
  }

  /** The token of the publish that `id` was taken for and that still waits. */
  tokenOf(id: number): number | undefined {
    const slot = this.#slotOf(id);
    return slot !== undefined && this.#kinds[slot] === publish ? this.#tokens[slot] : undefined;
  }

  /**
   * Frees an id that got its answer and returns the token that waited for it; `undefined` when none did: a repeated, late
   * or stray answer.
   */
  answer(id: number, awaited: Awaited, atMs: number): number | undefined {
    const slot = this.#slotOf(id);
    const kind = slot === undefined ? done : (this.#kinds[slot] ?? done);
    if (awaited === "publish" && (kind === forgotten || slot === undefined)) {
      // Behind the head are only finished and forgotten ones: while such are open, this is the late answer to one.
      this.#unanswered = Math.max(this.#publishes, this.#unanswered - 1);
      if (slot !== undefined) this.#kinds[slot] = done;
      return undefined;
    }
    if (slot === undefined || kind !== codes[awaited]) return undefined;
    if (kind === publish) {
      this.#publishes -= 1;
      this.#unanswered -= 1;
    }
    const token = this.#tokens[slot];
    const head = this.#head;
    this.#kinds[slot] = done;
    this.#advance();
    if (this.#head > head) this.#headSinceMs = atMs;
    return token;
  }

  /** Waits no longer for a publish. Its id comes round again only after the 65534 others. */
  forget(token: number): void {
    for (let position = this.#head; position < this.#tail; position++) {
      const slot = position & (this.#kinds.length - 1);
      if (this.#kinds[slot] !== publish || this.#tokens[slot] !== token) continue;
      this.#kinds[slot] = forgotten;
      this.#publishes -= 1;
      this.#advance();
      return;
    }
  }

  /**
   * What was sent before all else that waits. `sinceMs` is when it was sent or, if later, when the one before it was
   * answered: on a slow line a window full of answers in order makes nothing look old.
   */
  oldest(): Oldest | undefined {
    if (this.isEmpty) return undefined;
    const slot = this.#head & (this.#kinds.length - 1);
    const awaited = words[this.#kinds[slot] ?? done];
    if (awaited === undefined) return undefined;
    const sinceMs = Math.max(this.#sentAt[slot] ?? 0, this.#headSinceMs);
    return { id: (this.#head % idCount) + 1, awaited, token: this.#tokens[slot] ?? 0, sinceMs };
  }

  /** Tokens of the publishes that wait, in the order of sending. */
  waiting(): number[] {
    const tokens: number[] = [];
    for (let position = this.#head; position < this.#tail; position++) {
      const slot = position & (this.#kinds.length - 1);
      if (this.#kinds[slot] === publish) tokens.push(this.#tokens[slot] ?? 0);
    }
    return tokens;
  }

  #slotOf(id: number): number | undefined {
    const offset = (((id - 1 - this.#head) % idCount) + idCount) % idCount;
    const position = this.#head + offset;
    return position < this.#tail ? position & (this.#kinds.length - 1) : undefined;
  }

  #advance(): void {
    for (; this.#head < this.#tail; this.#head++) {
      const kind = this.#kinds[this.#head & (this.#kinds.length - 1)];
      if (kind !== done && kind !== forgotten) return;
    }
  }

  #grow(): void {
    const old = { kinds: this.#kinds, tokens: this.#tokens, sentAt: this.#sentAt };
    const capacity = old.kinds.length * 2;
    this.#kinds = new Uint8Array(capacity);
    this.#tokens = new Float64Array(capacity);
    this.#sentAt = new Float64Array(capacity);
    for (let position = this.#head; position < this.#tail; position++) {
      const from = position & (old.kinds.length - 1);
      const to = position & (capacity - 1);
      this.#kinds[to] = old.kinds[from] ?? done;
      this.#tokens[to] = old.tokens[from] ?? 0;
      this.#sentAt[to] = old.sentAt[from] ?? 0;
    }
  }
}
