import type { JsonText } from "../../message/json.ts";
import type { RecordLog, Undated } from "../record-log.ts";
import type { Mishap } from "./outcome.ts";
import type { LatencyMetadata } from "./points.ts";
import type { StoredValue } from "./stored-value.ts";

interface Dated {
  readonly at: string;
  readonly connection: number;
}

/** What came for a device. `gateway` is absent for what a connected device said of itself. */
interface From extends Dated {
  readonly gateway?: string;
  /** The name the gateway uses. */
  readonly device: string;
}

/** What devices and gateways said and ThingsBoard took. */
export type ThingsBoardReceived =
  | (From & {
      readonly kind: "attach";
      readonly gateway: string;
      readonly type: string;
      /** Whether another message than a connect brought it. */
      readonly isImplied: boolean;
      readonly isNew: boolean;
      /** False where the second of the two messages an attach costs was refused: nothing will be delivered. */
      readonly isArmed: boolean;
    })
  | (From & { readonly kind: "detach"; readonly gateway: string; readonly reason: DetachReason })
  /** One element of an upload; each is a message to the rules of its own. */
  | (From & {
      readonly kind: "telemetry";
      /** Unix ms; the server's time where none was sent. */
      readonly tsMs: number;
      readonly isServerTime: boolean;
      /** A JSON object of the values as the platform gives them back. */
      readonly values: JsonText;
      readonly stored: ReadonlyMap<string, StoredValue>;
      readonly metadata?: LatencyMetadata;
    })
  | (From & {
      readonly kind: "attributes";
      readonly values: JsonText;
      readonly stored: ReadonlyMap<string, StoredValue>;
    })
  | (From & {
      readonly kind: "attributesRequest";
      readonly id: number;
      readonly scope: "client" | "shared" | "both";
      readonly keys: readonly string[];
    })
  /** The answer to a command. `isExpected` is false for one that nobody waits for. */
  | (From & {
      readonly kind: "reply";
      readonly id: number;
      readonly data: string;
      readonly isExpected: boolean;
      readonly qos: 0 | 1 | 2;
    })
  | (From & { readonly kind: "claim"; readonly secretKey: string; readonly durationMs: number })
  /** A command from the device to the platform. */
  | (From & { readonly kind: "call"; readonly id: number; readonly method: string; readonly params: JsonText });

/** Everything else worth knowing, in the order it happened. */
export type ThingsBoardHappening =
  | (Dated & {
      readonly kind: "connected";
      readonly device: string;
      readonly protocol: 3 | 4 | 5;
      readonly clientId: string;
      readonly clean: boolean;
      readonly keepaliveSeconds: number;
    })
  | (Dated & { readonly kind: "refused"; readonly code?: number; readonly reason: string })
  | (Dated & {
      readonly kind: "closed";
      readonly device: string;
      readonly by: "cloud" | "device";
      readonly reason: ThingsBoardCloseReason;
      readonly detail: string;
      /** Of the DISCONNECT sent; MQTT 5 only. */
      readonly code?: number;
    })
  | (Dated & {
      readonly kind: "subscribed";
      readonly device: string;
      readonly filter: string;
      readonly qos: 0 | 1 | 2;
      readonly granted: number;
    })
  | (Dated & { readonly kind: "unsubscribed"; readonly device: string; readonly filter: string })
  | (Dated & {
      readonly kind: "sent";
      /** The device connected. */
      readonly to: string;
      readonly topic: string;
      readonly payload: string;
      readonly qos: 0 | 1;
      readonly packetId?: number;
    })
  | (Dated & { readonly kind: "acknowledged"; readonly device: string; readonly packetId: number })
  /** A publish that was wrong, for a device or as a whole. */
  | (Dated & {
      readonly kind: "mishap";
      readonly from: string;
      readonly mishap: Mishap | "skipped" | "ignored";
      readonly topic: string;
      readonly detail: string;
      readonly device?: string;
    });

/** Why an attachment ended. */
export type DetachReason = "disconnect" | "closed" | "evicted" | "inactivity" | "removed" | "operator";

/** Why a connection ended. */
export type ThingsBoardCloseReason =
  | "disconnect"
  | "gone"
  | Mishap
  | "malformed"
  | "taken-over"
  | "inactivity"
  | "queue-full"
  | "protocol-error"
  | "removed"
  | "firmware-error"
  | "fault"
  | "operator"
  | "shutdown";

export type ThingsBoardRecord = ThingsBoardReceived | ThingsBoardHappening;

/** A record as it is written down: its time is added. */
export type NewThingsBoardRecord = Undated<ThingsBoardRecord>;

export type ThingsBoardRecords = RecordLog<ThingsBoardRecord>;

const received: ReadonlySet<string> = new Set([
  "attach",
  "detach",
  "telemetry",
  "attributes",
  "attributesRequest",
  "reply",
  "claim",
  "call",
] satisfies ThingsBoardReceived["kind"][]);

export function isThingsBoardReceived(record: ThingsBoardRecord): record is ThingsBoardReceived {
  return received.has(record.kind);
}
