import { writeSync } from "node:fs";
import { openSpool } from "../../src/spool/spool.ts";
import { append } from "./append.ts";

/** A program that opens a spool, writes one packet, says so and then waits to be killed. Argument: folder. */
const spool = await openSpool({ directory: process.argv[2] ?? "", maxBytes: 1024 * 1024, whenFull: "refuse" });
const packet = { topic: "t", payload: Buffer.from("held"), qos: 1 as const };
const arrival = { packet, arrivedMs: 1, dialect: "thingsboard", count: 1, priority: "data" } as const;
const { seq } = await append(spool.gateway("gw"), arrival);
writeSync(1, `${seq}\n`);
setInterval(() => spool.gateway("gw").put("alive", String(process.uptime())), 5);
