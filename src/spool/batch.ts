import type { DragomanError } from "../errors.ts";
import type { Block, Thinned } from "./block.ts";
import type { RecordState } from "./record-state.ts";
import type { TurnGateway } from "./turn.ts";

/** What was asked for and will be one transaction. */
export interface Batch {
  isWanted: boolean;
  /** Why its records were not written, while the rest was. */
  refusal: DragomanError | undefined;
  /** New records, in order. */
  readonly appends: RecordState[];
  /** Of what is appended. */
  readonly blocks: Block[];
  /** Bytes of that. */
  bytes: number;
  /** Blocks that have lost records or messages to be sent. */
  readonly dirty: Block[];
  /** Blocks that are written anew. */
  readonly thinned: Thinned[];
  /** Records whose fates have changed. */
  readonly changed: RecordState[];
  readonly touched: Set<TurnGateway>;
  /** What to take back if it cannot be written. */
  readonly undos: (() => void)[];
  /** Resolves when all of it is synced. */
  readonly synced: Outcome;
}

/** A promise that is settled from outside. */
export interface Outcome {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function newBatch(): Batch {
  const lists = {
    appends: [],
    blocks: [],
    dirty: [],
    thinned: [],
    changed: [],
    touched: new Set<TurnGateway>(),
    undos: [],
  };
  return { isWanted: false, refusal: undefined, bytes: 0, ...lists, synced: newOutcome() };
}

function newOutcome(): Outcome {
  let resolve = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((...both) => {
    [resolve, reject] = both;
  });
  // Those who wait are told; with nobody waiting a failure is no unhandled rejection.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
