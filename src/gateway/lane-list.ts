import type { Lane } from "./lane.ts";

/** Lanes in the order in which they were added. A lane is in one list at most: its neighbours there are its own members. */
export class LaneList {
  #first: Lane | undefined;
  #last: Lane | undefined;

  get first(): Lane | undefined {
    return this.#first;
  }

  add(lane: Lane): void {
    lane.before = this.#last;
    if (this.#last === undefined) this.#first = lane;
    else this.#last.after = lane;
    this.#last = lane;
  }

  /** Takes out a lane that is in this list. */
  remove(lane: Lane): void {
    const { before, after } = lane;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    lane.before = undefined;
    lane.after = undefined;
  }
}
