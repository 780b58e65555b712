import type { Fate, MessageRef } from "../message/fate.ts";
import type { LogEvent, LogLevel } from "../message/log.ts";
import type { DeviceId, DownMessage, MessageKind, UpMessage } from "../message/message.ts";
import type { DeviceStatus } from "../message/status.ts";
import type { Limits } from "../message/traits.ts";
import type { RulesOptions } from "./options.ts";
import type { Pacing } from "./pacing.ts";
import type { SessionLimits } from "./session-limits.ts";

/** How an attempt to give the local gateway a message ended. */
export type DeliveryOutcome =
  | "acknowledged"
  | "written"
  | "offline"
  | "unsubscribed"
  | "rejected"
  /** The local dialect cannot print it. */
  | "unrepresentable";

/** What the local gateway hears through a subscription; `device` absent: the gateway itself. */
export interface Heard {
  readonly kind: MessageKind;
  readonly device?: DeviceId;
}

/** What rules know of the live connections and no fact on disk says, for the rules that take their place. */
export interface Carried {
  readonly local: CarriedLocal;
  /** Absent: there is none, or nobody knows yet how much it takes. */
  readonly upstream?: CarriedUpstream;
}

export interface CarriedLocal {
  /** The devices attached on it, each with the name that the gateway last used. */
  readonly attached: readonly (readonly [DeviceId, DeviceId])[];
  /** Questions that the cloud has been asked, and the connection each came on. */
  readonly asked: readonly (readonly [string, number])[];
}

export interface CarriedUpstream {
  /** Ids of the devices that are attached on it and subscribed to. */
  readonly attached: ReadonlySet<DeviceId>;
  /** What the cloud said that it takes. */
  readonly told: SessionLimits | undefined;
  readonly pacing: Pacing;
  /** The limits that it was made for. */
  readonly limits: Limits;
  /** How configurations that came on it were read. */
  readonly config: RulesOptions["config"];
}

/** A journaled packet: its place in the spool, when it came, and which of its messages have no fate yet. */
export interface ArrivedRecord {
  readonly seq: number;
  readonly arrivedMs: number;
  isOpen(index: number): boolean;
}

/** What happens around a gateway. */
export type GatewayEvent =
  /** A journaled packet. Each of its messages that is open gets exactly one `settle`, now or later. */
  | {
      readonly kind: "arrived";
      readonly record: ArrivedRecord;
      /** Of its payload. */
      readonly bytes: number;
      /** The connection it came on; absent once it is read back from the spool, unless other rules had it until now. */
      readonly connection: number | undefined;
      readonly messages: readonly UpMessage[];
      /** `false`: only do what is done on arrival; the record comes again, with `true`, when its turn is there. */
      readonly queue: boolean;
    }
  /**
   * All that was in the spool at the start has come as `arrived`. What is held and parked there is asked for only then, and
   * what is reported is merged ahead of its turn only then.
   */
  | { readonly kind: "caughtUp" }
  /** One message of the answer to `recall`, in order. */
  | {
      readonly kind: "recalled";
      readonly seq: number;
      readonly arrivedMs: number;
      readonly index: number;
      readonly message: UpMessage;
    }
  /** Nothing more of the device is held or parked. Comes after the last `recalled` when fewer than `limit` were found. */
  | { readonly kind: "recallEnded"; readonly device: DeviceId }
  /** With `carried`, the connection was there already, and other rules had it until now. */
  | { readonly kind: "localConnected"; readonly connection: number; readonly carried?: CarriedLocal }
  /** The local gateway has subscribed; `heard` says to what, also where it had before. */
  | { readonly kind: "localSubscribed"; readonly connection: number; readonly heard?: readonly Heard[] }
  /** A packet about an exchange that there is not, named as in MQTT. */
  | { readonly kind: "localStray"; readonly connection: number; readonly type: string; readonly packetId: number }
  | { readonly kind: "localDisconnected"; readonly connection: number }
  /** With `carried`, the connection was there already, and other rules had it until now. */
  | { readonly kind: "upstreamOpened"; readonly carried?: CarriedUpstream }
  | { readonly kind: "upstreamClosed"; readonly reason: string; readonly unacknowledged: readonly number[] }
  /** A PUBACK; `code` is the MQTT 5 reason, 0 in 3.1.1. */
  | { readonly kind: "acknowledged"; readonly token: number; readonly code: number }
  /** The upstream dialect cannot print what was to be published. */
  | { readonly kind: "unsendable"; readonly token: number; readonly reason: string }
  | { readonly kind: "subscribed"; readonly token: number; readonly codes: readonly number[] }
  /** From the upstream. `inbound` is absent at QoS 0; `about` is the publish that an error names, where that is known. */
  | {
      readonly kind: "received";
      readonly message: DownMessage;
      readonly inbound: number | undefined;
      readonly about?: number;
    }
  | { readonly kind: "delivered"; readonly token: number; readonly outcome: DeliveryOutcome }
  /** The spool had no room left for these records, of which nothing is being sent: what waits of them goes no further. */
  | { readonly kind: "withdrawn"; readonly seqs: ReadonlySet<number> }
  /** The disk did not take this record, after its messages had come: the gateway is refused, and sends them again. */
  | { readonly kind: "refused"; readonly seq: number }
  /** Try held devices again: one, or all. */
  | { readonly kind: "retry"; readonly device?: DeviceId }
  | { readonly kind: "tick" }
  /** The program is about to end: what is under way is finished, nothing new is begun that can wait. */
  | { readonly kind: "draining" };

