/** First in, first out; what could not be sent goes back to the front. */
export class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (this.#head === this.#items.length) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      // One by one: an array that is emptied at once has to ask for room again.
      while (this.#items.length > 0) this.#items.pop();
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts items before all others, the first of them first. */
  unshift(...items: readonly Item[]): void {
    for (let i = items.length - 1; i >= 0; i--) {
      if (this.#head > 0) this.#items[--this.#head] = items[i];
      else this.#items.unshift(items[i]);
    }
  }

  /** Takes out those that `isWanted`; the others keep their order. */
  take(isWanted: (item: Item) => boolean): Item[] {
    const all = this.#items.slice(this.#head) as Item[];
    const taken = all.filter(isWanted);
    if (taken.length === 0) return taken;
    this.#items = all.filter((item) => !isWanted(item));
    this.#head = 0;
    return taken;
  }

  /** Takes all items out. */
  drain(): Item[] {
    const items = this.#items.slice(this.#head) as Item[];
    this.#items = [];
    this.#head = 0;
    return items;
  }
}
