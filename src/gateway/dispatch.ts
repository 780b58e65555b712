import type { Alarm } from "./alarms.ts";
import type { Core } from "./core.ts";
import type { Flights } from "./flights.ts";
import type { Lane } from "./lane.ts";
import { LaneList } from "./lane-list.ts";
import type { Use } from "./quota.ts";

/** The one packet that a lane would send next. `attachIdle`: nothing waits for it, so it can wait itself. */
export type Step = "subscribe" | "reply" | "question" | "state" | "data" | "detach" | "attach" | "attachIdle";

/** What a lane would do next, what that costs, and doing it. */
export interface Steps {
  next(lane: Lane): Step | undefined;
  bytes(lane: Lane, step: Step): number;
  /** Asked for where limits are told by what a message is. */
  use(lane: Lane, step: Step): Use | undefined;
  perform(lane: Lane, step: Step): void;
}

export interface DispatchParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly departures: Steps;
}

const ranks = { subscribe: 1, reply: 2, question: 2, state: 3, data: 3, detach: 3, attach: 4, attachIdle: 5 } as const;

/**
 * Decides whose turn it is. Subscriptions of devices just attached go first, they are what an attach is for; then replies; then one
 * packet per device in turn, with attaches for devices that have something to say in every other place. Owns the
 * lists of lanes that have something to send.
 */
export class Dispatch {
  readonly #core: Core;
  readonly #flights: Flights;
  readonly #steps: Steps;
  /** By rank; made once there is a lane to be listed. */
  #lists: readonly LaneList[] | undefined;
  /** Lanes listed in all, and those of them whose device is attached. */
  #listed = 0;
  #sending = 0;
  #isAttachTurn = false;
  #alarm: Alarm | undefined;

  constructor({ core, departures, flights }: DispatchParts) {
    this.#core = core;
    this.#flights = flights;
    this.#steps = departures;
  }

  /** Nobody waits: who comes now may send at once. */
  get isIdle(): boolean {
    return this.#sending === 0;
  }

  /** Something about the lane has changed: it may have something to send, or something more urgent. */
  wake(lane: Lane): void {
    const step = this.#core.isUpstreamOpen ? this.#steps.next(lane) : undefined;
    const rank = step === undefined ? 0 : ranks[step];
    if (rank !== lane.rank) this.#list(lane, rank);
  }

  /** Sends what may go now. */
  pump(): void {
    const core = this.#core;
    while (this.#listed > 0 && core.isUpstreamOpen && !core.isHeldBack && !core.isNarrowing) {
      const lane = this.#pick();
      if (lane === undefined) return;
      const step = this.#steps.next(lane);
      if (step === undefined || ranks[step] !== lane.rank) {
        this.wake(lane);
        continue;
      }
      const bytes = this.#steps.bytes(lane, step);
      const use = core.pacing.isMetered ? this.#steps.use(lane, step) : undefined;
      if (!core.pacing.take(core.nowMs, bytes, use)) {
        this.#sleep(core.pacing.readyAtMs(core.nowMs, bytes, use));
        return;
      }
      this.#list(lane, 0);
      this.#isAttachTurn = step === "data" || step === "state";
      this.#steps.perform(lane, step);
      this.wake(lane);
    }
  }

  #list(lane: Lane, rank: number): void {
    if (lane.rank > 0) {
      this.#lists?.[lane.rank]?.remove(lane);
      this.#listed -= 1;
      if (lane.rank < ranks.attach) this.#sending -= 1;
    }
    lane.rank = rank;
    if (rank === 0) return;
    this.#lists ??= [0, 1, 2, 3, 4, 5].map(() => new LaneList());
    this.#lists[rank]?.add(lane);
    this.#listed += 1;
    if (rank < ranks.attach) this.#sending += 1;
  }

  #pick(): Lane | undefined {
    if (this.#lists === undefined) return undefined;
    const [, subscribing, replying, ready, attaching, idle] = this.#lists;
    const subscriber = subscribing?.first;
    if (subscriber !== undefined) return subscriber;
    if (!this.#flights.hasRoom) return undefined;
    const replier = replying?.first;
    if (replier !== undefined) return replier;
    const sender = ready?.first;
    const attacher = this.#flights.hasRoomToAttach ? (attaching?.first ?? idle?.first) : undefined;
    return this.#isAttachTurn ? (attacher ?? sender) : (sender ?? attacher);
  }

  #sleep(untilMs: number): void {
    if (this.#alarm?.isLive === true && this.#alarm.atMs <= untilMs) return;
    this.#core.alarms.cancel(this.#alarm);
    this.#alarm = this.#core.alarms.set(untilMs, () => undefined); // every turn ends with a pump
  }
}
