import type { Command, Config } from "../message/message.ts";
import type { Core } from "./core.ts";
import type { Lanes } from "./lanes.ts";

/** What may be on its way to a local gateway, which may read slowly. */
const maxMessages = 1024;
const maxBytes = 16 * 1024 * 1024;
/** So many devices are known, and no cloud makes us remember more. */
const maxDevices = 20_000;
/** A flood is reported so often, with what it came to since. */
const reportEveryMs = 60_000;

/** Whether a message from the cloud is to be dropped, for want of room. It is counted then, and reported now and then. */
export type IsTooMuch = (message: Config | Command) => boolean;

export interface DownlinkBoundParts {
  readonly core: Core;
  readonly lanes: Lanes;
}

/**
 * Bounds what a cloud can make us keep: commands, and configurations that are passed on as they come, wait for a gateway that
 * reads them, and a message for an unknown device makes it a known one.
 */
export class DownlinkBound {
  readonly #parts: DownlinkBoundParts;
  readonly #core: Core;
  #dropped = 0;
  #reportedMs: number | undefined;

  constructor(parts: DownlinkBoundParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  refuses(message: Config | Command): boolean {
    const why = this.#reason(message);
    if (why === undefined) return false;
    this.#core.countDown("received");
    this.#core.dropDown("full");
    this.#dropped += 1;
    if (this.#reportedMs === undefined || this.#core.nowMs - this.#reportedMs >= reportEveryMs) {
      this.#core.report("warn", "downlink-flood", { kind: message.kind, why, dropped: this.#dropped });
      this.#reportedMs = this.#core.nowMs;
      this.#dropped = 0;
    }
    return true;
  }

  #reason({ kind, device }: Config | Command): string | undefined {
    const { messages, bytes } = this.#core.deliveries;
    const isQueued = kind === "command" || this.#core.adapt.config === "pass";
    if (isQueued && (messages >= maxMessages || bytes >= maxBytes)) return "the gateway does not take as much as comes";
    if (this.#parts.lanes.count >= maxDevices && this.#parts.lanes.findId(device) === undefined)
      return "too many devices";
    return undefined;
  }
}
