import type { LogEvent } from "../message/log.ts";
import type { Packet, Subscription } from "../message/packet.ts";
import type { KnownGateway } from "./credentials.ts";
import type { Registry } from "./registry-login.ts";

/** Who may connect, and how they prove it. */
export interface LocalKnown {
  /** The cloud with a device registry whose place we take; absent: ThingsBoard's. */
  readonly registry?: Registry;
  readonly gateways: readonly KnownGateway[];
}

/** What the listener asks and tells while it runs. Handlers must not throw. */
export interface LocalWiring extends LocalKnown {
  /** The highest QoS at which the client may subscribe to the filter; `undefined`: not at all; `close`: it is to be closed. */
  readonly grant: (client: LocalClient, filter: string) => 0 | 1 | "close" | undefined;
  /** One PUBLISH, in the order they come in, those of QoS 0 included. Many may wait for their answer at once. */
  readonly publish: (from: LocalClient, packet: Packet, exchange: Exchange) => void;
  /** Whether more of what the client sends had better wait for a moment: asked each time something was read from it. */
  readonly isAhead?: (client: LocalClient) => boolean;
  readonly connected: (client: LocalClient) => void;
  /** `reason` is a word or two for the log: `disconnect`, `lost`, `keepalive`, `takeover`, `shutdown`, `refused`, … */
  readonly disconnected: (client: LocalClient, reason: string) => void;
  /** Filters that were granted, with the QoS granted; SUBACK is written before anything delivered from here. */
  readonly subscribed: (client: LocalClient, filters: readonly Subscription[]) => void;
  /** A packet about an exchange that there is not, named as in MQTT: PUBACK, PUBREC, PUBREL, PUBCOMP. */
  readonly stray?: (client: LocalClient, packet: StrayPacket) => void;
  /** Something the client asks for and does not get, for the log: `will-ignored`, … */
  readonly warned?: (client: LocalClient, warning: LocalWarning) => void;
  /** Somebody who did not get in. `reason` holds no secret. */
  readonly refused?: (reason: string, address: string) => void;
}

/** What a client asked for and does not get: a line in the log. */
export type LocalWarning = Extract<LogEvent, "will-ignored" | "retain-ignored">;

/** A gateway's connection, from CONNACK to its end. */
export interface LocalClient {
  readonly gateway: string;
  /** What the gateway calls itself: its id, or another name that it is known by. */
  readonly name: string;
  /** Rising, and never given twice by one listener. */
  readonly connection: number;
  /** MQTT 3.1, 3.1.1 or 5. */
  readonly protocol: 3 | 4 | 5;
}

export interface StrayPacket {
  readonly type: string;
  readonly packetId: number;
}

/** One PUBLISH and its acknowledgement. */
export interface Exchange {
  /** 0 at QoS 0. */
  readonly packetId: number;
  /**
   * Whether one before it was given `close` since it came. That one comes again on the next connection, and this one behind
   * it: so whoever had it wait does not take it any more, but answers `close` too. At QoS 0 it is lost, as all that is read
   * from such a connection. One that merely ended takes nothing back.
   */
  readonly isBehindRefused: boolean;
  /** Says what becomes of it: once, within `publish` or later. Gateways get their answers in the order in which they published. */
  answer(verdict: Verdict): void;
}

/**
 * What becomes of a PUBLISH: `acknowledge` it; `reject` it with an MQTT 5 code (earlier versions: acknowledge, they have
 * no codes); `silence`: do not acknowledge and go on; `close` the connection without acknowledging, `code` going into the
 * DISCONNECT of MQTT 5 (0x80 by default). QoS 2 gets PUBREC where QoS 1 gets PUBACK.
 */
export type Verdict =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "reject"; readonly code: number }
  | { readonly kind: "silence" }
  | { readonly kind: "close"; readonly code?: number };
