import { accessSync, constants, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { inspectDataFile } from "./data-file.ts";

/** A folder that is ours, until it is released or this process ends in whatever way. */
export interface FolderLock {
  release(): Promise<void>;
}

const file = "owner.mdb";
/** Bytes that the files of the lock may take up. */
export const lockBytes = 64 * 1024;

const ownerKey = "owner";

/** The folders that this process has locked: lmdb would let it open one twice. */
const ownFolders = new Set<string>();

/**
 * Makes a folder ours, or says whose it is: `"this process"` or a process id.
 *
 * Node has no file locks, but lmdb has: it keeps a list of the processes that read an environment, and a lock of the kernel's
 * for each of them, which ends with the process, however that ends. So the owner is who is written down as owner and still
 * on that list; a stale one is nobody, and a process that got an old one's number is not taken for it.
 */
export async function lockFolder(folder: string): Promise<FolderLock | string> {
  if (ownFolders.has(folder)) return "this process";
  ownFolders.add(folder);
  try {
    const path = join(folder, file);
    // There is nothing in it to lose, and lmdb-js would end the process on it.
    if (inspectDataFile(path, "pages") === "damaged") rmSync(path);
    const db = open<string, string>(path, {
      encoding: "string",
      mapSize: lockBytes,
      maxDbs: 1,
      overlappingSync: false,
    });
    const release = async () => {
      ownFolders.delete(folder);
      await db.close();
    };
    // A first read puts this process on the list.
    db.get(ownerKey);
    db.readerCheck();
    const own = String(process.pid);
    const owner = db.transactionSync(() => {
      const known = ownerIn(db);
      if (known !== undefined && known !== own) return known;
      db.put(ownerKey, own);
      return undefined;
    });
    if (owner === undefined) return { release };
    await release();
    return owner;
  } catch (error) {
    ownFolders.delete(folder);
    throw error;
  }
}

/**
 * Says whose a folder is, without making it ours: `"this process"`, a process id, or nothing.
 *
 * @throws {Error} when it cannot be looked at.
 */
export async function ownerOf(folder: string): Promise<string | undefined> {
  if (ownFolders.has(folder)) return "this process";
  const path = join(folder, file);
  if (!existsSync(path)) return undefined;
  // lmdb-js ends the process where it is refused a file.
  for (const one of [path, `${path}-lock`]) if (existsSync(one)) accessSync(one, constants.R_OK | constants.W_OK);
  if (inspectDataFile(path, "pages") === "damaged") return undefined;
  const db = open<string, string>(path, { encoding: "string", mapSize: lockBytes, maxDbs: 1, readOnly: true });
  try {
    db.get(ownerKey);
    db.readerCheck();
    const owner = ownerIn(db);
    return owner === String(process.pid) ? undefined : owner;
  } finally {
    await db.close();
  }
}

/** Who is written down as owner and still on the list. */
function ownerIn(db: RootDatabase<string, string>): string | undefined {
  const known = db.get(ownerKey);
  return known !== undefined && new RegExp(`^\\s*${known}\\s`, "m").test(db.readerList()) ? known : undefined;
}
