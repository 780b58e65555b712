import type { RuleRef } from "./decoded.ts";
import type { Explained } from "./explained.ts";

/**
 * One packet as it passed one side of the bridge, and what it was taken for. What is known to be a secret, and what nobody
 * understood, is masked as `•••` throughout.
 */
export interface TraceLine extends Explained {
  /** Rises by one with each packet of this process, shown or not. */
  readonly id: number;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly gateway: string;
  readonly side: "local" | "upstream";
  readonly direction: "in" | "out";
  readonly topic: string;
  /** Text, or base64 where `encoding` says so. */
  readonly payload: string;
  readonly encoding?: "base64";
  /** Of the whole payload. */
  readonly bytes: number;
  /** The payload was longer. */
  readonly cut?: true;
  readonly qos: 0 | 1 | 2;
  /** Records of the spool: one that came in has one, and what goes out has those that it carries or was caused by. */
  readonly records?: readonly number[];
  /** The line of the packet from the cloud that this one follows from. */
  readonly cause?: number;
  /** What was decided at once about messages that go no further, such as `dropped: unsupported`. */
  readonly fates?: readonly string[];
  /** Rules of the deployment's own mapping that changed something of it. */
  readonly mappedBy?: readonly RuleRef[];
}

/** Which lines are wanted; what is left out fits everything. */
export interface TraceFilter {
  readonly gateway?: string;
  /** The name that the local side has for it. */
  readonly device?: string;
  /** The kind of a message, such as `telemetry`. */
  readonly kind?: string;
}

export interface TraceListener {
  line(line: TraceLine): void;
  /** A line that would have been wanted was not made: there were too many. */
  missed(): void;
}

/** The packets that pass a running bridge. Costs nothing while nobody listens. */
export interface TraceSource {
  /** Begins to listen; the function that comes back ends it. */
  listen(filter: TraceFilter, listener: TraceListener): () => void;
}
