import type { RankedCause } from "./causes.ts";

/** `ok`; `warn`: works, but not for ever or not as it should; `fail`: does not work; `skip`: not tried, and why. */
export type Outcome = "ok" | "warn" | "fail" | "skip";

/** What a step looks at. */
export interface StepHead {
  /** A stable word, such as `upstream.tls`. */
  readonly id: string;
  /** For people: "TLS". */
  readonly title: string;
  /** The gateway it is about, where it is about one. */
  readonly gateway?: string;
}

/** What it found. None of the texts holds a secret. */
export interface Finding {
  readonly outcome: Outcome;
  /** In a sentence: what was done, and what came of it. */
  readonly found: string;
  /** What else somebody who looks into it wants to know. */
  readonly details?: readonly string[];
  /** What may be the reason, likeliest first. */
  readonly causes?: readonly RankedCause[];
}

export interface Step extends StepHead, Finding {
  readonly durationMs: number;
}

/** Is told of each step as it happens. */
export interface Witness {
  begun?(head: StepHead): void;
  /** A long step goes on: what it does now. */
  progressed?(head: StepHead, doing: string): void;
  ended?(step: Step): void;
}

/** Takes one step after the other and keeps what they found. */
export class Checkup {
  readonly steps: Step[] = [];
  readonly #witness: Witness;

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  /** @param look Says by `doing` what takes long. What it throws is a finding too. */
  async step(head: StepHead, look: (doing: (what: string) => void) => Finding | Promise<Finding>): Promise<Step> {
    this.#witness.begun?.(head);
    const startedMs = performance.now();
    let finding: Finding;
    try {
      finding = await look((what) => this.#witness.progressed?.(head, what));
    } catch (error) {
      finding = { outcome: "fail", found: error instanceof Error ? error.message : "it failed without a word" };
    }
    const step = { ...head, ...finding, durationMs: Math.round(performance.now() - startedMs) };
    this.steps.push(step);
    this.#witness.ended?.(step);
    return step;
  }
}
