import { closeSync, openSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { DragomanError } from "../errors.ts";
import type { Store } from "./store.ts";

export interface LmdbStoreOptions {
  readonly directory: string;
  /** Address space for the file. */
  readonly mapBytes: number;
  /** Called when lmdb meets a page that is not what it must be. */
  readonly onDamage: () => void;
}

/**
 * Kept free on the disk, so that what was delivered can still be taken out. And lmdb-js prints a stack trace when it finds a
 * full disk; it had better not be the first to find it.
 */
const minFreeBytes = 1024 * 1024;

/** How much of the file may be mapped into memory by and by. */
const maxMappedBytes = 32 * 1024 * 1024;

const pageBytes = 4096;

/** A byte to write for seeing whether the disk takes it. */
const probeFile = "probe";

/**
 * Opens an lmdb environment, and makes one where there is none.
 *
 * What lmdb-js 3.5 does, read in its source and held by tests:
 * - All puts and removes of one turn are one transaction, which a thread writes and syncs; with `overlappingSync: false` their
 *   promise means that it is synced. While one is written the next must not be begun with `transactionSync`, which would
 *   cut it in two.
 * - Keys are copied at once, values are read by the thread: they must stay as they are until the promise resolves.
 * - Reads see what is committed, anew in every turn and after every commit.
 * - `mapSize` is no bound: the map grows by itself. Whoever wants one has to watch `usedBytes`.
 * - When a transaction fails nothing of it is written, its promise rejects with `commitError`, a promise that rejects with
 *   the cause, and lmdb-js prints that to stderr. Later transactions work once the disk does, save after a failed
 *   write of the head page (MDB_PANIC), which asks for a new environment; begun without one it would hang for ever.
 * - A failed write of a page may end the process: its message is put together in 100 bytes, which can be too few (mdb.c,
 *   `mdb_page_flush`). Hence `probe` and `check`.
 * - A folder whose name has a dot would be taken for a file: `noSubdir: false`.
 *
 * @throws lmdb's own error.
 */
export function openLmdbStore(options: LmdbStoreOptions): Store {
  const probe = openSync(join(options.directory, probeFile), "w");
  let db = openEnvironment(options);
  let promises: Promise<boolean>[] = [];
  let lastPromise: Promise<boolean> | undefined;
  /** Bytes of the file that were used since it was mapped. */
  let mappedBytes = 0;

  const remember = (promise: Promise<boolean>) => {
    if (promise === lastPromise) return;
    lastPromise = promise;
    promises.push(promise);
  };

  /** Waits until lmdb-js has begun the transaction, and takes hold of the promise that it then makes for itself alone. */
  function begun(running: Promise<boolean>[]): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        running.push(Promise.resolve(db.committed));
        resolve();
      });
    });
  }

  /**
   * Lets go of the pages that were used: they count as memory of this process, and with a long file that would be all of it.
   */
  async function unmap(): Promise<void> {
    mappedBytes = 0;
    if (fileBytesOf(db.getStats() as Stats) > maxMappedBytes) await reopen();
  }

  /** Nothing else runs meanwhile: with no transaction under way lmdb-js closes without waiting for anything. */
  async function reopen(): Promise<void> {
    await db.close();
    db = openEnvironment(options);
  }

  function noticing<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (cause) {
      if (!isDamage(cause)) throw cause;
      options.onDamage();
      const text = `Cannot read spool "${options.directory}": ${(cause as Error).message}`;
      throw new DragomanError("ERR_SPOOL_FAILED", text, { cause });
    }
  }

  return {
    get(key) {
      const value = noticing(() => db.getBinary(key));
      mappedBytes += pageBytes + (value?.length ?? 0);
      return value;
    },
    *scan(start, end) {
      const entries = noticing(() => db.getRange({ start, end })[Symbol.iterator]());
      try {
        for (;;) {
          const { done, value: entry } = noticing(() => entries.next());
          if (done) return;
          mappedBytes += entry.value.length;
          yield [entry.key as Buffer, entry.value];
        }
      } finally {
        entries.return?.();
      }
    },
    *scanKeys(start, end) {
      const keys = noticing(() => db.getKeys({ start, end })[Symbol.iterator]());
      try {
        for (;;) {
          const { done, value: key } = noticing(() => keys.next());
          if (done) return;
          yield key as Buffer;
        }
      } finally {
        keys.return?.();
      }
    },
    lastKey(from, upTo) {
      const [key] = noticing(() => [...db.getKeys({ start: upTo, end: from, reverse: true, limit: 1 })]);
      return key as Buffer | undefined;
    },
    put(key, value) {
      mappedBytes += value.length;
      remember(db.put(key, value as Buffer));
    },
    remove(key) {
      remember(db.remove(key));
    },
    async commit() {
      const running = promises;
      promises = [];
      lastPromise = undefined;
      await begun(running);
      const failed = (await Promise.allSettled(running)).find((result) => result.status === "rejected");
      if (failed === undefined) {
        if (mappedBytes > maxMappedBytes) await unmap();
        return;
      }
      const cause = await causeOf(failed.reason);
      if (isDamage(cause)) options.onDamage();
      if (!canBegin(db)) await reopen();
      throw cause;
    },
    check(bytes) {
      // Pages are copied before they are changed, and the file is longer than what it holds.
      const wanted = 2 * bytes + minFreeBytes;
      const free = freeBytes(options.directory);
      if (free >= wanted) return;
      const stats = db.getStats() as Stats;
      if (fileBytesOf(stats) - usedBytesOf(stats) >= wanted) return;
      throw new Error(`the disk is full, ${free} bytes are free, wanted ${wanted}`);
    },
    probe: () => void writeSync(probe, "0", 0),
    usedBytes: () => usedBytesOf(db.getStats() as Stats),
    async close() {
      closeSync(probe);
      await db.close();
    },
  };
}

function openEnvironment({ directory, mapBytes }: LmdbStoreOptions): RootDatabase<Buffer, Uint8Array> {
  return open<Buffer, Uint8Array>(directory, {
    encoding: "binary",
    keyEncoding: "binary",
    cache: false,
    mapSize: mapBytes,
    maxDbs: 1,
    noSubdir: false,
    overlappingSync: false,
  });
}

/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_INVALID. */
const damageCodes: readonly unknown[] = [-30797, -30796, -30793];

function isDamage(error: unknown): boolean {
  return error instanceof Error && "code" in error && damageCodes.includes(error.code);
}

/** An empty transaction writes nothing; it only shows whether one can be begun. */
function canBegin(db: RootDatabase<Buffer, Uint8Array>): boolean {
  try {
    db.transactionSync(() => undefined);
    return true;
  } catch {
    return false;
  }
}

async function causeOf(failure: unknown): Promise<unknown> {
  if (!(failure instanceof Error) || !("commitError" in failure)) return failure;
  try {
    await failure.commitError;
    return failure;
  } catch (cause) {
    return cause;
  }
}

interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface Stats extends TreeStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly free: TreeStats;
}

function usedBytesOf(stats: Stats): number {
  return (2 + pagesOf(stats) + pagesOf(stats.free)) * stats.pageSize;
}

/** How long the data file is; what it does not use is there for later transactions. */
function fileBytesOf(stats: Stats): number {
  return (stats.lastPageNumber + 1) * stats.pageSize;
}

/** Bytes that may still be written to the disk of a folder. */
function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

function pagesOf(tree: TreeStats): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}
