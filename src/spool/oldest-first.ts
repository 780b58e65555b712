import { placesIn } from "./block-codec.ts";
import { endOf, family, seqKey, seqOf, singleKey } from "./keys.ts";
import { decodeHead } from "./record-codec.ts";
import type { Store } from "./store.ts";

/** A record that may be dropped. */
export interface Oldest {
  readonly seq: number;
  readonly gateway: number;
}

const maxRecords = 256;
const maxBytes = 1024 * 1024;

interface Line {
  /** The oldest last. */
  found: Oldest[];
  /** That of the last block that was looked at. */
  lastSeq: number;
  /** They were being sent when it was their turn. */
  readonly passedOver: Oldest[];
}

/** Hands out the records on disk in the order in which they arrived, data and replies each for themselves, once each. */
export class OldestFirst {
  readonly #store: Store;
  readonly #data: Line = { found: [], lastSeq: 0, passedOver: [] };
  readonly #replies: Line = { found: [], lastSeq: 0, passedOver: [] };

  constructor(store: Store) {
    this.#store = store;
  }

  /** The oldest one that is not being sent. */
  next(isReply: boolean, isSending: (oldest: Oldest) => boolean): Oldest | undefined {
    const line = isReply ? this.#replies : this.#data;
    const free = line.passedOver.findIndex((oldest) => !isSending(oldest));
    if (free !== -1) return line.passedOver.splice(free, 1)[0];
    for (;;) {
      if (line.found.length === 0) this.#look(line, isReply);
      const oldest = line.found.pop();
      if (oldest === undefined || !isSending(oldest)) return oldest;
      line.passedOver.push(oldest);
    }
  }

  #look(line: Line, isReply: boolean): void {
    let bytes = 0;
    let lastSeq = 0;
    const from = seqKey(family.block, line.lastSeq + 1);
    try {
      for (const [key, value] of this.#store.scan(from, endOf(singleKey(family.block)))) {
        const seq = seqOf(key);
        // Blocks of one transaction lie across one another: what is in the next one may be older than what was found last.
        if ((line.found.length >= maxRecords || bytes >= maxBytes) && seq > lastSeq) break;
        line.lastSeq = seq;
        for (const place of placesIn(value)) {
          const { gateway, isReply: found } = decodeHead(value, place);
          if (found !== isReply) continue;
          lastSeq = Math.max(lastSeq, seq + place.offset);
          line.found.push({ seq: seq + place.offset, gateway });
          bytes += place.to - place.from;
        }
      }
    } finally {
      // What was found before a block that is damaged has its order, too.
      line.found.sort((one, other) => other.seq - one.seq);
    }
  }
}
