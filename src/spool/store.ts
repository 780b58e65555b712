/**
 * An ordered map of bytes to bytes that is written in transactions: what the spool needs of a disk.
 *
 * Keys are compared byte by byte and are at most 1,978 bytes long.
 */
export interface Store {
  /** The value as last committed; the caller owns it. */
  get(key: Uint8Array): Buffer | undefined;
  /** What is committed from `from` up to, not including, `to`, in order. Lazy: stop when you have enough. */
  scan(from: Uint8Array, to: Uint8Array): Iterable<readonly [key: Buffer, value: Buffer]>;
  /** The keys alone. */
  scanKeys(from: Uint8Array, to: Uint8Array): Iterable<Buffer>;
  /** The last key that is committed from `from` up to, and including, `upTo`. */
  lastKey(from: Uint8Array, upTo: Uint8Array): Buffer | undefined;
  /** Adds to the transaction. `key` may be reused afterwards, `value` only when the commit is over. */
  put(key: Uint8Array, value: Uint8Array): void;
  /** Adds to the transaction. A key that is not there is no mistake. */
  remove(key: Uint8Array): void;
  /**
   * Writes the transaction, all of it or nothing, and resolves when it is synced. One at a time, and everything for it is
   * put and removed in the same turn.
   *
   * @throws the library's error; the store can be used on.
   */
  commit(): Promise<void>;
  /**
   * Looks whether there is room for records of so many bytes, before a transaction is put together; some is kept back for
   * transactions without records.
   *
   * @throws {Error} saying what is in the way.
   */
  check(bytes: number): void;
  /**
   * Writes a few bytes where nothing depends on them, before a transaction is put together: a disk that takes nothing at all
   * had better be found out here.
   *
   * @throws the system's error.
   */
  probe(): void;
  /** Bytes that what is committed takes up. */
  usedBytes(): number;
  close(): Promise<void>;
}
