import type { JsonText } from "../message/json.ts";
import type { Alarm } from "./alarms.ts";
import type { Core } from "./core.ts";
import type { Flights } from "./flights.ts";
import type { OwnQuestions } from "./own-questions.ts";
import { readSessionLimits, type SessionLimits } from "./session-limits.ts";

/** Old servers do not know the question: nothing waits for them for longer. */
const patienceMs = 2000;
const params = '{"timeout":5000}' as JsonText;

export interface LimitsInquiry {
  opened(): void;
  closed(): void;
  /** What other rules were told on the same connection. */
  resumed(told: SessionLimits | undefined): void;
  /** It does not ask any more: the cloud may close connections for it. */
  avoid(): void;
}

/**
 * Asks a cloud that can be asked how much it takes, after each connect. The first time nothing else goes before the answer:
 * attaching all devices at once is what such a cloud would close the connection for.
 */
export function createLimitsInquiry(core: Core, flights: Flights, questions: OwnQuestions): LimitsInquiry {
  let alarm: Alarm | undefined;
  let isAvoided = false;

  return {
    opened() {
      if (core.adapt.calls !== "pass" || isAvoided) return;
      if (core.told === undefined) {
        core.isHeldBack = true;
        alarm = core.alarms.set(core.nowMs + patienceMs, release);
      }
      questions.call("getSessionLimits", params, answered);
    },

    closed: release,

    resumed(told) {
      if (told === undefined) return;
      core.told = told;
      flights.limit(told.inFlight ?? core.options.inFlight);
    },

    avoid() {
      isAvoided = true;
      core.report("warn", "limits-unasked", { why: "the connection was closed each time they were asked for" });
    },
  };

  function answered(data: JsonText | undefined): void {
    const limits = data === undefined ? undefined : readSessionLimits(data);
    if (limits !== undefined) {
      core.told = limits;
      core.pacing.limit(core.nowMs, limits);
      flights.limit(limits.inFlight ?? core.options.inFlight);
      core.report("debug", "limits-told", { ...limits });
    }
    release();
  }

  function release(): void {
    core.isHeldBack = false;
    core.alarms.cancel(alarm);
  }
}
