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

/** Hands out the records on disk in the order in which they arrived, data and replies each for themselves, once each. */
export class OldestFirst {
  readonly #store: Store;
  readonly #data = { found: [] as Oldest[], lastSeq: 0 };
  readonly #replies = { found: [] as Oldest[], lastSeq: 0 };

  constructor(store: Store) {
    this.#store = store;
  }

  next(isReply: boolean): Oldest | undefined {
    const line = isReply ? this.#replies : this.#data;
    if (line.found.length === 0) this.#look(line, isReply);
    return line.found.pop();
  }

  #look(line: { found: Oldest[]; lastSeq: number }, isReply: boolean): void {
    let bytes = 0;
    const from = seqKey(family.record, line.lastSeq + 1);
    for (const [key, value] of this.#store.scan(from, endOf(singleKey(family.record)))) {
      const { gateway, isReply: found } = decodeHead(value);
      line.lastSeq = seqOf(key);
      if (found !== isReply) continue;
      line.found.push({ seq: line.lastSeq, gateway });
      bytes += value.length;
      if (line.found.length >= maxRecords || bytes >= maxBytes) break;
    }
    line.found.reverse();
  }
}
