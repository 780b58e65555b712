import { openMemoryStore } from "../../src/spool/memory-store.ts";
import type { Store } from "../../src/spool/store.ts";

/** A disk that fails when it is told to, after what it was given is in its hands. */
export interface Disk extends Store {
  /** The next so many transactions fail. */
  failures: number;
  /** Whether the probe before a transaction finds that out, or the transaction itself. */
  isProbed: boolean;
  /** No room for records. */
  isFull: boolean;
  /** A transaction takes until then. */
  held: Promise<void> | undefined;
  /** Transactions that were tried. */
  tried: number;
}

export function failingDisk(): Disk {
  const store = openMemoryStore();
  let writes: (() => void)[] = [];
  const disk: Disk = {
    ...store,
    failures: 0,
    isProbed: false,
    isFull: false,
    held: undefined,
    tried: 0,
    put(key, value) {
      const copy = Buffer.from(key);
      writes.push(() => store.put(copy, value));
    },
    remove(key) {
      const copy = Buffer.from(key);
      writes.push(() => store.remove(copy));
    },
    async commit() {
      const running = writes;
      writes = [];
      disk.tried++;
      await new Promise(setImmediate);
      await disk.held;
      if (!disk.isProbed && disk.failures-- > 0) throw new Error("the disk is gone");
      for (const write of running) write();
      await store.commit();
    },
    probe() {
      if (disk.isProbed && disk.failures-- > 0) throw new Error("the disk is gone");
    },
    check() {
      if (disk.isFull) throw new Error("the disk is full");
    },
  };
  return disk;
}
