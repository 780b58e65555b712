import { afterEach, expect, test } from "vitest";
import { imbalanceOf } from "../../src/message/fate.ts";
import { openSpool } from "../../src/spool/spool.ts";
import { append } from "./append.ts";
import { newFolder, removeFolders } from "./audit-spool.ts";
import { miscount } from "./miscount.ts";

const everything = { maxRecords: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

afterEach(removeFolders);

test("audit() names the gateway and the counter that is not what the records say", async () => {
  const directory = await newFolder();
  const options = { directory, maxBytes: 1024 * 1024, whenFull: "refuse" } as const;
  const before = await openSpool(options);
  for (const id of ["gw-1", "gw-2"]) {
    const packet = { topic: "t", payload: Buffer.from("four"), qos: 1 } as const;
    await append(before.gateway(id), { packet, arrivedMs: 1, dialect: "d", count: 2, priority: "data" });
  }
  await before.close();
  await miscount(directory, "gw-2", (ledger) => {
    ledger.pending -= 1;
    ledger.delivered += 1;
  });

  const after = await openSpool(options);
  expect(imbalanceOf(after.gateway("gw-2").ledger)).toBe(0);
  const wrong = { gateway: "gw-2", counter: "pending", counted: 1, found: 2 };
  expect(after.audit(everything)).toEqual({ records: 2, isComplete: true, discrepancies: [wrong] });
  await after.close();
  await miscount(directory, "gw-1", (ledger) => {
    ledger.received += 5;
  });

  const last = await openSpool(options);
  const unbalanced = { gateway: "gw-1", counter: "received", counted: 7, found: 2 };
  expect(last.audit({ ...everything, maxRecords: 1 })).toEqual({
    ...{ records: 0, isComplete: false, discrepancies: [unbalanced] },
  });
  await last.close();
});
