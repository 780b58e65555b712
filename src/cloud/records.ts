import type { GatewayErrorCode } from "./error-report.ts";
import type { RecordLog, Undated } from "./record-log.ts";

/** What a device or a gateway for it said and the cloud took. `gateway` is absent for a device that connected by itself. */
export interface Received {
  readonly kind: "attach" | "detach" | "telemetry" | "state";
  readonly at: string;
  readonly connection: number;
  readonly gateway?: string;
  readonly device: string;
  /** Levels below `events`, joined with `/`. */
  readonly folder?: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly packetId?: number;
  readonly dup: boolean;
  /** What a consumer behind the cloud would be told beside the payload. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** False for a state that came too soon to be kept in the device's history. */
  readonly stored?: boolean;
}

/** Everything else worth knowing, in the order it happened. */
export type Happening =
  | {
      readonly kind: "connected";
      readonly at: string;
      readonly connection: number;
      readonly device: string;
      readonly clean: boolean;
      readonly keepaliveSeconds: number;
    }
  | {
      readonly kind: "refused";
      readonly at: string;
      readonly connection: number;
      readonly device?: string;
      readonly code?: number;
      readonly reason: string;
    }
  | {
      readonly kind: "closed";
      readonly at: string;
      readonly connection: number;
      readonly device?: string;
      readonly by: "cloud" | "device";
      readonly reason: CloseReason;
      readonly detail: string;
    }
  | {
      readonly kind: "subscribed";
      readonly at: string;
      readonly connection: number;
      readonly device: string;
      readonly filter: string;
      readonly qos: 0 | 1 | 2;
      readonly granted: number;
    }
  | {
      readonly kind: "unsubscribed";
      readonly at: string;
      readonly connection: number;
      readonly device: string;
      readonly filter: string;
    }
  | {
      readonly kind: "sent";
      readonly at: string;
      readonly connection: number;
      readonly device: string;
      readonly what: "config" | "command";
      readonly version?: number;
      readonly topic: string;
      readonly payload: Buffer;
      readonly qos: 0 | 1;
      readonly packetId?: number;
      readonly again: boolean;
    }
  | {
      readonly kind: "acknowledged";
      readonly at: string;
      readonly connection: number;
      readonly device: string;
      readonly what: "config" | "command";
      readonly version?: number;
      readonly packetId: number;
    }
  | {
      readonly kind: "error";
      readonly at: string;
      readonly connection: number;
      readonly gateway: string;
      readonly device: string;
      readonly code: GatewayErrorCode;
      readonly description: string;
      readonly topic: string;
      readonly packetId: number;
      readonly delivered: boolean;
    }
  | {
      readonly kind: "warning";
      readonly at: string;
      readonly connection: number;
      readonly device: string;
      readonly warning: Warning;
    };

/** Something a device does that these clouds do not support, let pass. */
export type Warning =
  | "will-ignored"
  | "persistent-session-ignored"
  | "retain-ignored"
  | "attach-needs-qos1"
  | "attach-payload-not-json"
  | "unexpected-packet-id";

/** Why a connection ended. */
export type CloseReason =
  | "disconnect"
  | "gone"
  | "refused"
  | "connect-timeout"
  | "protocol-error"
  | "keepalive"
  | "idle"
  | "age"
  | "token-expired"
  | "taken-over"
  | "blocked"
  | "qos-2"
  | "unknown-topic"
  | "unknown-filter"
  | "not-a-gateway"
  | "unexpected-message-type"
  | "oversize"
  | "too-many-messages"
  | "too-many-bytes"
  | "state-too-fast"
  | "no-sink"
  | "fault"
  | "operator"
  | "shutdown";

export type CloudRecord = Received | Happening;

export function isReceived(record: CloudRecord): record is Received {
  return record.kind === "attach" || record.kind === "detach" || record.kind === "telemetry" || record.kind === "state";
}

/** A record as it is written down: its time is added. */
export type NewRecord = Undated<CloudRecord>;

/** What has happened in a stand-in for an IoT Core cloud. */
export type Records = RecordLog<CloudRecord>;
