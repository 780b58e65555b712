import { objectText } from "../message/json.ts";
import type { DeviceStatus } from "../message/status.ts";
import type { Lane, Phase } from "./lane.ts";

const states: Readonly<Record<Phase, DeviceStatus["state"]>> = {
  detached: "detached",
  attaching: "attaching",
  settling: "settling",
  subscribing: "settling",
  attached: "attached",
  pausing: "attaching",
  held: "held",
  detaching: "detaching",
};

/** A device as status shows it. */
export function statusOfLane(lane: Lane): DeviceStatus {
  const { device, id, phase, reason, lastSeenMs, heldSinceMs, state, data, replies } = lane;
  const desired =
    lane.config?.desired ?? (lane.collected === undefined ? undefined : objectText(lane.collected.attributes));
  return {
    name: device ?? "",
    ...(id === undefined ? {} : { upstreamId: id }),
    state: states[phase],
    ...(reason === undefined ? {} : { reason }),
    ...(phase !== "held" || heldSinceMs === undefined ? {} : { heldSinceMs }),
    waiting: data.length + replies.length + (state?.pending.length ?? 0),
    ...(lastSeenMs === undefined ? {} : { lastSeenMs }),
    ...(desired === undefined ? {} : { desired }),
    ...(state === undefined || state.members.size === 0 ? {} : { reported: objectText(state.members) }),
  };
}
