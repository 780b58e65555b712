import type { SpoolRecord } from "./spool.ts";

/** A record whose open messages are looked up when they are asked for. */
export class OpenRecord implements SpoolRecord {
  readonly seq: number;
  readonly packet: SpoolRecord["packet"];
  readonly arrivedMs: number;
  readonly dialect: string;
  readonly count: number;
  readonly isDamaged: boolean;
  readonly #gateway: Gateway;

  constructor(gateway: Gateway, seq: number, from: Content) {
    this.#gateway = gateway;
    this.seq = seq;
    this.packet = from.packet;
    this.arrivedMs = from.arrivedMs;
    this.dialect = from.dialect;
    this.count = from.count;
    this.isDamaged = from.isDamaged ?? false;
  }

  isOpen(index: number): boolean {
    return this.#gateway.isOpen(this.seq, index);
  }
}

type Content = Pick<SpoolRecord, "packet" | "arrivedMs" | "dialect" | "count"> &
  Partial<Pick<SpoolRecord, "isDamaged">>;

interface Gateway {
  isOpen(seq: number, index: number): boolean;
}
