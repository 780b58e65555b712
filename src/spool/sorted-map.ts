/** Blocks are cut in two when they are longer than this. */
const maxBlock = 512;

interface Block<Value> {
  readonly keys: string[];
  readonly values: Value[];
}

/** A map in the order of its keys (UTF-16 units): sorted blocks in a sorted list, quick at both ends and in the middle. */
export class SortedMap<Value> {
  readonly #blocks: Block<Value>[] = [];

  get(key: string): Value | undefined {
    const block = this.#blocks[this.#blockOf(key)];
    if (block === undefined) return undefined;
    const at = lowerBound(block.keys, key);
    return block.keys[at] === key ? block.values[at] : undefined;
  }

  set(key: string, value: Value): void {
    if (this.#blocks.length === 0) this.#blocks.push({ keys: [], values: [] });
    const index = this.#blockOf(key);
    const block = this.#blocks[index] as Block<Value>;
    const at = lowerBound(block.keys, key);
    if (block.keys[at] === key) {
      block.values[at] = value;
      return;
    }
    block.keys.splice(at, 0, key);
    block.values.splice(at, 0, value);
    if (block.keys.length <= maxBlock) return;
    // What comes in order leaves full blocks behind it.
    const cut = at === block.keys.length - 1 ? maxBlock : maxBlock >> 1;
    this.#blocks.splice(index + 1, 0, { keys: block.keys.splice(cut), values: block.values.splice(cut) });
  }

  delete(key: string): Value | undefined {
    const index = this.#blockOf(key);
    const block = this.#blocks[index];
    if (block === undefined) return undefined;
    const at = lowerBound(block.keys, key);
    if (block.keys[at] !== key) return undefined;
    block.keys.splice(at, 1);
    const [value] = block.values.splice(at, 1);
    if (block.keys.length === 0) this.#blocks.splice(index, 1);
    return value;
  }

  /** The last key up to, and including, `key`. */
  lastUpTo(key: string): string | undefined {
    const block = this.#blocks[this.#blockOf(key)];
    if (block === undefined) return undefined;
    const at = lowerBound(block.keys, key);
    return block.keys[at] === key ? key : block.keys[at - 1];
  }

  /** Entries from `from` up to, not including, `to`. The map must not change meanwhile. */
  *range(from: string, to: string): Generator<readonly [string, Value]> {
    for (let index = this.#blockOf(from); index < this.#blocks.length; index++) {
      const { keys, values } = this.#blocks[index] as Block<Value>;
      for (let at = lowerBound(keys, from); at < keys.length; at++) {
        const key = keys[at] as string;
        if (key >= to) return;
        yield [key, values[at] as Value];
      }
    }
  }

  /** The last block that does not begin behind `key`, or the first. */
  #blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#blocks[middle]?.keys[0] as string) <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
