import { runProgram } from "../../src/cli/program.ts";
import type { Step } from "../../src/doctor/checkup.ts";
import type { Verdict } from "../../src/doctor/examine.ts";
import { testIo } from "../cli/test-io.ts";

/** What `dragoman doctor --json` says of a configuration. */
export interface Diagnosed {
  readonly exitCode: number;
  readonly verdict: Verdict;
  readonly steps: readonly Step[];
  /** The step of this id; of this gateway, where there are several. */
  step(id: string, gateway?: string): Step;
  /** The name and the likelihood of what is thought of first, at the first step that failed. */
  readonly first: string | undefined;
  readonly text: string;
}

export async function diagnose(configFile: string, ...args: readonly string[]): Promise<Diagnosed> {
  const io = testIo();
  // Who has a rival says how long to wait for it.
  const exitCode = await runProgram(["doctor", configFile, "--json", "--hold", "10ms", ...args], io);
  if (io.err() !== "") throw new Error(io.err());
  const { verdict, steps } = JSON.parse(io.out()) as { readonly verdict: Verdict; readonly steps: readonly Step[] };
  const failed = steps.find(({ outcome }) => outcome === "fail");
  const [cause] = failed?.causes ?? [];
  return {
    ...{ exitCode, verdict, steps, text: io.out() },
    step(id, gateway) {
      const found = steps.find((step) => step.id === id && (gateway === undefined || step.gateway === gateway));
      if (found === undefined) throw new Error(`No step "${id}" in ${io.out()}`);
      return found;
    },
    first: failed && `${failed.id}: ${cause === undefined ? "no cause" : `${cause.likelihood} ${cause.name}`}`,
  };
}
