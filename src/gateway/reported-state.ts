import type { Fate } from "../message/fate.ts";
import { type JsonText, membersOf, objectText } from "../message/json.ts";
import type { State } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import { type Cargo, type Core, droppedFull, isAfter, type Mark } from "./core.ts";
import type { Dispatch } from "./dispatch.ts";
import { bodyOfValues } from "./document-shape.ts";
import { factName, type Lane } from "./lane.ts";

/** What a device reports about itself, and what of it the upstream has. */
export interface ReportedDocument {
  /** Merged from all changes, exact texts in their order. */
  members: Map<string, JsonText>;
  /** The newest change in `members`. */
  merged: Mark | undefined;
  /** The newest change in what the upstream last acknowledged. */
  published: Mark | undefined;
  /** Reports that the upstream does not have yet, oldest first. */
  readonly pending: Pending[];
  revision: number;
  /** The revision that is under way; 0: none. And the newest change in it. */
  flying: number;
  flyingMark: Mark | undefined;
  flyingMembers: Map<string, JsonText>;
  /** What the upstream acknowledged last; absent where an earlier run left more than that. */
  good: Map<string, JsonText> | undefined;
  /** No earlier than this may the next one go. */
  clearAtMs: number;
  alarm: Alarm | undefined;
}

interface Pending {
  readonly cargo: Cargo;
  readonly revision: number;
  /** The report by itself, where reports are not merged. */
  readonly body: Uint8Array | undefined;
}

const delivered: Fate = { kind: "delivered" };

export interface ReportedStateParts {
  readonly core: Core;
  readonly dispatch: Dispatch;
}

/**
 * Reported state for a cloud that takes whole documents, and not often: changes are merged on arrival, the newest document
 * goes at most once per interval counted from the last acknowledgement, and what it replaced is delivered with it.
 *
 * Merging is safe to repeat: a change read again is not merged again, and an older one never overwrites a newer one.
 */
export class ReportedState {
  readonly #parts: ReportedStateParts;
  readonly #core: Core;

  constructor(parts: ReportedStateParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** Reports are merged into one document, so that a later one may go without the ones before it. */
  get isMerged(): boolean {
    return this.#isMerging && !this.#isAsIs;
  }

  restore(lane: Lane, fact: "reported" | "published", value: string): void {
    const [seq, index, ...text] = value.split(" ");
    const mark = { seq: Number(seq), index: Number(index) };
    const state = this.#of(lane);
    if (fact === "published") state.published = mark;
    else {
      state.merged = mark;
      state.members = membersOf(text.join(" ") as JsonText);
    }
    state.good =
      state.published === undefined || isAfter(state.merged ?? mark, state.published) ? undefined : state.members;
    // The last one may have been published just before the restart. What time it is, the first event will say.
    this.#core.alarms.cancel(state.alarm);
    state.alarm = this.#core.alarms.set(0, () => this.#rest(lane, state));
  }

  /** Merges a report into the document, once: done on arrival, whether or not it is to be queued now. */
  merge(lane: Lane, message: State, mark: Mark): "merged" | "known" | "oversize" {
    if (!this.#isMerging) return "merged";
    const state = this.#of(lane);
    const isNewer = isAfter(mark, state.merged);
    const members = mergeChange(state.members, message.values, isNewer);
    if (members === state.members) {
      if (isNewer) state.merged = mark;
      return isNewer ? "merged" : "known";
    }
    const document = objectText(members);
    if (Buffer.byteLength(document) > this.#maxBytes) return "oversize";
    state.members = members;
    if (isNewer) state.merged = mark;
    const { seq, index } = state.merged ?? mark;
    this.#core.store(`reported/${factName(lane)}`, `${seq} ${index} ${document}`);
    return "merged";
  }

  /** Queues a merged report for the upstream. */
  add(lane: Lane, message: State, cargo: Cargo, merge: "merged" | "known" | "oversize"): void {
    const state = this.#of(lane);
    if (merge === "oversize") {
      this.#refuse(lane, cargo);
      return;
    }
    if (merge === "known" && !this.#isAsIs && !isAfter(cargo, state.published)) {
      this.#core.settle(cargo, delivered);
      return;
    }
    const body =
      this.#isMerging && !this.#isAsIs
        ? undefined
        : (message.body ?? bodyOfValues(message.values ?? ("{}" as JsonText)));
    if (body !== undefined && body.length > this.#maxBytes) {
      this.#refuse(lane, cargo);
      return;
    }
    state.revision += 1;
    state.pending.push({ cargo, revision: state.revision, body });
    this.#parts.dispatch.wake(lane);
  }

  isDue(lane: Lane): boolean {
    const { state } = lane;
    return state !== undefined && state.flying === 0 && state.pending.length > 0 && state.clearAtMs <= this.#core.nowMs;
  }

  /** The body to publish now and the revision it stands for. */
  next(lane: Lane): { readonly body: Uint8Array; readonly revision: number } {
    const state = this.#of(lane);
    const sent = this.#isAsIs ? state.pending[0] : state.pending.at(-1);
    state.flying = sent?.revision ?? state.revision;
    state.flyingMark = this.#isAsIs ? sent?.cargo : state.merged;
    state.flyingMembers = state.members;
    const body = sent?.body ?? bodyOfValues(objectText(state.members));
    return { body, revision: state.flying };
  }

  acknowledged(lane: Lane, revision: number): void {
    const state = this.#of(lane);
    const covered = state.pending.findIndex((pending) => pending.revision > revision);
    const published = state.pending.splice(0, covered === -1 ? state.pending.length : covered);
    const mark = state.flyingMark;
    state.good = state.flyingMembers;
    if (this.#isMerging && mark !== undefined && isAfter(mark, state.published)) {
      state.published = { seq: mark.seq, index: mark.index };
      this.#core.store(`published/${factName(lane)}`, `${mark.seq} ${mark.index}`);
    }
    for (const { cargo } of published) this.#core.settle(cargo, delivered);
    this.#rest(lane, state);
  }

  /** The publish was lost or taken back. */
  returned(lane: Lane): void {
    this.#rest(lane, this.#of(lane));
  }

  /** The document of this revision will never do: the last good one stays, with what was reported since. */
  condemn(lane: Lane, revision: number, fate: Fate): void {
    const state = this.#of(lane);
    const isOfIt = (pending: Pending) =>
      this.#isMerging && !this.#isAsIs ? pending.revision <= revision : pending.revision === revision;
    const others = state.pending.filter((pending) => !isOfIt(pending));
    for (const pending of state.pending.splice(0, state.pending.length, ...others)) {
      if (isOfIt(pending)) this.#core.settle(pending.cargo, fate);
    }
    if (this.#isMerging && !this.#isAsIs) this.#revert(lane, state);
    this.#rest(lane, state);
  }

  /** Gives everything that waits this fate instead. */
  giveUp(lane: Lane, fate: Fate): void {
    for (const { cargo } of lane.state?.pending.splice(0) ?? []) this.#core.settle(cargo, fate);
  }

  /** Records whose reports are in the publish under way. */
  sending(lane: Lane): readonly number[] {
    const { state } = lane;
    if (state === undefined || state.flying === 0) return [];
    return state.pending.filter(({ revision }) => revision <= state.flying).map(({ cargo }) => cargo.seq);
  }

  /** Takes out the reports of these records. What they said stays merged: it goes with what is reported next. */
  withdraw(lane: Lane, seqs: ReadonlySet<number>): void {
    const { state } = lane;
    if (state === undefined || !state.pending.some(({ cargo }) => seqs.has(cargo.seq))) return;
    for (const pending of state.pending.splice(0)) {
      if (seqs.has(pending.cargo.seq)) this.#core.settle(pending.cargo, droppedFull);
      else state.pending.push(pending);
    }
  }

  get #intervalMs() {
    return Math.max(this.#core.options.rules.state.interval, this.#core.options.upstream.limits.stateIntervalMs ?? 0);
  }

  get #maxBytes() {
    return this.#core.options.upstream.limits.stateBytes ?? Number.POSITIVE_INFINITY;
  }

  get #isMerging() {
    return this.#core.adapt.state === "merge";
  }

  get #isAsIs() {
    return this.#isMerging && this.#core.options.rules.state.mode === "as-is";
  }

  #of(lane: Lane): ReportedDocument {
    lane.state ??= {
      members: new Map(),
      merged: undefined,
      published: undefined,
      pending: [],
      revision: 0,
      flying: 0,
      flyingMark: undefined,
      flyingMembers: new Map(),
      good: new Map(),
      clearAtMs: 0,
      alarm: undefined,
    };
    return lane.state;
  }

