import type { Flight } from "./flights.ts";

/**
 * The records of the spool that a publish carries messages of: for a state, those merged into it; for an attach, the first
 * that wait behind it.
 */
export function recordsOf(flight: Flight | undefined): readonly number[] {
  if (flight === undefined) return [];
  const { purpose, lane, waiting, riders, revision } = flight;
  const { state } = lane;
  switch (purpose) {
    case "state":
      return distinct(state?.pending.filter((pending) => pending.revision <= revision).map(({ cargo }) => cargo.seq));
    case "attach":
      return distinct(
        [lane.replies.peek()?.cargo?.seq, lane.data.peek()?.cargo?.seq, state?.pending[0]?.cargo.seq].filter(isGiven),
      );
    case "data":
    case "detach":
    case "reply":
      return distinct([waiting, ...riders].map((one) => one?.cargo?.seq).filter(isGiven));
    case "question":
      return [];
  }
}

function distinct(seqs: readonly number[] = []): readonly number[] {
  return [...new Set(seqs)].sort((a, b) => a - b);
}

function isGiven(seq: number | undefined): seq is number {
  return seq !== undefined;
}
