import type { Core } from "./core.ts";
import type { Lane } from "./lane.ts";
import type { OwnQuestions, Wanted } from "./own-questions.ts";

/** Well inside the 10 min after which ThingsBoard drops a silent device, without a word (its specification, 5.5). */
const quietMs = 5 * 60_000;
/** The cheapest message there is; the answer does not matter. */
const question: Wanted = { scope: "client", key: "active" };

/** Keeps devices that have nothing to say within reach of a cloud that forgets them otherwise. */
export function createKeepAlive(core: Core, questions: OwnQuestions): { attached(lane: Lane): void } {
  const isNeeded = core.options.upstream.traits.attach === "implied";

  return {
    attached(lane) {
      if (isNeeded && lane.device !== undefined) arm(lane);
    },
  };

  function arm(lane: Lane): void {
    core.alarms.cancel(lane.quietAlarm);
    lane.quietAlarm = core.alarms.set(lane.sentMs + quietMs, () => check(lane));
  }

  function check(lane: Lane): void {
    if (lane.phase !== "attached") return;
    if (core.nowMs >= lane.sentMs + quietMs) {
      lane.sentMs = core.nowMs;
      questions.askAttributes(lane, question, () => undefined);
    }
    arm(lane);
  }
}
