import type { Misfit } from "../message/decoded.ts";
import type { JsonNode, JsonText } from "../message/json.ts";
import type { DeviceId, Point } from "../message/message.ts";

/** What has been read of one packet so far. */
export interface Frame {
  readonly gateway: string;
  /** The values of the message being read, by the place of their variable. `undefined` is unbound. */
  slots: unknown[];
  /** One per message, where a pattern reads several from one packet. */
  forks: unknown[][] | undefined;
  readonly misfits: Misfit[];
  /** Where in the payload we are: so many steps of `path`. */
  depth: number;
}

/** The steps to where we are. One list for all frames: a packet is read in one go. */
const path: (string | number)[] = [];

export function newFrame(gateway: string, { size }: Pick<Slots, "size">): Frame {
  return { gateway, slots: new Array(size).fill(undefined), forks: undefined, misfits: [], depth: 0 };
}

/** Goes one level further into the payload. */
export function enter(frame: Frame, step: string | number): void {
  path[frame.depth++] = step;
}

export function leave(frame: Frame): void {
  frame.depth -= 1;
}

/** What is bound now is one of the messages. */
export function fork(frame: Frame): void {
  // A list that is pushed to gets room for seventeen; most packets hold one message.
  if (frame.forks === undefined) frame.forks = [frame.slots];
  else frame.forks.push(frame.slots);
}

/** The places of variables in `Frame.slots`. */
export interface Slots {
  readonly size: number;
  of(variable: string): number;
  /** Where the list of points is collected, in kinds that have one. */
  readonly points: number | undefined;
}

/** Longest piece of a payload that a misfit repeats, in UTF-16 units. */
const maxGot = 60;

/** Notes that a value does not fit; false, as a reader's answer. */
export function misfit(frame: Frame, wanted: string, node: JsonNode): false {
  const steps = path.slice(0, frame.depth);
  const pointer = steps.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  const text = node.source.slice(node.start, Math.min(node.end, node.start + maxGot));
  const got = node.end - node.start > maxGot ? `${text}…` : text;
  const device = deviceOf(frame);
  frame.misfits.push({ path: pointer, ...(device === undefined ? {} : { device }), wanted, got });
  return false;
}

/** `device` is the first variable of every kind that has one. */
function deviceOf({ slots }: Frame): DeviceId | undefined {
  const device = slots[0];
  return typeof device === "string" && device !== "" ? (device as DeviceId) : undefined;
}

/** The point whose variables are bound in the frame. */
export function takePoint(frame: Pick<Frame, "slots">, tsSlot: number, valuesSlot: number): Point {
  const ts = frame.slots[tsSlot] as number | undefined;
  const values = frame.slots[valuesSlot] as JsonText;
  return ts === undefined ? { values } : { ts, values };
}
