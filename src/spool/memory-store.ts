import { SortedMap } from "./sorted-map.ts";
import type { Store } from "./store.ts";

/** What an entry costs besides its bytes, roughly. */
const entryOverhead = 64;

/** A store for `directory: memory`: nothing is kept when the process ends. */
export function openMemoryStore(): Store {
  const map = new SortedMap<Buffer>();
  let usedBytes = 0;
  let writes: [key: string, value: Buffer | undefined][] = [];

  return {
    get(key) {
      const value = map.get(textOf(key));
      return value === undefined ? undefined : Buffer.from(value);
    },
    *scan(from, to) {
      for (const [key, value] of map.range(textOf(from), textOf(to))) {
        yield [Buffer.from(key, "latin1"), Buffer.from(value)];
      }
    },
    *scanKeys(from, to) {
      for (const [key] of map.range(textOf(from), textOf(to))) yield Buffer.from(key, "latin1");
    },
    lastKey(from, upTo) {
      const key = map.lastUpTo(textOf(upTo));
      return key === undefined || key < textOf(from) ? undefined : Buffer.from(key, "latin1");
    },
    put(key, value) {
      writes.push([textOf(key), bufferOf(value)]);
    },
    remove(key) {
      writes.push([textOf(key), undefined]);
    },
    async commit() {
      for (const [key, value] of writes) {
        const old = value === undefined ? map.delete(key) : map.get(key);
        if (old !== undefined) usedBytes -= key.length + old.length + entryOverhead;
        if (value === undefined) continue;
        map.set(key, value);
        usedBytes += key.length + value.length + entryOverhead;
      }
      writes = [];
    },
    check() {},
    probe() {},
    usedBytes: () => usedBytes,
    async close() {},
  };
}

/** One UTF-16 unit per byte, so that texts sort as the bytes do. */
function textOf(key: Uint8Array): string {
  return bufferOf(key).toString("latin1");
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
