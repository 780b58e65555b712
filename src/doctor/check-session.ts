import type { BoundDialect } from "../dialect/dialect.ts";
import type { Diagnosis, Stage } from "../message/diagnosis.ts";
import { type JsonText, kindOf, membersOf } from "../message/json.ts";
import type { CallResult } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import { type Evidence, rankCauses } from "./causes.ts";
import type { Finding } from "./checkup.ts";
import { type Ending, Probe, type ProbeOptions, patienceMs, within } from "./probe.ts";

/** How often it is looked whether a connection is taken over. */
const mostLooks = 3;
const limitsMs = 3000;

/** Subscribes as the bridge does, but for commands: whoever sent one now would take it for delivered. */
export async function subscribe(probe: Probe, bound: BoundDialect): Promise<Finding> {
  const { diagnosis } = bound.dialect;
  const subscriptions = [...bound.filtersFor("error"), ...bound.filtersFor("config")];
  const filters = subscriptions.map(({ filter }) => filter).join(", ");
  if (subscriptions.length === 0) return { outcome: "ok", found: "there is nothing to subscribe to" };
  const answer = await within<readonly number[] | Ending>(patienceMs, probe.subscribe(subscriptions), probe.ended);
  const failed = (found: string, word: string): Finding => ({
    ...{ outcome: "fail", found, details: [`asked for ${filters}`] },
    causes: rankCauses(diagnosis, { stage: "subscribe", answer: word }),
  });
  if (answer === undefined) return failed(`no SUBACK within ${patienceMs / 1000} s`, "silent");
  if ("reason" in answer) return failed(answer.detail, answer.reason);
  const refused = subscriptions.filter((_, index) => (answer[index] ?? 0x80) >= 0x80);
  if (refused.length === 0) return { outcome: "ok", found: `granted: ${filters}` };
  return failed(`refused: ${refused.map(({ filter }) => filter).join(", ")}`, "refused");
}

/** The question what is allowed, where this cloud knows it. */
export function limitsQuestion(bound: BoundDialect): Packet | undefined {
  const params = '{"timeout":5000}' as JsonText;
  const encoded = bound.encode({ kind: "call", id: 1, method: "getSessionLimits", params });
  return encoded.kind === "packet" ? encoded.packet : undefined;
}

/** Asks it: the answer says whether the cloud has this device as a gateway. */
export async function askLimits(probe: Probe, bound: BoundDialect, question: Packet): Promise<Finding> {
  const because = (stage: Stage, answer: string) => rankCauses(bound.dialect.diagnosis, { stage, answer });
  const heard = probe.heard((packet) => resultIn(bound, packet));
  void probe.publish(question);
  const result = await within<CallResult | Ending>(limitsMs, heard, probe.ended);
  if (result === undefined) {
    const found = `no answer to the question for its limits within ${limitsMs / 1000} s`;
    return { outcome: "warn", found, causes: because("limits", "silent") };
  }
  if ("detail" in result) return { outcome: "fail", found: result.detail, causes: because("stay", result.reason) };
  const members: ReadonlyMap<string, JsonText> = kindOf(result.data) === "object" ? membersOf(result.data) : new Map();
  if (!members.has("gatewayRateLimits") && members.has("rateLimits")) {
    return {
      outcome: "fail",
      found: "the cloud told limits for a plain device, and none for a gateway",
      details: [result.data],
      causes: because("limits", "plainDevice"),
    };
  }
  const isGateway = members.has("gatewayRateLimits");
  const found = isGateway ? "the cloud has it as a gateway, and told its limits" : "the cloud told no limits";
  return { outcome: "ok", found, details: [result.data] };
}

function resultIn(bound: BoundDialect, packet: Packet): CallResult | undefined {
  const decoded = bound.decode("down", packet);
  if (decoded.kind !== "messages") return undefined;
  return decoded.messages.find((message) => message.kind === "callResult");
}

export interface StayOptions {
  readonly probe: Probe;
  /** Connects once more. */
  readonly again: () => Promise<ProbeOptions>;
  readonly diagnosis: Diagnosis;
  /** How long nothing may happen. */
  readonly holdMs: number;
  readonly doing: (what: string) => void;
}

/** Holds the connection without a word: whoever else has the same identity takes it over, and again after it was taken back. */
export async function stay({ probe, again, diagnosis, holdMs, doing }: StayOptions): Promise<Finding> {
  const said: string[] = [];
  let live = probe;
  try {
    for (let look = 1; look <= mostLooks; look++) {
      doing(`holding the connection for ${holdMs / 1000} s`);
      const startedMs = performance.now();
      const ending = await within(holdMs, live.ended);
      if (ending === undefined) {
        if (said.length === 0) return { outcome: "ok", found: `nothing else took it over within ${holdMs / 1000} s` };
        return ended(said, diagnosis, { answer: "closed", isCertain: false });
      }
      said.push(`closed after ${Math.round(performance.now() - startedMs)} ms: ${ending.detail}`);
      if (ending.reason === "identity-conflict" || look === mostLooks) {
        return ended(said, diagnosis, { answer: ending.reason, isCertain: true });
      }
      if (ending.reason !== "closed" && ending.reason !== "reset") {
        return ended(said, diagnosis, { answer: ending.reason, isCertain: false });
      }
      live = new Probe(await again());
      const refusal = await live.opened;
      if (refusal !== undefined)
        return ended([...said, refusal.detail], diagnosis, { answer: "closed", isCertain: true });
    }
    throw new Error("Cannot get here: the last look always ends");
  } finally {
    if (live !== probe) await live.end();
  }
}

function ended(
  said: readonly string[],
  diagnosis: Diagnosis,
  { answer, isCertain }: { readonly answer: string; readonly isCertain: boolean },
): Finding {
  const evidence: readonly Evidence[] = isCertain ? [{ cause: "duplicate", verdict: "favoured" }] : [];
  const times = said.length === 1 ? "once" : `${said.length} times`;
  return {
    outcome: "fail",
    found: `the cloud closed the connection ${times} while nothing was sent on it`,
    details: said,
    causes: rankCauses(diagnosis, { stage: "stay", answer, evidence }),
  };
}
