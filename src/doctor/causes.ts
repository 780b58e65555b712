import type { Diagnosis, KnownCause, Stage } from "../message/diagnosis.ts";

/** Something that may be the reason of what was found. */
export interface RankedCause {
  /** A stable word, such as `key`. */
  readonly name: string;
  /** `proven`: it was tried out. `likely`: it explains best what was seen. `possible`: it cannot be told apart from that. */
  readonly likelihood: "proven" | "likely" | "possible";
  readonly what: string;
  readonly remedy: string;
  readonly source?: string;
}

/** What trying something out says about a cause. */
export interface Evidence {
  readonly cause: string;
  readonly verdict: "proven" | "favoured" | "excluded";
  /** What was proven, where it is more than the cause itself says. */
  readonly what?: string;
  readonly remedy?: string;
}

export interface Symptom {
  readonly stage: Stage;
  /** What came, in the words of `diagnosis.symptoms`. */
  readonly answer: string;
  readonly evidence?: readonly Evidence[];
}

/** The names of what an answer of this cloud may mean, likeliest first. */
export function suspects({ symptoms }: Diagnosis, { stage, answer }: Symptom): readonly string[] {
  const answers = symptoms.get(stage);
  return answers?.get(answer) ?? answers?.get("default") ?? [];
}

/**
 * Puts in order what an answer may mean: what was proven, alone; else what is favoured by evidence, then the dialect's
 * own order without what is excluded. The first is likely, the others are possible.
 */
export function rankCauses(diagnosis: Diagnosis, symptom: Symptom): readonly RankedCause[] {
  const { evidence = [] } = symptom;
  const proven = evidence.filter(({ verdict }) => verdict === "proven");
  if (proven.length > 0) return proven.flatMap((one) => ranked(diagnosis.causes.get(one.cause), one, "proven"));
  const named = (verdict: Evidence["verdict"]) =>
    evidence.flatMap((one) => (one.verdict === verdict ? [one.cause] : []));
  const excluded = named("excluded");
  const suspected = suspects(diagnosis, symptom);
  const favoured = named("favoured").filter((name) => suspected.includes(name));
  return [...new Set([...favoured, ...suspected])]
    .filter((name) => !excluded.includes(name))
    .flatMap((name, index) =>
      ranked(
        diagnosis.causes.get(name),
        evidence.find(({ cause }) => cause === name) ?? { cause: name },
        index === 0 ? "likely" : "possible",
      ),
    );
}

function ranked(
  known: KnownCause | undefined,
  { cause, what, remedy }: Omit<Evidence, "verdict">,
  likelihood: RankedCause["likelihood"],
): readonly RankedCause[] {
  const words = { what: what ?? known?.what, remedy: remedy ?? known?.remedy };
  if (words.what === undefined || words.remedy === undefined) return [];
  return [
    {
      ...{ name: cause, likelihood, what: words.what, remedy: words.remedy },
      ...(known === undefined ? {} : { source: known.source }),
    },
  ];
}
