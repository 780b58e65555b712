import type { Io } from "./io.ts";
import { shortCount } from "./table.ts";

/** Says how far something is; how much there is in all may be unknown. */
export type Step = (done: number, total?: number) => void;

const patienceMs = 1000;
const everyMs = 100;

/**
 * Does some work and, where stderr is a terminal, shows after a second how far it is, in a line that goes away at its end.
 *
 * @param what What is counted, such as "checking gateways".
 * @param work Calls its argument as it goes on, as often as it likes; nothing has to be awaited in between.
 */
export async function withProgress<Result>(
  io: Pick<Io, "stderr">,
  what: string,
  work: (step: Step) => Result | Promise<Result>,
  now: () => number = Date.now,
): Promise<Result> {
  const { stderr } = io;
  if (stderr.isTTY !== true) return work(() => undefined);
  let nextMs = now() + patienceMs;
  let isShown = false;
  try {
    return await work((done, total) => {
      const nowMs = now();
      if (nowMs < nextMs) return;
      nextMs = nowMs + everyMs;
      isShown = true;
      const far = total === undefined ? shortCount(done) : `${shortCount(done)} of ${shortCount(total)}`;
      stderr.write(`\r${what}: ${far}${clearToEnd}`);
    });
  } finally {
    if (isShown) stderr.write(`\r${clearToEnd}`);
  }
}

/** ECMA-48, "EL". */
const clearToEnd = "\u001b[K";
