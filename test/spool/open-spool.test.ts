import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { DragomanError } from "../../src/errors.ts";
import { imbalanceOf } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { family, singleKey } from "../../src/spool/keys.ts";
import { openLmdbStore } from "../../src/spool/lmdb-store.ts";
import { spoolOwner } from "../../src/spool/open-spool.ts";
import { openSpool, type Spool } from "../../src/spool/spool.ts";
import { append } from "./append.ts";
import { auditSpool, newFolder, removeFolders } from "./audit-spool.ts";
import { buildProgram } from "./built.ts";
import { arrival, ledgerOf, textsOf } from "./describe-spool.ts";

afterAll(removeFolders);

const delivered = { kind: "delivered" } as const;

function openAt(directory: string, maxBytes = 64 * 1024 * 1024): Promise<Spool> {
  return openSpool({ directory, maxBytes, whenFull: "refuse", now: () => Date.UTC(2026, 0, 2, 3, 4, 5) });
}

async function errorOf(promise: Promise<unknown>): Promise<DragomanError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DragomanError)) throw new Error(`wanted a DragomanError, got ${String(error)}`);
  return error;
}

describe("after a restart", () => {
  test("records, fates, indexes, facts and ledger are as they were, and numbers go on", async () => {
    const directory = await newFolder();
    const device = "A" as DeviceId;
    let spool = await openAt(directory);
    const appended = await Promise.all(
      ["0", "1", "2", "3"].map((text) => append(spool.gateway("gw"), arrival(text, { count: 3, dialect: "google" }))),
    );
    const seqs = appended.map(({ seq }) => seq) as [number, number, number, number];
    const before = spool.gateway("gw");
    for (let index = 0; index < 3; index++) before.settle({ seq: seqs[0], index }, delivered);
    before.settle({ seq: seqs[1], index: 0 }, delivered);
    before.settle({ seq: seqs[1], index: 1 }, { kind: "held", device, reason: "refused" });
    before.settle({ seq: seqs[2], index: 0 }, { kind: "parked", device });
    before.settle({ seq: seqs[2], index: 1 }, { kind: "quarantined", device, reason: "oversize" });
    before.recount(seqs[3], 5);
    before.put("document", '{"a":1}');
    before.countDown("received", 2);
    await before.count(1, { kind: "dropped", reason: "unknownTopic" });
    const ledger = structuredClone(before.ledger);
    await spool.close();

    spool = await openAt(directory);
    const after = spool.gateway("gw");
    expect(spool.gatewayIds()).toEqual(["gw"]);
    expect(spool.setAside).toBeUndefined();
    expect(spool.waitingBytes).toBe(3);
    expect(after.ledger).toEqual(ledger);
    expect(after.ledger).toEqual(
      ledgerOf({
        received: 15,
        delivered: 4,
        pending: 8,
        held: 1,
        quarantined: 1,
        dropped: { unknownTopic: 1 },
        down: { received: 2, delivered: 0, pending: 2, dropped: {} },
      }),
    );
    expect([...after.entries()]).toEqual([["document", '{"a":1}']]);
    const open = after
      .read(0, 10, 1000)
      .map((each) => Array.from({ length: each.count }, (_, index) => each.isOpen(index)));
    expect(open).toEqual([
      [false, false, true],
      [false, false, true],
      [true, true, true, true, true],
    ]);
    expect(after.waitingDevices()).toEqual([{ device, held: 1, parked: 1, reason: "refused" }]);
    expect(after.list({}, 10).map(({ ref, fate }) => [ref, fate])).toEqual([
      [
        { seq: seqs[1], index: 1 },
        { kind: "held", device, reason: "refused" },
      ],
      [
        { seq: seqs[2], index: 1 },
        { kind: "quarantined", device, reason: "oversize" },
      ],
    ]);
    expect(after.release(device, 10).map(({ record, index }) => [record.seq, index])).toEqual([
      [seqs[1], 1],
      [seqs[2], 0],
    ]);
    expect((await append(after, arrival("next"))).seq).toBeGreaterThan(seqs[3]);
    await spool.close();
    expect((await auditSpool(directory)).mistakes).toEqual([]);
  });

  test("a backlog is there in order, whether it is in the index or among the newest", async () => {
    const directory = await newFolder();
    let spool = await openAt(directory);
    const count = 70_000;
    for (let done = 0; done < count; done += 10_000) {
      await Promise.all(
        Array.from({ length: 10_000 }, (_, index) => append(spool.gateway("gw"), arrival(String(done + index)))),
      );
    }
    await spool.close();
    spool = await openAt(directory);
    let after = 0;
    let found = 0;
    for (let page = spool.gateway("gw").read(0, 1000, 1e6); page.length > 0; ) {
      for (const text of textsOf(page)) if (text === String(found)) found++;
      for (const { seq } of page) spool.gateway("gw").settle({ seq, index: 0 }, delivered);
      after = page.at(-1)?.seq ?? 0;
      page = spool.gateway("gw").read(after, 1000, 1e6);
    }
    expect(found).toBe(count);
    await spool.close();
    const { mistakes, ledgers } = await auditSpool(directory);
    expect(mistakes).toEqual([]);
    expect(ledgers.get("gw")).toEqual(ledgerOf({ received: count, delivered: count }));
  });
});

