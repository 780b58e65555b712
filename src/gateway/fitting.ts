import type { Fate } from "../message/fate.ts";
import { type JsonText, membersOf, objectText } from "../message/json.ts";
import type { Point, State, Telemetry, UpMessage } from "../message/message.ts";

/** A message that takes several publishes, or none; `fate` is what becomes of it then, if not `delivered`. */
export interface Pieces {
  readonly kind: "pieces";
  readonly pieces: readonly UpMessage[];
  readonly fate: Fate | undefined;
}

/** More than any dialect writes around a device's data: topic, packet id, braces. */
const envelopeBytes = 160;
/** `{"ts":1483228800000,"values":…},` with room for any time. */
const pointEnvelopeBytes = 48;
const oversize: Fate = { kind: "quarantined", reason: "oversize" };

/** What of a packet is left for the data of this device. */
export function roomIn(packetBytes: number, device: string | undefined): number {
  return packetBytes - envelopeBytes - (device === undefined ? 0 : Buffer.byteLength(JSON.stringify(device)));
}

/** About how large points are in a packet; never less than they will be. */
export function bytesOfPoints(points: readonly Point[]): number {
  let bytes = 0;
  for (const { values } of points) bytes += pointEnvelopeBytes + Buffer.byteLength(values);
  return bytes;
}

/**
 * A message in packets of at most this size: points are split between points, changed keys between keys. What cannot be
 * split is quarantined as `oversize`.
 */
export function fitInto(packetBytes: number, message: UpMessage): UpMessage | Pieces {
  if (packetBytes === Number.POSITIVE_INFINITY) return message;
  const room = roomIn(packetBytes, "device" in message ? message.device : undefined);
  switch (message.kind) {
    case "telemetry":
      return message.points === undefined || bytesOfPoints(message.points) <= room
        ? message
        : splitPoints(message, message.points, room);
    case "state":
      return message.values === undefined || Buffer.byteLength(message.values) <= room
        ? message
        : splitMembers(message, message.values, room);
    case "commandResponse":
      return Buffer.byteLength(message.data) <= room ? message : { kind: "pieces", pieces: [], fate: oversize };
    case "attributesRequest":
    case "claim":
    case "call":
      return Buffer.byteLength(JSON.stringify(message)) <= room
        ? message
        : { kind: "pieces", pieces: [], fate: oversize };
    case "attach":
    case "detach":
      return message;
  }
}

function splitPoints(message: Telemetry, points: readonly Point[], room: number): Pieces {
  const { pieces, isLost } = split(points, (point) => bytesOfPoints([point]), room);
  return {
    kind: "pieces",
    pieces: pieces.map((piece) => ({ ...message, points: piece })),
    fate: isLost ? oversize : undefined,
  };
}

function splitMembers(message: State, values: JsonText, room: number): Pieces {
  const members = [...membersOf(values)];
  const sizeOfMember = ([key, value]: (typeof members)[number]) =>
    Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(value) + 2;
  const { pieces, isLost } = split(members, sizeOfMember, room);
  const parts = pieces.map((piece) => ({ ...message, values: objectText(piece) }));
  return { kind: "pieces", pieces: parts, fate: isLost ? oversize : undefined };
}

/** Items in order, in as few pieces as fit; those that are too large by themselves are left out. */
function split<Item>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  room: number,
): { readonly pieces: readonly (readonly Item[])[]; readonly isLost: boolean } {
  const pieces: Item[][] = [];
  let isLost = false;
  let left = 0;
  for (const item of items) {
    const bytes = sizeOf(item);
    if (bytes > room) {
      isLost = true;
      continue;
    }
    if (pieces.length === 0 || bytes > left) {
      pieces.push([]);
      left = room;
    }
    pieces.at(-1)?.push(item);
    left -= bytes;
  }
  return { pieces, isLost };
}
