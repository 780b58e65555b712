/** What bounds a gateway that does not do its part. Nobody has needed to set these; tests do. */
export interface Tuning {
  /** Packets to one gateway that may be unacknowledged at once. */
  readonly window: number;
  /** Bytes that may wait behind the window before the connection is closed. */
  readonly maxWaitingBytes: number;
  /**
   * A connection that leaves a packet unacknowledged for this long, or for as long as its keep-alive lets it be silent if
   * that is longer, is closed: its packets are wanted elsewhere. A gateway whose callback blocks would miss its
   * keep-alive as well, so no other rule than MQTT's own hits it.
   */
  readonly acknowledgeWithinMs: number;
  /** How often that is looked at. */
  readonly sweepMs: number;
  /** How long a closed connection may take to read why. */
  readonly lingerMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export const defaultTuning: Tuning = {
  window: 256,
  maxWaitingBytes: 8 * 1024 * 1024,
  acknowledgeWithinMs: 30_000,
  sweepMs: 5_000,
  lingerMs: 1_000,
  now: Date.now,
};
