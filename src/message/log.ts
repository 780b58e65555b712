/** The levels that lines have, from the least important. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * Every line that a running bridge may log, with the levels it may have. The names are relied on by whoever searches logs;
 * `docs/logs.md` says of each what it means and what to do.
 */
export const logEvents = {
  ready: ["info"],
  reloaded: ["info"],
  "reload-refused": ["error"],
  "reload-needs-restart": ["warn"],
  stopping: ["info"],
  stopped: ["info"],
  "log-changed": ["info"],
  packet: ["debug"],
  "service-manager-unreachable": ["warn"],

  "gateway-connected": ["info"],
  "gateway-disconnected": ["info"],
  "gateway-refused": ["warn"],
  "will-ignored": ["warn"],
  "retain-ignored": ["warn"],
  "packet-not-understood": ["warn"],
  "packet-refused": ["warn"],
  "attach-needs-qos1": ["warn"],
  "not-representable": ["warn"],

  "upstream-open": ["info"],
  "upstream-closed": ["warn", "info"],
  "upstream-silent": ["warn"],
  "upstream-error": ["warn"],
  "upstream-takes-nothing": ["error"],
  "upstream-packet-too-large": ["error"],
  "subscription-refused": ["warn"],
  "identity-conflict": ["error"],
  "clock-wrong": ["error"],
  "limits-told": ["debug"],
  "limits-unasked": ["warn"],
  "elimination-begins": ["warn"],
  "elimination-ends": ["error", "warn", "info"],
  "downlink-flood": ["warn"],

  "device-attached": ["debug"],
  "device-held": ["warn"],
  "device-detached": ["warn"],
  "device-removed": ["warn"],
  "device-renamed": ["info"],
  "device-not-renamed": ["error"],
  "device-without-id": ["error"],
  "message-set-aside": ["warn"],
  "state-oversize": ["warn"],
  "config-forbidden": ["info"],
  "config-unrepresentable": ["warn"],
  "command-forbidden": ["warn"],
  "command-timeout": ["info"],
  "answer-dropped": ["debug"],

  "spool-refused": ["error"],
  "spool-damaged": ["error"],
  "ledger-wrong": ["error"],
  "internal-error": ["error"],
} as const satisfies Readonly<Record<string, readonly LogLevel[]>>;

/** The name of a line: what stands in its `msg`. */
export type LogEvent = keyof typeof logEvents;

/** The least important level that is written. */
export const logThresholds = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogThreshold = (typeof logThresholds)[number];

/** What can be changed of a log while it runs. */
export interface LogControl {
  level: LogThreshold;
  /** Writes a line at `debug` whatever the level is: somebody asked for it by name. */
  insist(fields: object, event: LogEvent): void;
  /** Lines since the start that were not written because they repeat others, by event. */
  readonly suppressed: Readonly<Partial<Record<LogEvent, number>>>;
}

/** Where findings go; `pino` fits. */
export type Log = Readonly<Record<LogLevel, (fields: object, event: LogEvent) => void>>;
