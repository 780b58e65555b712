import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { imbalanceOf, type Ledger } from "../../src/message/fate.ts";
import { isBlock, placeAt, placesIn } from "../../src/spool/block-codec.ts";
import { inspectDataFile } from "../../src/spool/data-file.ts";
import { Gone } from "../../src/spool/gone.ts";
import {
  endOf,
  family,
  indexKey,
  quarantinedKey,
  seqKey,
  seqOf,
  singleKey,
  textKey,
  waitingKey,
} from "../../src/spool/keys.ts";
import { openLmdbStore } from "../../src/spool/lmdb-store.ts";
import { decodeHead, decodeRecord, type RecordPlace } from "../../src/spool/record-codec.ts";
import { applyFates, code, codeAt, RecordState } from "../../src/spool/record-state.ts";
import type { Store } from "../../src/spool/store.ts";

const folders: string[] = [];

/** A new folder; removed by `removeFolders`. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dragoman-spool-"));
  folders.push(folder);
  return folder;
}

export async function removeFolders(): Promise<void> {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
}

/** What a scan of everything in a closed spool finds. */
export interface Audit {
  /** What is not as it must be; nothing, if all is well. */
  readonly mistakes: readonly string[];
  readonly ledgers: ReadonlyMap<string, Ledger>;
  readonly records: ReadonlyMap<
    number,
    { readonly gateway: string; readonly text: string; readonly state: RecordState }
  >;
}

/** Reads a closed spool from its first byte to its last, and compares every counter and index with the records themselves. */
export async function auditSpool(directory: string): Promise<Audit> {
  const pages = inspectDataFile(join(directory, "data.mdb"), "pages");
  if (pages === "damaged") throw new Error(`the pages of ${directory} do not hold together`);
  const store = openLmdbStore({ directory, mapBytes: 1024 * 1024 * 1024, onDamage: () => {} });
  try {
    return auditStore(store);
  } finally {
    await store.close();
  }
}