  /** Takes what was condemned out of the document again. */
  #revert(lane: Lane, state: ReportedDocument): void {
    const { good, flyingMembers, members } = state;
    if (good === undefined) return;
    state.members = new Map(good);
    for (const [key, value] of members) if (flyingMembers.get(key) !== value) state.members.set(key, value);
    if (state.merged === undefined) return;
    const { seq, index } = state.merged;
    this.#core.store(`reported/${factName(lane)}`, `${seq} ${index} ${objectText(state.members)}`);
  }

  /** The cloud counts the interval from its acknowledgement. */
  #rest(lane: Lane, state: ReportedDocument): void {
    state.flying = 0;
    state.clearAtMs = this.#core.nowMs + this.#intervalMs;
    this.#core.alarms.cancel(state.alarm);
    state.alarm = this.#core.alarms.set(state.clearAtMs, () => this.#parts.dispatch.wake(lane));
  }

  #refuse(lane: Lane, cargo: Cargo): void {
    const reason = "oversize";
    this.#core.report("warn", "state-oversize", { device: lane.device, maxBytes: this.#maxBytes });
    if (lane.device === undefined) {
      this.#core.settle(cargo, { kind: "quarantined", reason });
      return;
    }
    if (!lane.hasHeld) this.#core.store(`waiting/${factName(lane)}`, reason);
    lane.hasHeld = true;
    lane.heldAgain += 1;
    this.#core.settle(cargo, { kind: "held", device: lane.device, reason });
  }
}

/** The members with a change in them; the same map if it changes nothing. An older change only adds what is not there. */
function mergeChange(
  members: Map<string, JsonText>,
  change: JsonText | undefined,
  isNewer: boolean,
): Map<string, JsonText> {
  if (change === undefined) return members;
  let merged = members;
  for (const [key, value] of membersOf(change)) {
    // ThingsBoard drops null: an attribute cannot be deleted that way.
    if (value === "null" || merged.get(key) === value || (!isNewer && merged.has(key))) continue;
    if (merged === members) merged = new Map(members);
    merged.set(key, value);
  }
  return merged;
}