/** What the bridge should do, in order. Message names are those of the side the message goes to. */
export type GatewayEffect =
  /** To the upstream at QoS 1. Answered by `acknowledged`, `unsendable` or `upstreamClosed`. `isQuestion`: it is ours, nobody sent it. */
  | { readonly kind: "publish"; readonly token: number; readonly message: UpMessage; readonly isQuestion?: true }
  | {
      readonly kind: "subscribe";
      readonly token: number;
      readonly device?: DeviceId;
      /** For all devices at once, where the cloud's topics do not name them. */
      readonly isForAll?: true;
      readonly kinds: readonly MessageKind[];
    }
  | { readonly kind: "unsubscribe"; readonly device?: DeviceId; readonly kinds: readonly MessageKind[] }
  /** To the local gateway; with `connection`, to that connection only. Answered by `delivered`. */
  | {
      readonly kind: "deliver";
      readonly token: number;
      readonly message: DownMessage;
      readonly connection?: number;
      /** It must not be sent before what was stored is on disk: what the gateway does about it refers to that. */
      readonly isAfterFacts?: true;
    }
  /** The local gateway hears nothing more of these devices until it subscribes again. */
  | { readonly kind: "revoke"; readonly devices: readonly DeviceId[] }
  /** PUBACK to the upstream, once what was stored is on disk. */
  | { readonly kind: "acknowledge"; readonly inbound: number }
  /** The answer to this publish is not waited for any more. */
  | { readonly kind: "forget"; readonly token: number }
  /** Ends the connection, or the time until the next attempt, and waits as long as `reason` says. `detail` is for people. */
  | { readonly kind: "reconnect"; readonly reason: string; readonly detail?: string }
  | { readonly kind: "settle"; readonly ref: MessageRef & { readonly arrivedMs: number }; readonly fate: Fate }
  /** A fact to keep on disk, together with the settles of the turn; `undefined` removes it. */
  | { readonly kind: "store"; readonly key: string; readonly value: string | undefined }
  /** Asks for the oldest held and parked messages of a device. */
  | { readonly kind: "recall"; readonly device: DeviceId; readonly limit: number }
  | {
      readonly kind: "countDown";
      readonly event: "received" | "delivered" | "dropped";
      readonly count: number;
      readonly reason?: string;
    }
  | {
      readonly kind: "report";
      readonly level: LogLevel;
      readonly event: LogEvent;
      readonly fields: Readonly<Record<string, unknown>>;
    };

/** What to answer a packet, and what of it to journal. */
export interface Admission {
  readonly verdict:
    | { readonly kind: "acknowledge" }
    | { readonly kind: "reject"; readonly code: number }
    /** No answer, and the connection stays. */
    | { readonly kind: "silence" }
    | { readonly kind: "close"; readonly code?: number };
  /** `false`: the packet is not kept; `fates` says what its messages count as. */
  readonly journal: boolean;
  /** How many messages the packet counts as. */
  readonly count: number;
  /** What is decided already, by index. */
  readonly fates: ReadonlyMap<number, Fate>;
  readonly priority: "data" | "reply";
  /** To be done before the answer is given. */
  readonly effects?: readonly GatewayEffect[];
  /** Nothing is decided yet: that depends on this token, which is to be checked before the packet is admitted again. */
  readonly verify?: { readonly device: DeviceId; readonly token: string };
}

/** How a packet came, where the cloud of the local side looks at more than what it means. */
export interface Arrival {
  readonly protocol: 3 | 4 | 5;
  readonly connection: number;
  readonly nowMs: number;
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  /** 0 at QoS 0. */
  readonly packetId: number;
  /** Of its payload. */
  readonly bytes: number;
  /** What became of the token that had to be checked. */
  readonly proof?: { readonly fault?: string };
}

/** What the rules know of the gateway's devices and of what is under way. */
export interface GatewayStatus {
  readonly devices: readonly DeviceStatus[];
  /** Commands that no answer has been given to yet. */
  readonly openCommands: number;
  /** Unacknowledged publishes. */
  readonly inFlight: number;
  /** Messages in memory, waiting or unacknowledged. */
  readonly queued: number;
}
