import type { RepairOutcome, WaitingMessage } from "../message/repair.ts";
import { postJson } from "./api.ts";
import { plural } from "./format.ts";
import type { WaitingFilter } from "./use-waiting.ts";

export type Treatment = "retry" | "discard";

/** What came of it, in a sentence or two. */
export interface Told {
  readonly grade: "good" | "warn" | "bad";
  readonly text: string;
}

/** How much one request treats; the server's own bound. */
const stepSize = 1000;

/** Retries or discards one message, or all that the filter fits. Fails with words, not with an exception. */
export async function treatWaiting(treatment: Treatment, what: WaitingMessage | WaitingFilter): Promise<Told> {
  const filter = "id" in what ? { gateway: what.gateway, id: what.id } : what;
  try {
    return inWords(treatment, await treatAll(treatment, filter));
  } catch (error) {
    return { grade: "bad", text: `Cannot ${treatment}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Goes through all that fits, step by step, and adds up what became of it. */
async function treatAll(treatment: Treatment, filter: object): Promise<RepairOutcome> {
  const said = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
  const wanted = Object.keys(said).length === 0 ? { all: true } : said;
  let total: RepairOutcome = { done: 0, kept: 0, examples: [], idle: [] };
  for (let after: string | undefined; ; ) {
    const body = { ...wanted, limit: stepSize, ...(after === undefined ? {} : { after }) };
    const { next, ...step } = await postJson<RepairOutcome>(`spool/${treatment}`, body);
    total = {
      done: total.done + step.done,
      kept: total.kept + step.kept,
      examples: [...total.examples, ...step.examples],
      idle: [...new Set([...total.idle, ...step.idle])],
    };
    if (next === undefined) return total;
    after = next;
  }
}

function inWords(treatment: Treatment, { done, kept, examples, idle }: RepairOutcome): Told {
  const did = treatment === "retry" ? "tried again" : "discarded";
  const sentences = [`${plural(done, "message")} ${did}.`];
  if (kept > 0) {
    sentences.push(`${plural(kept, "message")} left as they were: ${examples[0]?.reason ?? "no reason given"}.`);
  }
  if (idle.length > 0) sentences.push(`Not configured, so waiting: ${idle.join(", ")}.`);
  return { grade: done > 0 && kept === 0 ? "good" : "warn", text: sentences.join(" ") };
}
