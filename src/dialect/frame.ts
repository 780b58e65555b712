import type { Misfit } from "../message/decoded.ts";
import type { JsonNode, JsonText } from "../message/json.ts";
import type { DeviceId, Point } from "../message/message.ts";

/** What has been read of one packet so far. */
export interface Frame {
  readonly gateway: string;
  /** The values of the message being read, by the place of their variable. `undefined` is unbound. */
  slots: unknown[];
  /** One per message, where a pattern reads several from one packet. */
  readonly forks: unknown[][];
  readonly misfits: Misfit[];
  /** Where in the payload we are. */
  readonly path: (string | number)[];
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
  const path = frame.path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  const text = node.source.slice(node.start, Math.min(node.end, node.start + maxGot));
  const got = node.end - node.start > maxGot ? `${text}…` : text;
  const device = deviceOf(frame);
  frame.misfits.push({ path, ...(device === undefined ? {} : { device }), wanted, got });
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