describe("one process at a time", () => {
  test("a folder that this process has open is locked, and free once it is closed", async () => {
    const directory = await newFolder();
    const spool = await openAt(directory);
    const error = await errorOf(openAt(join(directory, "..", directory.split("/").at(-1) ?? "")));
    expect([error.code, error.message]).toEqual([
      "ERR_SPOOL_LOCKED",
      expect.stringMatching(/^Cannot open spool ".*": it is open already, by this process$/),
    ]);
    expect(await spoolOwner(directory)).toBe("this process");
    await spool.close();
    expect(await spoolOwner(directory)).toBeUndefined();
    await (await openAt(directory)).close();
  });

  test("a folder without a spool is nobody's, and stays empty", async () => {
    const directory = await newFolder();
    expect([await spoolOwner(directory), await spoolOwner("memory")]).toEqual([undefined, undefined]);
    expect(await readdir(directory)).toEqual([]);
  });

  test("a folder that another process has open is locked, and free once that is killed", async () => {
    const program = await buildProgram("holder");
    const directory = await newFolder();
    const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(child, "exit");
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    for (let times = 0; times < 5; times++) {
      const error = await errorOf(openAt(directory));
      expect([error.code, error.message]).toEqual([
        "ERR_SPOOL_LOCKED",
        `Cannot open spool "${directory}": it is open already, by process ${child.pid}`,
      ]);
      expect(await spoolOwner(directory)).toBe(String(child.pid));
    }
    child.kill("SIGKILL");
    await exited;
    expect(await spoolOwner(directory)).toBeUndefined();
    const spool = await openAt(directory);
    expect(
      spool
        .gateway("gw")
        .read(0, 10, 1000)
        .map(({ seq }) => seq),
    ).toEqual([Number(line)]);
    expect(textsOf(spool.gateway("gw").read(0, 10, 1000))).toEqual(["held"]);
    await spool.close();
  });
});

