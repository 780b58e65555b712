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

/**
 * Bounds what a cloud can make us keep: commands, and configurations that are passed on as they come, wait for a gateway that
 * reads them, and a message for an unknown device makes it a known one.
 */
export function createDownlinkBound(core: Core, lanes: Lanes): IsTooMuch {
  let dropped = 0;
  let reportedMs: number | undefined;

  return (message) => {
    const why = reason(message);
    if (why === undefined) return false;
    core.countDown("received");
    core.dropDown("full");
    dropped += 1;
    if (reportedMs === undefined || core.nowMs - reportedMs >= reportEveryMs) {
      core.report("warn", "downlink-flood", { kind: message.kind, why, dropped });
      reportedMs = core.nowMs;
      dropped = 0;
    }
    return true;
  };

  function reason({ kind, device }: Config | Command): string | undefined {
    const { messages, bytes } = core.deliveries;
    const isQueued = kind === "command" || core.adapt.config === "pass";
    if (isQueued && (messages >= maxMessages || bytes >= maxBytes)) return "the gateway does not take as much as comes";
    if (lanes.count >= maxDevices && lanes.findId(device) === undefined) return "too many devices";
    return undefined;
  }
}
