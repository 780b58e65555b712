import { setFlagsFromString } from "node:v8";

/**
 * Sets V8's collector up for what a bridge leaves behind, for the rest of the process: much, and all of it within milliseconds. V8
 * looks at these flags at each collection.
 *
 * - One thread collects what is young. What lives while the disk syncs is a few megabytes: threads that help to copy it cost more
 *   processor time than they save, and where there is but one processor they only wait for each other.
 * - Nothing is allocated as old. V8 takes a while in which messages wait, such as an outage, for a sign that they live long, and from then on makes
 *   them old from the start: then each keeps all that it refers to until the next collection of everything.
 */
export function expectShortLives(): void {
  setFlagsFromString("--no-parallel-scavenge");
  setFlagsFromString("--no-allocation-site-pretenuring");
}

/** How much garbage there may be for what was alive at the last collection, in per cent. V8 by itself allows several times as much. */
const slowPercent = 50;

/**
 * Has V8 collect garbage more often than it would, which under load costs processor time: it is for a start. Reading the
 * configuration of thousands of gateways and logging them in leaves much behind, and a heap that has grown by that stays so
 * for as long as little happens.
 *
 * @returns What leaves it to V8 again, from the next collection on; that happens by itself after `longestMs`.
 */
export function growHeapSlowly(longestMs: number): () => void {
  setFlagsFromString(`--heap-growing-percent=${slowPercent}`);
  const growFreely = () => {
    clearTimeout(timer);
    setFlagsFromString("--heap-growing-percent=0");
  };
  const timer = setTimeout(growFreely, longestMs).unref();
  return growFreely;
}
