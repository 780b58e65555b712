import { describeDiscrepancy } from "../bridge/self-check.ts";
import { DragomanError } from "../errors.ts";
import { hasSpool, openSpool } from "../spool/open-spool.ts";
import type { Io } from "./io.ts";
import { configFor } from "./load.ts";
import { withProgress } from "./progress.ts";
import { shortCount } from "./table.ts";

const everything = { maxRecords: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

/** Counts a whole spool anew; exit code 1 where the ledger says something else. */
export async function auditSpool(file: string, io: Io): Promise<number> {
  const config = await configFor(file, io);
  if (config === undefined) return 2;
  const { directory } = config.spool;
  if (directory === "memory" || !hasSpool(directory)) {
    io.stdout.write(`there is no spool at "${directory}"\n`);
    return 0;
  }
  const spool = await openSpool(config.spool).catch((error: unknown) => {
    if (!(error instanceof DragomanError) || error.code !== "ERR_SPOOL_LOCKED") throw error;
    const text = `Cannot audit spool "${directory}": a bridge runs on it and checks itself, see "dragoman status"; wanted it stopped`;
    throw new DragomanError("ERR_SPOOL_LOCKED", text, { cause: error });
  });
  try {
    const { records, discrepancies } = await withProgress(io, "counting records", (progress) =>
      spool.audit({ ...everything, progress }),
    );
    for (const discrepancy of discrepancies) io.stdout.write(`${describeDiscrepancy(discrepancy)}\n`);
    const verdict = discrepancies.length === 0 ? "the ledger is right" : "the ledger is wrong";
    io.stdout.write(`${shortCount(records)} records counted: ${verdict}\n`);
    return discrepancies.length === 0 ? 0 : 1;
  } finally {
    await spool.close();
  }
}
