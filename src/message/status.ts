import type { Ledger } from "./fate.ts";

/** What is known of one device behind a gateway. Times are Unix milliseconds. */
export interface DeviceStatus {
  readonly name: string;
  /** The id it has upstream, where one could be made. */
  readonly upstreamId?: string;
  readonly state: "detached" | "attaching" | "settling" | "attached" | "held" | "detaching";
  /** Why it is held, or what it waits for. */
  readonly reason?: string;
  /** Since when it is held, as far as this process knows. */
  readonly heldSinceMs?: number;
  /** Messages in memory that wait for this device. */
  readonly waiting: number;
  readonly lastSeenMs?: number;
  /** The configuration the cloud wants, and what the device last reported: JSON text. */
  readonly desired?: string;
  readonly reported?: string;
}

export interface LocalStatus {
  readonly connected: boolean;
  readonly protocol?: number;
  readonly sinceMs?: number;
}

export interface UpstreamStatus {
  readonly state: "connecting" | "open" | "waiting" | "closed";
  /** Why it is not open: a stable word, and a sentence. */
  readonly reason?: string;
  readonly detail?: string;
  /** When an acknowledged packet, a ping or a CONNACK last proved the path. */
  readonly lastProvenMs?: number;
  readonly tokenExpiresMs?: number;
  /** How long the last interruption was, from one connection's end to the next one's beginning; a token's renewal is one too. */
  readonly gapMs?: number;
  /** What is known to be wrong with this machine's clock. */
  readonly clock?: string;
  /** Closed connections by reason, since start. */
  readonly closes: Readonly<Record<string, number>>;
}

/** One gateway: both of its links, its devices and its ledger. */
export interface GatewayReport {
  readonly id: string;
  /** Whether the path upstream has lately been proven, and if not, why. */
  readonly ready: boolean;
  readonly reason?: string;
  readonly local: LocalStatus;
  readonly upstream: UpstreamStatus;
  readonly devices: readonly DeviceStatus[];
  /** How many are in each state, where `devices` has but the first of them. */
  readonly deviceCounts?: Readonly<Partial<Record<DeviceStatus["state"], number>>>;
  readonly inFlight: number;
  readonly openCommands: number;
  readonly ledger: Ledger;
  /** When the oldest message that is still pending came; absent when none is. */
  readonly oldestPendingMs?: number;
}

/** What became of the last changed configuration. */
export interface ReloadStatus {
  readonly atMs: number;
  /** Since when the configuration in force has been. */
  readonly inForceMs: number;
  /**
   * `applied`: the bridge runs with it. `needs-restart`: it does, but for what `needsRestart` names. `refused`: it goes on
   * with the one before.
   */
  readonly outcome: "applied" | "refused" | "needs-restart";
  /** Why it was refused: FILE:LINE:COLUMN and a sentence each. */
  readonly mistakes?: readonly string[];
  /** Which options differed. */
  readonly changes?: readonly string[];
  /** Of these, which count after a restart only. */
  readonly needsRestart?: readonly string[];
}

/** What `/status` and `dragoman status` show. */
export interface BridgeStatus {
  readonly version: string;
  readonly startedMs: number;
  /** Absent until the configuration was read again. */
  readonly reload?: ReloadStatus;
  readonly listen: readonly string[];
  /** False when a ledger does not add up or the spool cannot be written. */
  readonly healthy: boolean;
  readonly reasons: readonly string[];
  readonly ledger: Ledger;
  /** Payload bytes that wait in the spool, and the bound on them. */
  readonly waitingBytes: number;
  readonly maxBytes: number;
  readonly gateways: readonly GatewayReport[];
}
