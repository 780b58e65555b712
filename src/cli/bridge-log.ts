import type { LogOptions } from "../config/log-options.ts";
import type { Log, LogControl, LogLevel, LogThreshold } from "../message/log.ts";
import type { Io } from "./io.ts";
import { openLog } from "./log.ts";
import { Repeats } from "./repeats.ts";

/** The log of a running bridge: its level can be changed, and what repeats is counted instead of written. */
export interface BridgeLog extends Log, LogControl {
  /** Between `debug` and what the configuration says. */
  toggle(): void;
  /** The configuration was read again: where it says another level than before, that is the level now. */
  configure(options: LogOptions): void;
  /** Writes what is held back of repeats. */
  flush(): void;
}

export function openBridgeLog(options: LogOptions, io: Pick<Io, "stderr" | "env">): BridgeLog {
  let configured = options.level;
  const lines = openLog(options, io);
  const insisted = lines.child({}, { level: "debug" });
  const repeats = new Repeats(({ level, event, fields }) => lines[level](fields, event));
  const at =
    (level: LogLevel): Log[LogLevel] =>
    (fields, event) => {
      if (lines.isLevelEnabled(level)) repeats.take({ level, event, fields });
    };
  const log: BridgeLog = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    get level() {
      return lines.level as LogThreshold;
    },
    set level(level) {
      const before = lines.level;
      if (level === before) return;
      lines.level = level;
      insisted.info({ from: before, to: level }, "log-changed");
    },
    insist: (fields, event) => insisted.debug(fields, event),
    get suppressed() {
      return repeats.suppressed;
    },
    toggle() {
      log.level = log.level === "debug" ? configured : "debug";
    },
    configure({ level }) {
      if (level === configured) return;
      configured = level;
      log.level = level;
    },
    flush: () => repeats.flush(),
  };
  return log;
}