describe("what cannot be used", () => {
  test("a folder that is a file is an error", async () => {
    const path = join(await newFolder(), "file");
    await writeFile(path, "");
    const error = await errorOf(openAt(path));
    expect([error.code, error.message]).toEqual([
      "ERR_SPOOL_FAILED",
      expect.stringContaining(`Cannot open spool "${path}": EEXIST`),
    ]);
  });

  test("what a program of format 1 left is read as it was, and goes on as the present one", async () => {
    const directory = await newFolder();
    // Written by the program as it was on 2026-11-21.
    const fixture = await readFile(join(import.meta.dirname, "fixtures/format-1.mdb.gz"));
    await writeFile(join(directory, "data.mdb"), gunzipSync(fixture));
    const device = "pump-2" as DeviceId;
    for (const more of [1, 2]) {
      const spool = await openAt(directory);
      expect(spool.setAside).toBeUndefined();
      const [one, two] = [spool.gateway("gw-01"), spool.gateway("gw-02")];
      const down = { received: 2, delivered: 1, pending: 1, dropped: {} };
      expect(one.ledger).toEqual(ledgerOf({ received: 6, delivered: 2, pending: 2, held: 1, quarantined: 1, down }));
      expect(two.ledger).toEqual(ledgerOf({ received: 3 + more, pending: 1 + more, dropped: { unknownTopic: 2 } }));
      expect(textsOf(one.read(0, 10, 1000))).toEqual(["pending", "of three"]);
      expect(one.read(0, 10, 1000)[1]).toMatchObject({ count: 3, dialect: "thingsboard", isDamaged: false });
      expect(one.list({}, 10).map(({ fate, ref }) => [fate.kind, ref.index])).toEqual([
        ["held", 1],
        ["quarantined", 0],
      ]);
      expect([...one.entries()]).toEqual([["attached/pump-2", "default"]]);
      expect(two.waitingDevices()).toEqual([{ device, held: 0, parked: 1 }]);
      const texts = ["reply", ...(more === 1 ? [] : ["new"])];
      expect(textsOf(two.read(0, 10, 1000))).toEqual(texts);
      await append(two, arrival("new"));
      expect(imbalanceOf(spool.ledger())).toBe(0);
      await spool.close();
    }
    const { records } = await auditSpool(directory);
    expect([...records.values()].map(({ text }) => text)).toContain("ünïcode ☂");
  });

  test("what a program of format 2 left is read as it was, whether it is in the index or among the newest", async () => {
    const directory = await newFolder();
    // Written by the program as it was on 2026-11-21, with a span of 4: the last two records are the newest.
    const fixture = await readFile(join(import.meta.dirname, "fixtures/format-2.mdb.gz"));
    await writeFile(join(directory, "data.mdb"), gunzipSync(fixture));
    const down = { received: 2, delivered: 1, pending: 1, dropped: {} };
    const wanted = ["two 0", "two 1", "two 2", "two 3", "two 4", "two 5", "reply"];
    for (const more of [0, 1, 2]) {
      const spool = await openAt(directory);
      expect(spool.setAside).toBeUndefined();
      const [one, two] = [spool.gateway("gw-01"), spool.gateway("gw-02")];
      const moved = more > 0 ? { pending: 5, quarantined: 0 } : { pending: 4, quarantined: 1 };
      expect(one.ledger).toEqual(ledgerOf({ received: 9, delivered: 2, held: 2, down, ...moved }));
      expect(two.ledger).toEqual(
        ledgerOf({ received: 10 + more, delivered: more, pending: 8, dropped: { unknownTopic: 2 } }),
      );
      const mended = more > 0 ? ["ünïcode ☂"] : [];
      expect(textsOf(one.read(0, 10, 1000))).toEqual(["pending", "of three", ...mended, "last of one"]);
      expect(one.read(0, 10, 1000)[1]).toMatchObject({ count: 3, dialect: "thingsboard", isDamaged: false });
      expect(one.list({ fate: "held" }, 10).map(({ ref }) => ref)).toEqual([
        { seq: 3, index: 1 },
        { seq: 5, index: 0 },
      ]);
      expect(two.waitingDevices()).toEqual([{ device: "pump-2", held: 0, parked: 1 }]);
      expect(textsOf(two.read(0, 20, 1000))).toEqual([...wanted, "new", "new"].slice(more, 7 + more));
      one.retry({ seq: 4, index: 0 });
      two.settle({ seq: two.read(0, 1, 1)[0]?.seq ?? 0, index: 0 }, delivered);
      await append(two, arrival("new"));
      expect(imbalanceOf(spool.ledger())).toBe(0);
      await spool.close();
      expect((await auditSpool(directory)).mistakes).toEqual([]);
    }
  });

  test("a record that the disk has changed says so, and the others are as they were", async () => {
    const directory = await newFolder();
    let spool = await openAt(directory);
    await append(spool.gateway("gw"), arrival("before"));
    await append(spool.gateway("gw"), arrival("the-open-valve"));
    await spool.close();
    const path = join(directory, "data.mdb");
    const bytes = await readFile(path);
    for (let at = bytes.indexOf("the-open"); at !== -1; at = bytes.indexOf("the-open")) bytes.write("The", at);
    await writeFile(path, bytes);
    spool = await openAt(directory);
    const found = spool.gateway("gw").read(0, 10, 1000);
    expect(found.map((record) => [Buffer.from(record.packet.payload).toString(), record.isDamaged])).toEqual([
      ["before", false],
      ["The-open-valve", true],
    ]);
    await spool.close();
  });

  test("a newer format is an error, and everything stays where it is", async () => {
    const directory = await newFolder();
    const spool = await openAt(directory);
    await append(spool.gateway("gw"), arrival("x"));
    await spool.close();
    const store = openLmdbStore({ directory, mapBytes: 1024 * 1024, onDamage: () => {} });
    store.put(singleKey(family.meta), Buffer.from('{"format":4,"shape":"unknown"}'));
    await store.commit();
    await store.close();
    const error = await errorOf(openAt(directory));
    expect([error.code, error.message]).toEqual([
      "ERR_SPOOL_FAILED",
      `Cannot open spool "${directory}": a newer program wrote it in format 4, wanted at most 3`,
    ]);
    expect(await readdir(directory)).toEqual(["data.mdb", "lock.mdb", "owner.mdb", "owner.mdb-lock", "probe"]);
    const { records } = await auditSpool(directory);
    expect([...records.values()].map(({ text }) => text)).toEqual(["x"]);
  });

  const page = 4096;
  test.each([
    ["with another head", async (path: string) => overwrite(path, 0, Buffer.alloc(2 * page, "Z"))],
    ["with a damaged second head", async (path: string) => overwrite(path, page, Buffer.alloc(page, 1))],
    ["of another kind", async (path: string) => writeFile(path, "this is no spool")],
    ["cut in half", async (path: string) => truncate(path, Math.floor((await stat(path)).size / 2))],
    ["cut behind its head", async (path: string) => truncate(path, 2 * page)],
    ["cut in its head", async (path: string) => truncate(path, 100)],
    [
      "full of zeros",
      async (path: string) => overwrite(path, 2 * page, Buffer.alloc((await stat(path)).size - 2 * page)),
    ],
  ])("a data file %s is set aside, whole, and a new spool begun", async (_, damage) => {
    const directory = await newFolder();
    const before = await openAt(directory);
    await Promise.all(Array.from({ length: 300 }, () => append(before.gateway("gw"), arrival("x".repeat(100)))));
    await before.close();
    await damage(join(directory, "data.mdb"));
    const length = (await stat(join(directory, "data.mdb"))).size;

    const spool = await openAt(directory);
    const aside = join(directory, "damaged-2026-01-02T03-04-05.000Z");
    expect(spool.setAside).toBe(aside);
    expect((await stat(join(aside, "data.mdb"))).size).toBeGreaterThanOrEqual(length);
    expect(spool.ledger()).toEqual(ledgerOf({}));
    await append(spool.gateway("gw"), arrival("new"));
    await spool.close();

    const again = await openAt(directory);
    expect(again.setAside).toBeUndefined();
    expect(textsOf(again.gateway("gw").read(0, 10, 1000))).toEqual(["new"]);
    await again.close();
  });

  test.each([
    ["a page", (at: number) => Math.floor(at / page) * page, page],
    // Behind the record come its checksum and the table: two numbers for each record, and how many there are.
    ["a block's table", (at: number) => at + 1000 + 4 + 8, 2],
  ])(
    "damage of %s that is met while running is an error, and set aside at the next start",
    async (_, placeOf, length) => {
      const directory = await newFolder();
      const before = await openAt(directory);
      const texts = Array.from({ length: 30 }, (_, index) => `${index} `.padEnd(1000));
      // One by one, so that each is a block of its own.
      for (const text of texts) await append(before.gateway("gw"), arrival(text));
      await before.close();
      const path = join(directory, "data.mdb");
      const bytes = await readFile(path);
      const spool = await openAt(directory);
      // Some are in pages that are not in use any more.
      for (let at = bytes.indexOf("15    "); at !== -1; at = bytes.indexOf("15    ", at + 1))
        await overwrite(path, placeOf(at), Buffer.alloc(length));
      const { code } = await errorOf(Promise.resolve().then(() => spool.gateway("gw").read(0, 1000, 1e9)));
      expect(code).toBe("ERR_SPOOL_FAILED");
      await spool.close();
      const again = await openAt(directory);
      expect(existsSync(join(again.setAside ?? "", "data.mdb"))).toBe(true);
      await again.close();
      const last = await openAt(directory);
      expect(last.setAside).toBeUndefined();
      await last.close();
    },
  );

  test("of a block only those records are damaged that the disk has changed", async () => {
    const directory = await newFolder();
    const before = await openAt(directory);
    const texts = Array.from({ length: 10 }, (_, index) => `${index} `.padEnd(100, "."));
    await Promise.all(texts.map((text) => append(before.gateway("gw"), arrival(text))));
    await before.close();
    const path = join(directory, "data.mdb");
    const bytes = await readFile(path);
    // From the middle of one to the middle of the next.
    await overwrite(
      path,
      bytes.indexOf("6 ....") + 50,
      Buffer.alloc(bytes.indexOf("7 ....") - bytes.indexOf("6 ....")),
    );
    const spool = await openAt(directory);
    expect(spool.setAside).toBeUndefined();
    const found = spool.gateway("gw").read(0, 1000, 1e9);
    expect(found.map(({ isDamaged }) => isDamaged)).toEqual(texts.map((_, index) => index === 6 || index === 7));
    expect(textsOf(found.filter(({ isDamaged }) => !isDamaged))).toEqual(texts.filter((text) => !/^[67]/.test(text)));
    expect(found.map(({ seq }) => seq)).toEqual(texts.map((_, index) => index + 1));
    await spool.close();
  });

  test("two damaged spools in one millisecond are kept apart", async () => {
    const directory = await newFolder();
    await mkdir(join(directory, "damaged-2026-01-02T03-04-05.000Z"));
    await writeFile(join(directory, "data.mdb"), "garbage");
    const spool = await openAt(directory);
    expect(spool.setAside).toBe(join(directory, "damaged-2026-01-02T03-04-05.000Z-2"));
    await spool.close();
  });
});

