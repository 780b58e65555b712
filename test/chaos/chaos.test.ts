import { resolve } from "node:path";
import { expect, test } from "vitest";
import { failuresOf, runScenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";

const root = resolve(import.meta.dirname, "../..");

test.each(scenarios)(
  "$name: nothing acknowledged is lost, nothing is reordered, the ledger balances",
  { timeout: 180_000 },
  async (scenario) => {
    const row = await runScenario(root, scenario, { seed: 1, form: "short" });
    expect(failuresOf(row)).toEqual([]);
    expect(row.acknowledged).toBeGreaterThan(0);
    expect(row.recoveriesMs.length).toBeGreaterThanOrEqual(row.rounds);
  },
);
