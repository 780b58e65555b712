import { writeSync } from "node:fs";
import { DragomanError } from "../../src/errors.ts";
import { openSpool } from "../../src/spool/spool.ts";
import { append } from "./append.ts";

/**
 * A program that appends until the system lets its file grow no more, settles half of what is there, and appends again into
 * the room that this left. It prints what happened. Argument: folder; to be run with a limit on the length of files.
 */
const spool = await openSpool({ directory: process.argv[2] ?? "", maxBytes: 1024 * 1024 * 1024, whenFull: "refuse" });
const gateway = spool.gateway("gw");
const packet = { topic: "t", payload: Buffer.alloc(1500, "x"), qos: 1 as const };
const arrival = { packet, arrivedMs: 1, dialect: "thingsboard", count: 1, priority: "data" } as const;

const appended: number[] = [];
let code: string | undefined;
while (code === undefined) {
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => append(gateway, arrival)));
  for (const result of results) {
    if (result.status === "fulfilled") appended.push(result.value.seq);
    else if (result.reason instanceof DragomanError) code = result.reason.code;
  }
}
const { received, pending } = gateway.ledger;
const hadTrouble = spool.trouble !== undefined;
const settled = appended.splice(0, appended.length / 2);
for (const seq of settled) gateway.settle({ seq, index: 0 }, { kind: "delivered" });
await spool.flushed();
for (let more = 0; more < 20; more++) appended.push((await append(gateway, arrival)).seq);
const report = { code, hadTrouble, received, pending, settled: settled.length, left: appended };
writeSync(1, `${JSON.stringify({ ...report, hasTrouble: spool.trouble !== undefined })}\n`);
await spool.close();
