import { cpus, release } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { markdownOf } from "./report.ts";
import { failuresOf, type Row, runScenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";

/** `npm run chaos`: everything, or only what is named: `npm run chaos -- --seed 7 outage poison`. The table goes to stdout. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string", default: "1" }, short: { type: "boolean", default: false } },
});
const wanted = scenarios.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
// From test/chaos/dist/test/chaos/ back to where package.json is.
const root = resolve(import.meta.dirname, "../../../../..");

const rows: Row[] = [];
let failures = 0;
for (const scenario of wanted) {
  process.stderr.write(`chaos: ${scenario.name}: ${scenario.about}\n`);
  try {
    const row = await runScenario(root, scenario, { seed: Number(values.seed), form: values.short ? "short" : "full" });
    rows.push(row);
    for (const failure of failuresOf(row)) report(scenario.name, failure);
  } catch (error) {
    report(scenario.name, (error as Error).message);
  }
}
process.stdout.write(
  `Node ${process.version}, ${release()}, ${cpus().length} CPUs, seed ${values.seed}\n\n${markdownOf(rows)}`,
);
process.exitCode = failures === 0 ? 0 : 1;

function report(name: string, failure: string): void {
  failures += 1;
  process.stderr.write(`chaos: ${name}: FAILED: ${failure}\n`);
}
