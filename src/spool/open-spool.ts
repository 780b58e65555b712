import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DragomanError } from "../errors.ts";
import { inspectDataFile } from "./data-file.ts";
import { lockBytes, lockFolder, ownerOf } from "./folder-lock.ts";
import { Journal, type JournalOptions } from "./journal.ts";
import { openLmdbStore } from "./lmdb-store.ts";
import { openMemoryStore } from "./memory-store.ts";
import type { SpoolOptions } from "./options.ts";
import type { Spool } from "./spool.ts";

const mebibyte = 1024 * 1024;

const dataFile = "data.mdb";
/** lmdb's list of readers. */
const lockFile = "lock.mdb";
/** Says that what lmdb keeps well is damaged nevertheless. */
const damagedFile = "damaged";
/** How the data file was left by a program that closed it; any other file has to be looked at. */
const closedFile = "closed.json";

/**
 * Opens the spool in a folder, and makes it where there is none; `directory: memory` keeps everything in memory.
 *
 * Ready at once, however much waits in it, if it was closed; else its pages are looked at first (`inspectDataFile`). A damaged spool is moved into a folder `damaged-…` inside, which the result names
 * as `setAside`, and a new one is begun.
 *
 * @param options `now` is the clock that names that folder.
 * @throws {DragomanError} `ERR_SPOOL_LOCKED` when this or another process has it open. `ERR_SPOOL_FAILED` when the folder
 * cannot be used, or a newer program wrote it.
 */
export async function openSpool(options: SpoolOptions & { readonly now?: () => number }): Promise<Spool> {
  const { directory: name, maxBytes, whenFull, now = Date.now } = options;
  const mostBytes = 2 * maxBytes + 8 * mebibyte - 2 * lockBytes;
  // A transaction writes copies of the pages it changes before it lets go of the old ones.
  const capacity = mostBytes - 3 * mebibyte - mostBytes / 16;
  const limits = { name, maxBytes, whenFull, capacity };
  if (name === "memory") return new Journal(openMemoryStore(), limits);

  try {
    const folder = folderAt(name);
    const lock = await lockFolder(folder);
    if (typeof lock === "string") {
      const text = `Cannot open spool "${name}": it is open already, by ${lock === "this process" ? lock : `process ${lock}`}`;
      throw new DragomanError("ERR_SPOOL_LOCKED", text);
    }
    try {
      const open = (setAside?: string) =>
        openJournal(folder, mostBytes, { ...limits, setAside, onClose: lock.release });
      const journal = await open();
      return journal ?? (await open(moveAside(folder, now()))) ?? impossible(folder);
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    if (error instanceof DragomanError) throw error;
    throw failed(name, error);
  }
}

/** Whether there is a spool in this folder, open or not: `openSpool` would make one. */
export function hasSpool(directory: string): boolean {
  return existsSync(join(directory, dataFile));
}

/**
 * The process that has the spool in this folder open, `"this process"`, or nothing; leaves everything as it is.
 *
 * @throws {DragomanError} `ERR_SPOOL_FAILED` when the folder cannot be looked at.
 */
export async function spoolOwner(directory: string): Promise<string | undefined> {
  if (directory === "memory" || !existsSync(directory)) return undefined;
  try {
    return await ownerOf(realpathSync(directory));
  } catch (error) {
    throw failed(directory, error);
  }
}

/** The journal in a folder; `undefined` when it is damaged. */
async function openJournal(folder: string, mapBytes: number, options: JournalOptions): Promise<Journal | undefined> {
  const data = inspectDataFile(join(folder, dataFile), wasClosed(folder) ? "heads" : "pages");
  if (data === "damaged" || existsSync(join(folder, damagedFile))) return undefined;
  rmSync(join(folder, closedFile), { force: true });
  let isDamaged = false;
  const onDamage = () => {
    isDamaged = true;
  };
  const store = openLmdbStore({ directory: folder, mapBytes, onDamage });
  const onBlockDamage = () => {
    isDamaged = true;
    writeFileSync(join(folder, damagedFile), "");
  };
  const onClose = async () => {
    if (!isDamaged) writeFileSync(join(folder, closedFile), JSON.stringify(statOf(folder)));
    await options.onClose?.();
  };
  try {
    return new Journal(store, { ...options, onClose, onDamage: onBlockDamage });
  } catch (error) {
    await store.close();
    if (error instanceof DragomanError && !isDamaged) throw error;
    return undefined;
  }
}

/** Whether the data file is as it was left when it was last closed. */
function wasClosed(folder: string): boolean {
  try {
    return readFileSync(join(folder, closedFile), "utf8") === JSON.stringify(statOf(folder));
  } catch {
    return false;
  }
}

function statOf(folder: string): { size: number; mtimeMs: number } {
  const { size, mtimeMs } = statSync(join(folder, dataFile));
  return { size, mtimeMs };
}

function impossible(folder: string): never {
  throw new Error(`a new spool in "${folder}" is damaged`);
}

/** Moves the files into a folder of their own beside the new ones; renaming keeps them as they are. */
function moveAside(folder: string, nowMs: number): string {
  const name = `damaged-${new Date(nowMs).toISOString().replaceAll(":", "-")}`;
  let aside = join(folder, name);
  for (let more = 2; existsSync(aside); more++) aside = join(folder, `${name}-${more}`);
  mkdirSync(aside);
  for (const file of [dataFile, lockFile, closedFile, damagedFile]) {
    if (existsSync(join(folder, file))) renameSync(join(folder, file), join(aside, file));
  }
  return aside;
}

/** The real path of a folder that can be written, made if need be. lmdb-js ends the process where it is refused a file. */
function folderAt(name: string): string {
  try {
    mkdirSync(name, { recursive: true });
    const folder = realpathSync(name);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const lock = join(folder, lockFile);
    if (existsSync(lock)) accessSync(lock, constants.R_OK | constants.W_OK);
    return folder;
  } catch (error) {
    throw failed(name, error);
  }
}

function failed(name: string, cause: unknown): DragomanError {
  const found = cause instanceof Error ? cause.message : String(cause);
  return new DragomanError("ERR_SPOOL_FAILED", `Cannot open spool "${name}": ${found}`, { cause });
}
