import { afterAll, expect } from "vitest";
import { Journal } from "../../src/spool/journal.ts";
import { openLmdbStore } from "../../src/spool/lmdb-store.ts";
import { openSpool } from "../../src/spool/spool.ts";
import { auditSpool, newFolder, removeFolders } from "./audit-spool.ts";
import { describeSpool } from "./describe-spool.ts";

const defaults = { maxBytes: 64 * 1024 * 1024, whenFull: "refuse" } as const;
const opened: string[] = [];

afterAll(async () => {
  const audits = await Promise.all(opened.map(auditSpool));
  expect(audits.flatMap(({ mistakes }) => mistakes)).toEqual([]);
  await removeFolders();
});

describeSpool("memory", (limits) => openSpool({ ...defaults, ...limits, directory: "memory" }));

describeSpool("lmdb", async (limits) => openSpool({ ...defaults, ...limits, directory: await folder() }));

describeSpool("lmdb, with little kept in memory", async (limits) => {
  const directory = await folder();
  const store = openLmdbStore({ directory, mapBytes: 1024 * 1024, onDamage: () => {} });
  return new Journal(store, { ...defaults, ...limits, name: directory, capacity: 2 ** 30, span: 3 });
});

async function folder(): Promise<string> {
  const directory = await newFolder();
  opened.push(directory);
  return directory;
}
