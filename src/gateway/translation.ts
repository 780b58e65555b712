import type { Fate } from "../message/fate.ts";
import { objectText, scalarText } from "../message/json.ts";
import type { Claim, DeviceId, State, Telemetry, UpMessage } from "../message/message.ts";
import type { Core } from "./core.ts";
import { valuesOfBody } from "./document-shape.ts";
import { fitInto, type Pieces } from "./fitting.ts";
import { bodiesOfPoints, bodyOfPoints, pointsOfBody, type TelemetryShape } from "./telemetry-shape.ts";

/** What a message of the local side is for the upstream, where it does not depend on anything but itself. */
export function toUpstream(
  core: Core,
  message: UpMessage,
  id: DeviceId | undefined,
  arrivedMs: number,
): UpMessage | Pieces {
  const made = convert(core, message, id, arrivedMs);
  return made.kind === "pieces" ? made : fitInto(core.packetBytes, made);
}

function convert(core: Core, message: UpMessage, id: DeviceId | undefined, arrivedMs: number): UpMessage | Pieces {
  switch (message.kind) {
    case "telemetry":
      return telemetry(core, message, id, arrivedMs);
    case "state":
      return state(core, message, id);
    case "claim":
      return claim(core, message, id);
    case "attach":
    case "detach":
    case "attributesRequest":
    case "commandResponse":
      return id === undefined ? message : { ...message, device: id };
    case "call":
      return message;
  }
}

/** About how many bytes a message is, for pacing and for bounds on memory. */
export function sizeOf(message: UpMessage): number {
  switch (message.kind) {
    case "telemetry": {
      if (message.body !== undefined) return message.body.length;
      let bytes = 0;
      for (const { values } of message.points ?? []) bytes += values.length + 32;
      return bytes;
    }
    case "state":
      return message.body?.length ?? message.values?.length ?? 0;
    case "commandResponse":
      return message.data.length;
    default:
      return 64;
  }
}

/** A telemetry message of the upstream, with the gateway itself as `id` absent. */
export function telemetryOf(id: DeviceId | undefined, body: Uint8Array, folder: string | undefined): Telemetry {
  if (folder === undefined)
    return id === undefined ? { kind: "telemetry", body } : { kind: "telemetry", device: id, body };
  return id === undefined ? { kind: "telemetry", folder, body } : { kind: "telemetry", device: id, folder, body };
}

function telemetry(core: Core, message: Telemetry, id: DeviceId | undefined, arrivedMs: number): UpMessage | Pieces {
  const { adapt, options } = core;
  const { telemetryBytes = Number.POSITIVE_INFINITY } = options.upstream.limits;
  const { body, points, folder } = message;
  if (points !== undefined && adapt.telemetry === "toBytes") {
    if (points.length === 0) return { kind: "pieces", pieces: [], fate: { kind: "dropped", reason: "empty" } };
    const folders = options.telemetry?.folders?.(message);
    if (folders === undefined) return inBodies(core, message, id, arrivedMs);
    const parts = folders.map((part) => inBodies(core, part, id, arrivedMs));
    const [only] = parts;
    return only !== undefined && parts.length === 1 ? only : together(parts);
  }
  if (body !== undefined && adapt.telemetry === "toPoints") {
    const { folderKey } = options.rules.telemetry;
    const shape = shapeOf(core);
    const made = pointsOfBody(body, arrivedMs, { shape, folder, folderKey });
    if (made.length === 0) return { kind: "pieces", pieces: [], fate: { kind: "dropped", reason: "empty" } };
    return { kind: "telemetry", ...named(id), points: made };
  }
  if (points !== undefined) {
    // A late delivery must not get the time at which it was late.
    const timed = points.map((point) => (point.ts === undefined ? { ...point, ts: arrivedMs } : point));
    return { ...message, ...named(id), points: timed };
  }
  if (body !== undefined && body.length > telemetryBytes) {
    return { kind: "pieces", pieces: [], fate: { kind: "quarantined", reason: "oversize" } };
  }
  return { ...message, ...named(id) };
}

/** Points as the bodies of one folder. */
function inBodies(core: Core, message: Telemetry, id: DeviceId | undefined, arrivedMs: number): UpMessage | Pieces {
  const { points = [], folder } = message;
  const { telemetryBytes = Number.POSITIVE_INFINITY } = core.options.upstream.limits;
  const shape = shapeOf(core);
  if (shape === "points") {
    // Nearly always it is one body.
    const body = bodyOfPoints(points, arrivedMs);
    if (body.length <= telemetryBytes) return telemetryOf(id, body, folder);
  }
  const { bodies, lost } = bodiesOfPoints(points, arrivedMs, { shape, maxBytes: telemetryBytes });
  const only = bodies[0];
  if (lost === undefined && bodies.length === 1 && only !== undefined) return telemetryOf(id, only, folder);
  const fate: Fate | undefined = lost === undefined ? undefined : { kind: "quarantined", reason: lost };
  return { kind: "pieces", pieces: bodies.map((part) => telemetryOf(id, part, folder)), fate };
}

function shapeOf({ options }: Core): TelemetryShape {
  return options.telemetry?.shape ?? options.rules.telemetry.shape;
}

function together(some: readonly (UpMessage | Pieces)[]): Pieces {
  const each = some.map(
    (one): Pieces => (one.kind === "pieces" ? one : { kind: "pieces", pieces: [one], fate: undefined }),
  );
  return {
    kind: "pieces",
    pieces: each.flatMap(({ pieces }) => pieces),
    fate: each.find(({ fate }) => fate !== undefined)?.fate,
  };
}

function state(core: Core, message: State, id: DeviceId | undefined): UpMessage {
  if (core.adapt.state !== "spread" || message.body === undefined) return { ...message, ...named(id) };
  return { kind: "state", ...named(id), values: valuesOfBody(message.body) };
}

function claim(core: Core, message: Claim, id: DeviceId | undefined): UpMessage | Pieces {
  if (core.adapt.calls === "pass") return { ...message, ...named(id) };
  const { folder } = core.options.rules.claims;
  if (folder === null) return { kind: "pieces", pieces: [], fate: { kind: "dropped", reason: "unsupported" } };
  const { secretKey, durationMs } = message;
  const body = objectText([
    ...(secretKey === undefined ? [] : [["secretKey", scalarText(secretKey)] as const]),
    ...(durationMs === undefined ? [] : [["durationMs", scalarText(durationMs)] as const]),
  ]);
  return telemetryOf(id, Buffer.from(body), folder);
}

function named(id: DeviceId | undefined): { readonly device?: DeviceId } {
  return id === undefined ? {} : { device: id };
}
