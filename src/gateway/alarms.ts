/** Something to do at a certain time. */
export interface Alarm {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly run: () => void;
  readonly order: number;
  isLive: boolean;
}

/** What is due when. Owns the order: earlier first, and of the same millisecond what was set first. Reads no clock. */
export class Alarms {
  #heap: Alarm[] = [];
  #order = 0;
  #cancelled = 0;

  set(atMs: number, run: () => void): Alarm {
    const alarm = { atMs, run, order: this.#order++, isLive: true };
    this.#heap.push(alarm);
    this.#rise(this.#heap.length - 1);
    return alarm;
  }

  /** Safe to call on one that has rung. */
  cancel(alarm: Alarm | undefined): void {
    if (alarm === undefined || !alarm.isLive) return;
    alarm.isLive = false;
    this.#cancelled += 1;
    // Most alarms guard something that goes well: without this the heap would keep them until their time.
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#sweep();
  }

  get nextMs(): number | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.isLive) return top.atMs;
      this.#pop();
      this.#cancelled -= 1;
    }
    return undefined;
  }

  /** Runs what is due, also what becomes due by that. */
  runDue(nowMs: number): void {
    const top = this.#heap[0];
    if (top === undefined || (top.isLive && top.atMs > nowMs)) return;
    for (let next = this.nextMs; next !== undefined && next <= nowMs; next = this.nextMs) {
      const alarm = this.#pop() as Alarm;
      alarm.isLive = false;
      alarm.run();
    }
  }

  #pop(): Alarm | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last;
      this.#sink(0);
    }
    return top;
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(({ isLive }) => isLive).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  #rise(from: number): void {
    const heap = this.#heap;
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at] as Alarm, heap[parent] as Alarm)) return;
      swap(heap, at, parent);
      at = parent;
    }
  }

  #sink(from: number): void {
    const heap = this.#heap;
    for (let at = from; ; ) {
      const left = at * 2 + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const child = right < heap.length && isBefore(heap[right] as Alarm, heap[left] as Alarm) ? right : left;
      if (!isBefore(heap[child] as Alarm, heap[at] as Alarm)) return;
      swap(heap, at, child);
      at = child;
    }
  }
}

function isBefore(one: Alarm, other: Alarm): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

function swap(heap: Alarm[], a: number, b: number): void {
  const moved = heap[a] as Alarm;
  heap[a] = heap[b] as Alarm;
  heap[b] = moved;
}
