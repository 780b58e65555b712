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
    const stored = fates(state.seq);
    if (stored !== undefined) applyFates(state, stored);
    block.add(state);
  }
  return block;
}

/**
 * Gives the fates that are not all pending, of a record in a block. Blocks of one transaction lie across one another: where
 * most of the numbers between are those of others, to look at all of them would cost each block as much as all together.
 */
function fatesOf(store: Store, { seq, lastSeq, count }: Block): (of: number) => Buffer | undefined {
  if (count === 1 || lastSeq - seq >= 4 * count) return (of) => store.get(seqKey(family.fates, of));
  const stored = store.scan(seqKey(family.fates, seq), seqKey(family.fates, lastSeq + 1));
  const fates = new Map([...stored].map(([key, value]) => [seqOf(key), value]));
  return (of) => fates.get(of);
}
