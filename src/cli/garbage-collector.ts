import { setFlagsFromString } from "node:v8";

/**
 * Has one thread collect young garbage, for the rest of the process.
 *
 * What lives while the disk syncs is a few megabytes: threads that help to copy it cost more processor time than they save, and
 * where there is but one processor they only wait for each other. V8 looks at this flag at each collection.
 */
export function collectByOneThread(): void {
  setFlagsFromString("--no-parallel-scavenge");
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
