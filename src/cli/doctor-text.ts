import { styleText } from "node:util";
import type { RankedCause } from "../doctor/causes.ts";
import type { Outcome, Step, StepHead } from "../doctor/checkup.ts";
import type { Verdict } from "../doctor/examine.ts";
import { printable } from "./table.ts";

type Colour = "green" | "yellow" | "red" | "dim" | "bold";

const colours: Readonly<Record<Outcome, Colour>> = { ok: "green", warn: "yellow", fail: "red", skip: "dim" };
const introductions: Readonly<Record<RankedCause["likelihood"], string>> = {
  proven: "the cause",
  likely: "most likely",
  possible: "or",
};

/** Shows steps to people. */
export function doctorText({ isColoured }: { readonly isColoured: boolean }) {
  const paint = (colour: Colour, text: string) =>
    isColoured ? styleText(colour, text, { validateStream: false }) : text;

  return {
    /** A step that goes on; replaced by the line of its end. */
    running({ title, gateway }: StepHead, doing?: string): string {
      const line = `  …     ${nameOf({ title, gateway })}${doing === undefined ? "" : `: ${printable(doing)}`}`;
      // A line that wraps could not be replaced.
      return line.length > 79 ? `${line.slice(0, 78)}…` : line;
    },

    /** Details are shown where something is wrong, or with `isVerbose`. */
    step(step: Step, { isVerbose }: { readonly isVerbose: boolean }): string {
      const { outcome, found, details = [], causes = [], durationMs } = step;
      const took = durationMs < 100 ? "" : paint("dim", `  (${(durationMs / 1000).toFixed(1)} s)`);
      const shown = isVerbose || outcome === "fail" || outcome === "warn" ? details : [];
      return lines([
        `  ${paint(colours[outcome], outcome.padEnd(4))}  ${paint("bold", nameOf(step))}: ${printable(found)}${took}`,
        ...shown.map((detail) => paint("dim", `          ${printable(detail)}`)),
        ...causes.flatMap(({ likelihood, what, remedy, source }) => [
          `        ${introductions[likelihood]}: ${printable(what)}`,
          `          ${printable(remedy)}`,
          ...(isVerbose && source !== undefined ? [paint("dim", `          (${printable(source)})`)] : []),
        ]),
      ]);
    },

    verdict(verdict: Verdict, steps: readonly Step[]): string {
      const count = (outcome: Outcome) => steps.filter((step) => step.outcome === outcome).length;
      const paintIt = verdict === "healthy" ? "green" : verdict === "doubtful" ? "yellow" : "red";
      const worst = steps.find(({ outcome }) => outcome === "fail") ?? steps.find(({ outcome }) => outcome === "warn");
      const [cause] = worst?.causes ?? [];
      const counts = `${count("ok")} ok, ${count("warn")} warn, ${count("fail")} fail, ${count("skip")} skip`;
      return lines([
        "",
        `${paint(paintIt, verdict)}: ${counts}`,
        ...(worst === undefined ? [] : [`first: ${nameOf(worst)}: ${printable(cause?.what ?? worst.found)}`]),
      ]);
    },
  };
}

function nameOf({ title, gateway }: { readonly title: string; readonly gateway?: string | undefined }): string {
  return printable(gateway === undefined ? title : `${gateway}: ${title}`);
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
