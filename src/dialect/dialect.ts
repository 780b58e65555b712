import type { Decoded, RuleRef } from "../message/decoded.ts";
import type { Diagnosis } from "../message/diagnosis.ts";
import type { ListenerRules } from "../message/listener-rules.ts";
import type { DeviceId, Direction, Message, MessageKind } from "../message/message.ts";
import type { Packet, Subscription } from "../message/packet.ts";
import type { IdRules, Limits, ReconnectPolicy, RetryPolicy, Traits } from "../message/traits.ts";
import type { DialectExample } from "./examples.ts";
import type { Explanation } from "./explain.ts";
import type { Rule } from "./rule.ts";

export type { DialectExample } from "./examples.ts";
export type { Explanation } from "./explain.ts";

/** A value that a deployment has to give, such as a registry's name. */
export interface DialectParameter {
  readonly name: string;
  readonly describe: string;
  readonly default?: string;
}

/** How to reach a cloud and log in there. Templates may hold `{gateway}` and parameters. */
export interface ConnectionRules {
  /** How a client of this cloud proves who it is. */
  readonly credentials: "token" | "jwt";
  /** MQTT levels for the client role, preferred first. */
  readonly protocols: readonly (3 | 4 | 5)[];
  readonly url?: string;
  readonly clientId?: string;
  readonly username?: string;
  readonly audience?: string;
  readonly keepaliveMs: number;
  /** Characters that may not stand in a gateway's id or in a parameter that goes into topics. */
  readonly forbiddenInIds?: string;
}

/** A compiled mapping file: what one cloud's packets mean, and how it wants to be treated. */
export interface Dialect {
  readonly name: string;
  readonly file: string;
  /** What cloud it is, in a sentence or two. */
  readonly describe: string;
  readonly parameters: readonly DialectParameter[];
  readonly traits: Traits;
  readonly ids: IdRules;
  readonly limits: Limits;
  /** What to do about an error, by its code on the errors topic. */
  readonly retries: ReadonlyMap<string, RetryPolicy>;
  readonly reconnects: readonly ReconnectPolicy[];
  /** What it may mean when a connection to it fails. */
  readonly diagnosis: Diagnosis;
  readonly connection: ConnectionRules;
  /** How a device that connects is met, where the cloud has rules of its own for that. */
  readonly listener?: ListenerRules;
  /** The compiled rules, in the order of the vocabulary; `listRules` has them for people. */
  readonly rules: readonly Rule[];
  readonly examples: readonly DialectExample[];
  /** Fills in the parameters and `gateway`, the gateway's own id. What is missing stands as its name. */
  bind(values: Readonly<Record<string, string>>): BoundDialect;
}

/** A packet for a message, or why there is none. */
export type Encoded =
  | {
      readonly kind: "packet";
      readonly packet: Packet;
      readonly rule: RuleRef;
      /** Whether a client hears it only if it has subscribed. */
      readonly needsSubscription: boolean;
      /** Topics of copies, for clients that have subscribed to those. */
      readonly copies?: readonly string[];
    }
  | { readonly kind: "unrepresentable"; readonly reason: string };

/** What a subscription in the server role hears. */
export interface Subscribable {
  /** The highest QoS granted. */
  readonly qos: 0 | 1;
  readonly kind: MessageKind;
  /** Absent: the gateway itself. */
  readonly device?: DeviceId;
  /** The cloud documents another filter; a strict server refuses this one. */
  readonly isLenient?: true;
}

/** A dialect of one gateway. */
export interface BoundDialect {
  readonly dialect: Dialect;
  readonly url: string | undefined;
  readonly clientId: string | undefined;
  readonly username: string | undefined;
  readonly audience: string | undefined;
  /** Says what a packet means. Payload bytes are not copied: an opaque `body` is the payload itself. */
  decode(direction: Direction, packet: Pick<Packet, "topic" | "payload">): Decoded;
  /** Prints one message; `unrepresentable` when it would read back as something else, or lacks what its form needs. */
  encode(message: Message): Encoded;
  /** What to subscribe to, in the client role, to hear messages of this kind for the device (absent: the gateway itself). */
  filtersFor(kind: MessageKind, device?: DeviceId): readonly Subscription[];
  /** Server role: what a client hears through this filter; `undefined` if it may not subscribe to it. */
  subscribable(filter: string): Subscribable | undefined;
  /** Whether a topic, which may be of other parameters than these, has the form of one of this cloud's. No filters. */
  resembles(direction: Direction, topic: string): boolean;
  /** Says which rule reads a packet, what it binds, and where the nearest others differ. */
  explain(direction: Direction, packet: Pick<Packet, "topic" | "payload">): Explanation;
}
