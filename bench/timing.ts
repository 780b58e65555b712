/**
 * What one operation took. `against` names another timing of the same run, the measure of this one: only the ratio of
 * the two says anything about the code, the rest is about the machine.
 */
export interface Timing {
  readonly name: string;
  readonly ns: number;
  readonly against?: string;
}

const rounds = 15;
const roundMs = 60;

/**
 * Times contestants in turn, round after round, so that a machine that slows down slows all of them, and gives each its
 * median in nanoseconds per operation. Earlier rounds, in which the compiler still learns, are left out.
 */
export function timeInTurn<Name extends string>(
  contestants: Readonly<Record<Name, () => unknown>>,
): Record<Name, number> {
  const names = Object.keys(contestants) as Name[];
  const samples = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = -3; round < rounds; round++) {
    for (const name of names) {
      const ns = oneRound(contestants[name]);
      if (round >= 0) samples.get(name)?.push(ns);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(samples.get(name) ?? [])])) as Record<Name, number>;
}

/** The middle one of these. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

let keep: unknown;

function oneRound(operation: () => unknown): number {
  const batch = 200;
  const start = process.hrtime.bigint();
  let count = 0;
  let elapsed = 0;
  while (elapsed < roundMs * 1e6) {
    // Kept, so that the compiler cannot leave the work out.
    for (let i = 0; i < batch; i++) keep = operation();
    count += batch;
    elapsed = Number(process.hrtime.bigint() - start);
  }
  return keep === start ? Number.NaN : elapsed / count;
}

/** The same for contestants that take turns of the event loop. */
export async function timeTurns<Name extends string>(
  contestants: Readonly<Record<Name, () => Promise<unknown>>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(contestants) as Name[];
  const samples = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = -3; round < rounds; round++) {
    for (const name of names) {
      const begun = performance.now();
      let count = 0;
      for (; performance.now() - begun < roundMs; count++) await contestants[name]();
      if (round >= 0) samples.get(name)?.push(((performance.now() - begun) * 1e6) / count);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(samples.get(name) ?? [])])) as Record<Name, number>;
}
