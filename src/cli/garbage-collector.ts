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
