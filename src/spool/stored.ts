import type { Ledger } from "../message/fate.ts";

/**
 * The layout of the store that this program writes, and the newest that it reads. 2: records have a checksum. 3: records of
 * one transaction and gateway are one value. What an earlier program wrote is read as it is.
 */
export const format = 3;

/** What a spool knows of itself, written with every transaction. */
export interface StoredMeta {
  readonly format: number;
  /** The last sequence number that was given away. */
  readonly lastSeq: number;
  /** Records up to it stand in the index of open records, if they are open. */
  readonly floor: number;
}

/** What it knows of a gateway, written with every transaction that changes it. */
export interface StoredGateway {
  readonly id: string;
  readonly ledger: Ledger;
  readonly waitingBytes: number;
}

/** Both are JSON, so that a later format can add to them. */
export function encodeStored(value: StoredMeta | StoredGateway): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function decodeMeta(bytes: Buffer): StoredMeta {
  return JSON.parse(bytes.toString()) as StoredMeta;
}

export function decodeGateway(bytes: Buffer): StoredGateway {
  return JSON.parse(bytes.toString()) as StoredGateway;
}
