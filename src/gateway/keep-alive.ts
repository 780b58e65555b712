import type { Core } from "./core.ts";
import type { Lane } from "./lane.ts";
import type { OwnQuestions, Wanted } from "./own-questions.ts";

/** Well inside the 10 min after which ThingsBoard drops a silent device, without a word (its specification, 5.5). */
const quietMs = 5 * 60_000;
/** The cheapest message there is; the answer does not matter. */
const question: Wanted = { scope: "client", key: "active" };

export interface KeepAliveParts {
  readonly core: Core;
  readonly questions: OwnQuestions;
}

/** Keeps devices that have nothing to say within reach of a cloud that forgets them otherwise. */
export class KeepAlive {
  readonly #parts: KeepAliveParts;
  readonly #core: Core;

  constructor(parts: KeepAliveParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  attached(lane: Lane): void {
    if (this.#isNeeded && lane.device !== undefined) this.#arm(lane);
  }

  get #isNeeded() {
    return this.#core.options.upstream.traits.attach === "implied";
  }

  #arm(lane: Lane): void {
    this.#core.alarms.cancel(lane.quietAlarm);
    lane.quietAlarm = this.#core.alarms.set(lane.sentMs + quietMs, () => this.#check(lane));
  }

  #check(lane: Lane): void {
    if (lane.phase !== "attached") return;
    if (this.#core.nowMs >= lane.sentMs + quietMs) {
      lane.sentMs = this.#core.nowMs;
      this.#parts.questions.askAttributes(lane, question, () => undefined);
    }
    this.#arm(lane);
  }
}