describe("room on the disk", () => {
  test("a file that may not grow: appends fail whole, settling goes on, and appends work again", async () => {
    const program = await buildProgram("full-disk");
    const directory = await newFolder();
    const limited = `ulimit -f 1024; exec "${process.execPath}" "${program}" "${directory}"`;
    const { stdout } = await promisify(execFile)("/bin/sh", ["-c", limited]);
    const { code, hadTrouble, hasTrouble, received, pending, settled, left } = JSON.parse(stdout) as Record<
      string,
      number
    > & {
      left: number[];
    };
    expect({ code, hadTrouble, hasTrouble, received }).toEqual({
      code: "ERR_SPOOL_FAILED",
      hadTrouble: true,
      hasTrouble: false,
      received: pending,
    });
    const { mistakes, ledgers, records } = await auditSpool(directory);
    expect(mistakes).toEqual([]);
    expect([...records.keys()]).toEqual(left);
    expect(ledgers.get("gw")).toEqual(
      ledgerOf({ received: left.length + (settled ?? 0), delivered: settled ?? 0, pending: left.length }),
    );
  });

  test.each([
    ["of 100 bytes", () => 100],
    ["of 3 kB", () => 3000],
    ["of all lengths", (turn: number) => [10, 40_000, 700, 5000, 100, 2100][turn % 6] ?? 0],
  ])("with packets %s the files keep to twice maxBytes and 8 MiB, however often it is full", async (_, lengthOf) => {
    const directory = await newFolder();
    const maxBytes = 1024 * 1024;
    const spool = await openAt(directory, maxBytes);
    const waiting: { gateway: string; seq: number }[] = [];
    let turn = 0;
    for (let round = 0; round < 8; round++) {
      for (let isFull = false; !isFull; ) {
        const appends = Array.from({ length: 50 }, () => {
          const gateway = `gw-${turn++ % 7}`;
          const packet = { topic: "v1/gateway/telemetry", payload: Buffer.alloc(lengthOf(turn)), qos: 1 as const };
          return append(spool.gateway(gateway), arrival("", { packet })).then(({ seq }) =>
            waiting.push({ gateway, seq }),
          );
        });
        const refused = (await Promise.allSettled(appends)).filter(({ status }) => status === "rejected");
        isFull = refused.length > 0;
      }
      expect(spool.waitingBytes).toBeGreaterThan(maxBytes * 0.95);
      // Every third message stays, so that what is free is in pieces.
      const left = waiting.filter((__, index) => index % 3 === round % 3);
      for (const [index, { gateway, seq }] of waiting.entries()) {
        if (index % 3 !== round % 3) spool.gateway(gateway).settle({ seq, index: 0 }, delivered);
      }
      waiting.splice(0, waiting.length, ...left);
      await spool.flushed();
      expect((await stat(join(directory, "data.mdb"))).size).toBeLessThan(2 * maxBytes + 8 * 1024 * 1024);
    }
    await spool.close();
    expect((await auditSpool(directory)).mistakes).toEqual([]);
  });
});

async function overwrite(path: string, position: number, bytes: Buffer): Promise<void> {
  const file = await open(path, "r+");
  await file.write(bytes, 0, bytes.length, position);
  await file.close();
}
