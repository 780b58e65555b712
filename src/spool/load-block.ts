import { Block } from "./block.ts";
import { BlockDamage, isBlock, placesIn } from "./block-codec.ts";
import { Gone } from "./gone.ts";
import { family, seqKey, seqOf } from "./keys.ts";
import { decodeHead, type RecordPlace } from "./record-codec.ts";
import { applyFates, RecordState } from "./record-state.ts";
import type { Store } from "./store.ts";

/**
 * A block as it was last committed.
 *
 * @throws {BlockDamage} See `placesIn`; also for a record by itself without messages, as a page of zeros would be one.
 */
export function loadBlock(store: Store, seq: number, value: Buffer): Block {
  const places = placesIn(value);
  const { gateway } = decodeHead(value, places[0] as RecordPlace);
  const block = new Block(seq, gateway);
  block.isWritten = true;
  block.isSingle = !isBlock(value);
  block.length = value.length;
  block.count = places.length;
  block.lastSeq = seq + (places.at(-1) as RecordPlace).offset;
  const noted = block.isSingle ? undefined : store.get(seqKey(family.gone, seq));
  block.isNoted = noted !== undefined;
  const gone = noted && new Gone(noted);
  const fates = fatesOf(store, block);
  for (const place of places) {
    const length = place.to - place.from;
    if (gone?.has(place.index)) {
      block.goneLength += length;
      continue;
    }
    const { count: found, isReply, payloadLength } = decodeHead(value, place);
    if (block.isSingle && found === 0) throw new BlockDamage("a record is damaged");
    // What the disk has changed may say anything; but no record has no messages, nor more of them than bytes.
    const count = Math.max(1, Math.min(found, length));
    const state = new RecordState(seq + place.offset, { gateway, count, isReply, payloadLength }, length);
    state.at = place.index;
    const stored = fates.get(state.seq);
    if (stored !== undefined) applyFates(state, stored);
    block.add(state);
  }
  return block;
}

/** The fates that are not all pending, of the records in a block and of those between them. */
function fatesOf(store: Store, { seq, lastSeq, count }: Block): ReadonlyMap<number, Buffer> {
  if (count > 1) {
    const stored = store.scan(seqKey(family.fates, seq), seqKey(family.fates, lastSeq + 1));
    return new Map([...stored].map(([key, value]) => [seqOf(key), value]));
  }
  // What a block was begun with may be gone: the only one that is left is the last.
  const only = store.get(seqKey(family.fates, lastSeq));
  return new Map(only === undefined ? [] : [[lastSeq, only]]);
}
