import type { JsonText } from "../message/json.ts";
import type { Alarm } from "./alarms.ts";
import type { Core } from "./core.ts";
import type { Flights } from "./flights.ts";
import type { OwnQuestions } from "./own-questions.ts";
import { readSessionLimits, type SessionLimits } from "./session-limits.ts";

/** Old servers do not know the question: nothing waits for them for longer. */
const patienceMs = 2000;
const params = '{"timeout":5000}' as JsonText;

export interface LimitsInquiryParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly questions: OwnQuestions;
}

/**
 * Asks a cloud that can be asked how much it takes, after each connect. The first time nothing else goes before the answer:
 * attaching all devices at once is what such a cloud would close the connection for.
 */
export class LimitsInquiry {
  readonly #parts: LimitsInquiryParts;
  readonly #core: Core;
  #alarm: Alarm | undefined;
  #isAvoided = false;

  constructor(parts: LimitsInquiryParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  opened(): void {
    if (this.#core.adapt.calls !== "pass" || this.#isAvoided) return;
    if (this.#core.told === undefined) {
      this.#core.isHeldBack = true;
      this.#alarm = this.#core.alarms.set(this.#core.nowMs + patienceMs, () => this.#release());
    }
    this.#parts.questions.call("getSessionLimits", params, (data) => this.#answered(data));
  }

  closed(): void {
    this.#release();
  }

  /** What other rules were told on the same connection. */
  resumed(told: SessionLimits | undefined): void {
    if (told === undefined) return;
    this.#core.told = told;
    this.#parts.flights.limit(told.inFlight ?? this.#core.options.inFlight);
  }

  /** It does not ask any more: the cloud may close connections for it. */
  avoid(): void {
    this.#isAvoided = true;
    this.#core.report("warn", "limits-unasked", { why: "the connection was closed each time they were asked for" });
  }

  #answered(data: JsonText | undefined): void {
    const limits = data === undefined ? undefined : readSessionLimits(data);
    if (limits !== undefined) {
      this.#core.told = limits;
      this.#core.pacing.limit(this.#core.nowMs, limits);
      this.#parts.flights.limit(limits.inFlight ?? this.#core.options.inFlight);
      this.#core.report("debug", "limits-told", { ...limits });
    }
    this.#release();
  }

  #release(): void {
    this.#core.isHeldBack = false;
    this.#core.alarms.cancel(this.#alarm);
  }
}
