import type { Telemetry } from "../message/message.ts";
import type { Core } from "./core.ts";
import { bytesOfPoints, roomIn } from "./fitting.ts";
import type { Lane, Waiting } from "./lane.ts";
import { type Use, useOf } from "./quota.ts";
import { toUpstream } from "./translation.ts";

const nothingUsed: Omit<Use, "isOwn"> = { messages: 0, uploads: 0, points: 0 };

/** One publish, and what of the queue is in it beside the message that it began with. */
export interface Pack {
  readonly message: Telemetry;
  readonly riders: readonly Waiting[];
}

/**
 * Puts the telemetry that waits behind `first` into the same publish, in order, as far as one packet goes and the limits
 * allow. Only of one device: what the cloud finds wrong with it is then no other's loss.
 */
export function pack(core: Core, lane: Lane, first: Telemetry, shift: () => void): Pack {
  const alone = { message: first, riders: [] };
  const next = lane.data.peek();
  if (first.points === undefined || next?.message.kind !== "telemetry") return alone;
  const room = roomIn(core.packetBytes, lane.id);
  const points = [...first.points];
  const riders: Waiting[] = [];
  let bytes = bytesOfPoints(points);
  for (let rider = lane.data.peek(); rider !== undefined; rider = lane.data.peek()) {
    const message = telemetryOf(core, lane, rider);
    if (message?.points === undefined) break;
    const more = bytesOfPoints(message.points);
    if (bytes + more > room) break;
    if (!core.pacing.takeAlong(core.nowMs, rider.bytes, core.pacing.isMetered ? useOf(message) : undefined)) break;
    shift();
    bytes += more;
    points.push(...message.points);
    riders.push(rider);
  }
  return riders.length === 0 ? alone : { message: { ...first, points }, riders };
}

/** What the publish uses up that a message begins: of what it is for the upstream, not of what it came as. */
export function useOfWaiting(
  core: Core,
  lane: Lane,
  { message, isReady, cargo }: Pick<Waiting, "message" | "isReady" | "cargo">,
): Use {
  const made = isReady ? message : toUpstream(core, message, lane.id, cargo?.arrivedMs ?? core.nowMs);
  const first = made.kind === "pieces" ? made.pieces[0] : made;
  return { ...(first === undefined ? nothingUsed : useOf(first)), isOwn: lane.device === undefined };
}

/** What waits as telemetry of the upstream, if it may go with others and is one publish. */
function telemetryOf(core: Core, lane: Lane, { message, isReady, isAlone, cargo }: Waiting): Telemetry | undefined {
  if (message.kind !== "telemetry" || isAlone || cargo === undefined || cargo.isSettled) return undefined;
  const made = isReady ? message : toUpstream(core, message, lane.id, cargo.arrivedMs);
  return made.kind === "telemetry" ? made : undefined;
}
