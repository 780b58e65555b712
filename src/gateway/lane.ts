import type { DeviceId, UpMessage } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Collected } from "./collected-configuration.ts";
import type { DesiredDocument } from "./configuration.ts";
import type { Cargo } from "./core.ts";
import { Fifo } from "./fifo.ts";
import type { KeptDocument } from "./kept-configuration.ts";
import type { OwnQuestion } from "./own-questions.ts";
import type { ReportedDocument } from "./reported-state.ts";

/** How far a device is on its way into reach of the upstream. `pausing`: it will be tried again after a while. */
export type Phase =
  | "detached"
  | "attaching"
  | "settling"
  | "subscribing"
  | "attached"
  | "pausing"
  | "held"
  | "detaching";

/** Something for the upstream that has not gone yet. */
export interface Waiting {
  readonly message: UpMessage;
  /** It is in the upstream's terms already, and goes as it is. */
  readonly isReady: boolean;
  /** It must not share a publish: one that it shared was refused. */
  readonly isAlone: boolean;
  /** About how large it is, for pacing. */
  readonly bytes: number;
  /** The message of the spool that it is, or is a part of. */
  readonly cargo: Cargo | undefined;
  /** The open command that it answers. */
  readonly command: number | undefined;
}

/** Everything about one device, or about the gateway itself (`device` absent). */
export interface Lane {
  readonly device: DeviceId | undefined;
  /** The upstream's id; absent for the gateway itself, and where none can be made. */
  id: DeviceId | undefined;
  /** The id that the cloud gave it while it was attached under another; it holds from the next attach on. */
  nextId: DeviceId | undefined;
  /** Why it has no id, or must not have the one it would. */
  problem: string | undefined;

  phase: Phase;
  /** It counts as attached: it is attached again after every reconnect. */
  isKnown: boolean;
  profile: string | undefined;
  /** Something other than waiting messages asks for it to be attached. */
  isWanted: boolean;
  /** To be detached once nothing waits. */
  isLeaving: boolean;
  tries: number;
  /** Since when it has been tried in vain. */
  stuckSinceMs: number | undefined;
  /** Since when the cloud will not have it, attempts to attach it again in between included. */
  heldSinceMs: number | undefined;
  /** How often in a row it was detached by errors, and when last. */
  losses: number;
  lostMs: number | undefined;
  hasResubscribed: boolean;
  reason: string | undefined;
  alarm: Alarm | undefined;

  readonly replies: Fifo<Waiting>;
  readonly data: Fifo<Waiting>;
  /** What we have to ask the cloud about it. */
  questions: Fifo<OwnQuestion> | undefined;
  /** Unacknowledged publishes, and when the last one went. */
  flying: number;
  sentMs: number;
  quietAlarm: Alarm | undefined;
  /** Disconnects that wait in `data`, and ones still unread in the spool. */
  detaches: number;
  unreadDetaches: number;
  waitingBytes: number;

  /** Older messages are held or parked in the spool; new ones queue up behind them there. */
  isStored: boolean;
  /** Single messages are held though the device is fine. */
  hasHeld: boolean;
  /** Messages still to come of a recall under way; 0: none is. */
  recalling: number;
  storedSinceRecall: boolean;
  /** Messages of the last recall that went straight back to being held. */
  heldAgain: number;
  recallAlarm: Alarm | undefined;

  state: ReportedDocument | undefined;
  config: DesiredDocument | undefined;
  collected: Collected | undefined;
  kept: KeptDocument | undefined;
  lastSeenMs: number | undefined;
  /** The list of lanes with something to send that it is in; 0: none. Its neighbours there. */
  rank: number;
  before: Lane | undefined;
  after: Lane | undefined;
}

export function createLane(device: DeviceId | undefined): Lane {
  return {
    device,
    id: undefined,
    nextId: undefined,
    problem: undefined,
    phase: device === undefined ? "attached" : "detached",
    isKnown: false,
    profile: undefined,
    isWanted: false,
    isLeaving: false,
    tries: 0,
    stuckSinceMs: undefined,
    heldSinceMs: undefined,
    losses: 0,
    lostMs: undefined,
    hasResubscribed: false,
    reason: undefined,
    alarm: undefined,
    replies: new Fifo(),
    data: new Fifo(),
    questions: undefined,
    flying: 0,
    sentMs: 0,
    quietAlarm: undefined,
    detaches: 0,
    unreadDetaches: 0,
    waitingBytes: 0,
    isStored: false,
    hasHeld: false,
    recalling: 0,
    storedSinceRecall: false,
    heldAgain: 0,
    recallAlarm: undefined,
    state: undefined,
    config: undefined,
    collected: undefined,
    kept: undefined,
    lastSeenMs: undefined,
    rank: 0,
    before: undefined,
    after: undefined,
  };
}

/** The name under which a lane's facts are kept; no device has the empty name. */
export function factName(lane: Lane): string {
  return lane.device ?? "";
}

/** Whether the lane has something that has to reach the upstream, or is on its way there. */
export function isQuiet(lane: Lane): boolean {
  return lane.flying === 0 && lane.replies.length === 0 && (lane.state?.pending.length ?? 0) === 0;
}
