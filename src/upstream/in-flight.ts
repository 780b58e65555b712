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
const firstCapacity = 4;
/** Numbers of one slot: what it waits for, its token, when it was sent. */
const width = 3;
const tokenAt = 1;
const sentAt = 2;

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
  #capacity = firstCapacity;
  /** A plain array: three typed ones take as much memory as the rest of an idle session. */
  #slots = emptySlots(firstCapacity);

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
    if (this.#tail - this.#head === this.#capacity) this.#grow();
    const position = this.#tail++;
    const slot = this.#slotAt(position);
    this.#slots[slot] = codes[awaited];
    this.#slots[slot + tokenAt] = token;
    this.#slots[slot + sentAt] = atMs;
    if (awaited === "publish") {
      this.#publishes += 1;
      this.#unanswered += 1;
    }
    return (position % idCount) + 1;
  }

  /** The token of the publish that `id` was taken for and that still waits. */
  tokenOf(id: number): number | undefined {
    const slot = this.#slotOf(id);
    return slot !== undefined && this.#slots[slot] === publish ? this.#slots[slot + tokenAt] : undefined;
  }

  /**
   * Frees an id that got its answer and returns the token that waited for it; `undefined` when none did: a repeated, late
   * or stray answer.
   */
  answer(id: number, awaited: Awaited, atMs: number): number | undefined {
    const slot = this.#slotOf(id);
    const kind = slot === undefined ? done : (this.#slots[slot] ?? done);
    if (awaited === "publish" && (kind === forgotten || slot === undefined)) {
      // Behind the head are only finished and forgotten ones: while such are open, this is the late answer to one.
      this.#unanswered = Math.max(this.#publishes, this.#unanswered - 1);
      if (slot !== undefined) this.#slots[slot] = done;
      return undefined;
    }
    if (slot === undefined || kind !== codes[awaited]) return undefined;
    if (kind === publish) {
      this.#publishes -= 1;
      this.#unanswered -= 1;
    }
    const token = this.#slots[slot + tokenAt];
    const head = this.#head;
    this.#slots[slot] = done;
    this.#advance();
    if (this.#head > head) this.#headSinceMs = atMs;
    return token;
  }

  /** Waits no longer for a publish. Its id comes round again only after the 65534 others. */
  forget(token: number): void {
    for (let position = this.#head; position < this.#tail; position++) {
      const slot = this.#slotAt(position);
      if (this.#slots[slot] !== publish || this.#slots[slot + tokenAt] !== token) continue;
      this.#slots[slot] = forgotten;
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
    const slot = this.#slotAt(this.#head);
    const awaited = words[this.#slots[slot] ?? done];
    if (awaited === undefined) return undefined;
    const sinceMs = Math.max(this.#slots[slot + sentAt] ?? 0, this.#headSinceMs);
    return { id: (this.#head % idCount) + 1, awaited, token: this.#slots[slot + tokenAt] ?? 0, sinceMs };
  }

  /** Tokens of the publishes that wait, in the order of sending. */
  waiting(): number[] {
    const tokens: number[] = [];
    for (let position = this.#head; position < this.#tail; position++) {
      const slot = this.#slotAt(position);
      if (this.#slots[slot] === publish) tokens.push(this.#slots[slot + tokenAt] ?? 0);
    }
    return tokens;
  }

  #slotOf(id: number): number | undefined {
    const offset = (((id - 1 - this.#head) % idCount) + idCount) % idCount;
    const position = this.#head + offset;
    return position < this.#tail ? this.#slotAt(position) : undefined;
  }

  #slotAt(position: number): number {
    return (position & (this.#capacity - 1)) * width;
  }

  #advance(): void {
    for (; this.#head < this.#tail; this.#head++) {
      const kind = this.#slots[this.#slotAt(this.#head)];
      if (kind !== done && kind !== forgotten) return;
    }
  }

  #grow(): void {
    const old = this.#slots;
    const from = Array.from({ length: this.#capacity }, (_, index) => this.#slotAt(this.#head + index));
    this.#capacity *= 2;
    this.#slots = emptySlots(this.#capacity);
    for (const [index, slot] of from.entries()) {
      const to = this.#slotAt(this.#head + index);
      for (let part = 0; part < width; part++) this.#slots[to + part] = old[slot + part] ?? done;
    }
  }
}

function emptySlots(capacity: number): number[] {
  return new Array<number>(capacity * width).fill(done);
}