/** The same of a store, as it was last committed. */
export function auditStore(store: Store): Audit {
  const entries = new Map(
    [...store.scan(Buffer.from([1]), endOf(Buffer.from([255])))].map(([key, value]) => [textOf(key), value]),
  );
  const mistakes: string[] = [];
  const ofFamily = (of: number) =>
    [...entries].map(([key, value]) => [Buffer.from(key, "latin1"), value] as const).filter(([key]) => key[0] === of);
  const meta = entries.get(textOf(singleKey(family.meta)));
  const { floor, lastSeq } = JSON.parse(meta?.toString() ?? '{"floor":0,"lastSeq":0}') as {
    floor: number;
    lastSeq: number;
  };
  const wanted = new Set<string>(meta === undefined ? [] : [textOf(singleKey(family.meta))]);
  const gateways = new Map<number, { id: string; ledger: Ledger; waitingBytes: number }>();
  const sums = new Map<number, { pending: number; held: number; quarantined: number; bytes: number }>();
  const devices = new Map<string, { held: number; parked: number }>();
  const records = new Map<number, { gateway: string; text: string; state: RecordState }>();
  for (const [key, value] of ofFamily(family.gateway)) {
    gateways.set(key.readUInt32BE(1), JSON.parse(value.toString()));
    sums.set(key.readUInt32BE(1), { pending: 0, held: 0, quarantined: 0, bytes: 0 });
    wanted.add(textOf(key));
  }
  for (const [key] of ofFamily(family.fact)) wanted.add(textOf(key));

  const found: { seq: number; value: Buffer; place: RecordPlace }[] = [];
  for (const [key, value] of ofFamily(family.block)) {
    const first = seqOf(key);
    wanted.add(textOf(key));
    const noted = entries.get(textOf(seqKey(family.gone, first)));
    if (noted !== undefined) wanted.add(textOf(seqKey(family.gone, first)));
    const there = placesIn(value).filter(({ index }) => noted === undefined || !new Gone(noted).has(index));
    found.push(...there.map((place) => ({ seq: first + place.offset, value, place })));
    if (there.length === 0) mistakes.push(`block ${first} has nothing in it`);
    if (there.some((place) => !isDeepStrictEqual(placeAt(value, place.offset), place)))
      mistakes.push(`block ${first} has records that are not found`);
    const { gateway } = decodeHead(value, there[0] as RecordPlace);
    if (there.some((place) => decodeHead(value, place).gateway !== gateway)) mistakes.push(`block ${first} is of two`);
    const seqs = there.map(({ offset }) => first + offset);
    if (seqs.some((seq) => seq <= floor !== first <= floor))
      mistakes.push(`block ${first} is on both sides of the floor`);
    if (first > floor) continue;
    const isOpen = there.some((place) => {
      const state = new RecordState(first + place.offset, decodeHead(value, place), 0);
      const fates = entries.get(textOf(seqKey(family.fates, state.seq)));
      if (fates !== undefined) applyFates(state, fates);
      return state.open > 0;
    });
    if (isOpen) wanted.add(textOf(indexKey(family.open, gateway, first)));
    else if (isBlock(value)) wanted.add(textOf(indexKey(family.waitingOnly, gateway, first)));
  }

  for (const { seq, value, place } of found) {
    const state = new RecordState(seq, decodeHead(value, place), place.to - place.from);
    const fates = entries.get(textOf(seqKey(family.fates, seq)));
    if (fates !== undefined) {
      applyFates(state, fates);
      wanted.add(textOf(seqKey(family.fates, seq)));
    }
    const sum = sums.get(state.gateway);
    if (sum === undefined) mistakes.push(`record ${seq} of no gateway`);
    if (seq > lastSeq) mistakes.push(`record ${seq} behind the last one, ${lastSeq}`);
    if (state.left === 0) mistakes.push(`record ${seq} has nothing left in it`);
    if (sum !== undefined) sum.bytes += state.payloadLength;
    for (let index = 0; index < state.count; index++) {
      const { device } = state.waits?.get(index) ?? {};
      const found = codeAt(state, index);
      if (sum !== undefined && (found === code.open || found === code.parked)) sum.pending++;
      if (sum !== undefined && found === code.held) sum.held++;
      if (sum !== undefined && found === code.quarantined) sum.quarantined++;
      if (found === code.quarantined) wanted.add(textOf(quarantinedKey(state.gateway, { seq, index })));
      if ((found !== code.held && found !== code.parked) || device === undefined) continue;
      wanted.add(textOf(waitingKey(state.gateway, device, { seq, index })));
      const at = textOf(textKey(family.device, state.gateway, device));
      wanted.add(at);
      const before = devices.get(at) ?? { held: 0, parked: 0 };
      devices.set(at, {
        held: before.held + Number(found === code.held),
        parked: before.parked + Number(found === code.parked),
      });
    }
    const { payload } = decodeRecord(value, place).packet;
    records.set(seq, { gateway: gateways.get(state.gateway)?.id ?? "?", text: Buffer.from(payload).toString(), state });
  }

  for (const key of entries.keys())
    if (!wanted.has(key)) mistakes.push(`entry of nothing: ${Buffer.from(key, "latin1").toString("hex")}`);
  for (const key of wanted)
    if (!entries.has(key)) mistakes.push(`no entry: ${Buffer.from(key, "latin1").toString("hex")}`);
  for (const [at, { held, parked }] of devices) {
    const found = JSON.parse(entries.get(at)?.toString() ?? "{}") as { held?: number; parked?: number };
    if (found.held !== held || found.parked !== parked)
      mistakes.push(`counters of a device: ${JSON.stringify({ found, held, parked })}`);
  }
  for (const [number, { id, ledger, waitingBytes }] of gateways) {
    const sum = sums.get(number);
    const found = { pending: ledger.pending, held: ledger.held, quarantined: ledger.quarantined, bytes: waitingBytes };
    if (JSON.stringify(found) !== JSON.stringify(sum))
      mistakes.push(`ledger of ${id}: ${JSON.stringify({ found, sum })}`);
    if (imbalanceOf(ledger) !== 0) mistakes.push(`ledger of ${id} is out of balance by ${imbalanceOf(ledger)}`);
  }
  return { mistakes, ledgers: new Map([...gateways.values()].map(({ id, ledger }) => [id, ledger])), records };
}

function textOf(key: Buffer): string {
  return key.toString("latin1");
}
