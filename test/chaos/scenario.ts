import type { Findings } from "./journal.ts";
import { seeded } from "./random.ts";
import { inFlight, openWorld, troubleOf, type World, type WorldOptions } from "./world.ts";

/** One thing that goes wrong, again and again. */
export interface Scenario {
  readonly name: string;
  /** What happens in one round, for the reader of the table. */
  readonly about: string;
  readonly world?: WorldOptions;
  /** How often it happens: in the tests, and in a full run. */
  readonly rounds: { readonly short: number; readonly full: number };
  /** The last messages of an ended connection that may come again; left out: as many as may be unacknowledged. */
  readonly repeatable?: number;
  /** The bridge may end by itself, as long as it goes on when it is started again. */
  readonly mayEnd?: boolean;
  /** Before the first round. */
  prepare?(world: World): void | Promise<void>;
  /** Lets it happen once, under load, and waits until all is well again. */
  round(world: World, round: number): Promise<void>;
  /** After the last round, with the load still on. */
  finish?(world: World): Promise<void>;
}

/** A line of the table. */
export interface Row extends Findings {
  readonly name: string;
  readonly rounds: number;
  /** What is wrong with the ledger. */
  readonly ledger: string | undefined;
  readonly recoveriesMs: readonly number[];
  /** How often the bridge ended without being told to, and had to be started again. */
  readonly revivals: number;
  readonly mayEnd: boolean;
}

/** Messages that flow before the first fault, and behind the last. */
const calm = 100;

/** Runs a scenario and looks at what is left of it. */
export async function runScenario(
  root: string,
  scenario: Scenario,
  { seed, form }: { readonly seed: number; readonly form: "short" | "full" },
): Promise<Row> {
  const rounds = scenario.rounds[form];
  const world = await openWorld(root, seeded(seed), scenario.world);
  try {
    for (const gateway of world.gateways) gateway.start();
    await world.journal.flowing(calm);
    await scenario.prepare?.(world);
    for (let round = 0; round < rounds; round++) await scenario.round(world, round);
    await scenario.finish?.(world);
    await world.journal.flowing(calm);
    const ledger = await world.settle();
    const findings = world.journal.audit(scenario.repeatable ?? inFlight);
    return {
      ...findings,
      name: scenario.name,
      rounds,
      ledger: troubleOf(ledger, { quarantined: findings.poison }),
      revivals: world.revivals,
      mayEnd: scenario.mayEnd ?? false,
      recoveriesMs: world.recoveriesMs.toSorted((a, b) => a - b),
    };
  } catch (error) {
    const { hasEnded, log } = world.bridge;
    const found = `${(error as Error).message}${hasEnded ? "; the bridge has ended" : ""}`;
    throw new Error(`${found}\n${log.slice(-40).join("\n")}`, { cause: error });
  } finally {
    await world.close();
  }
}

/** What breaks the promise in a row. */
export function failuresOf({ lost, reordered, unexplained, ledger, revivals, mayEnd }: Row): readonly string[] {
  const first = (names: readonly string[]) => `${names.length} (${names.slice(0, 10).join(", ")})`;
  return [
    ...(lost.length > 0 ? [`acknowledged and lost: ${first(lost)}`] : []),
    ...(reordered.length > 0 ? [`out of order: ${first(reordered)}`] : []),
    ...(unexplained.length > 0 ? [`sent again without need: ${first(unexplained)}`] : []),
    ...(revivals > 0 && !mayEnd ? [`it ended by itself ${revivals} times`] : []),
    ...(ledger === undefined ? [] : [`ledger: ${ledger}`]),
  ];
}
