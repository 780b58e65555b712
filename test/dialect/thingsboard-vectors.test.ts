import { expect, test } from "vitest";
import type { Decoded } from "../../src/message/decoded.ts";
import { type JsonText, membersOf, scalarText, toJsonText } from "../../src/message/json.ts";
import type { Direction, Message, Point, Telemetry } from "../../src/message/message.ts";
import vectors from "../vectors/thingsboard-vectors.json" with { type: "json" };
import { boundNamed } from "./mappings.ts";

/** The vectors have words of their own (`connect`, `attributes`, …); these are the messages that they mean. */
interface Meaning {
  readonly kind: string;
  readonly class?: string;
  readonly device?: string | null;
  readonly devices?: Readonly<Record<string, unknown>>;
  readonly points?: readonly TypedPoint[];
  readonly skipped?: readonly string[];
  readonly [more: string]: unknown;
}

interface TypedPoint {
  readonly ts: number | "server";
  readonly values: Readonly<Record<string, unknown>>;
}

interface Vector {
  readonly id: string;
  readonly direction: Direction;
  readonly topic: string;
  readonly payload: unknown;
  readonly raw?: boolean;
  readonly meaning: Meaning;
}

const dialect = boundNamed("thingsboard");
const published = (vectors as unknown as readonly Vector[]).filter(({ id }) => id !== "up-tele-oversize");

test.each(published)("$id", ({ direction, topic, payload, raw, meaning }) => {
  const text = raw === true ? String(payload) : JSON.stringify(payload);
  const decoded = dialect.decode(direction, { topic, payload: Buffer.from(text) });
  const wanted = wantedFor(meaning);
  if (wanted === "unknownTopic" || wanted === "unreadable") {
    expect(decoded.kind).toBe(wanted);
    return;
  }
  expect(decoded.kind).toBe("messages");
  const { messages, misfits } = decoded as Extract<Decoded, { kind: "messages" }>;
  expect(messages.map(typed)).toEqual(wanted);
  expect(misfits.map(({ device }) => device)).toEqual(meaning.skipped ?? []);
  for (const message of messages) {
    const encoded = dialect.encode(message);
    expect(encoded.kind).toBe("packet");
    if (encoded.kind === "packet") {
      expect(dialect.decode(direction, encoded.packet)).toMatchObject({
        kind: "messages",
        messages: [message],
        misfits: [],
      });
    }
  }
});

test("up-tele-oversize is a matter of the limit that the dialect names", () => {
  expect(dialect.dialect.limits.packetBytes).toBe(65536);
});

/** What the packet has to decode to, values in the types that ThingsBoard stores. */
function wantedFor({
  kind,
  device,
  devices,
  points,
  ...rest
}: Meaning): "unknownTopic" | "unreadable" | readonly object[] {
  const of = device === null || device === undefined ? {} : { device };
  switch (kind) {
    case "connect":
      return [{ kind: "attach", ...of, profile: rest["type"] }];
    case "disconnect":
      return [{ kind: "detach", ...of }];
    case "telemetry":
      return points === undefined
        ? Object.entries(devices ?? {}).map(([name, own]) => ({ kind: "telemetry", device: name, points: own }))
        : [{ kind: "telemetry", ...of, points }];
    case "attributes":
      return [{ kind: "state", ...of, values: rest["values"] }];
    case "attributesRequest":
      return [{ kind: "attributesRequest", ...of, id: rest["id"], ...askedFor(rest) }];
    case "attributesResponse":
      return [
        { kind: "attributesResponse", ...of, id: rest["id"], ...jsonOf(rest, ["value", "values", "client", "shared"]) },
      ];
    case "attributesUpdate": {
      const deleted = rest["deleted"] as readonly string[];
      return [
        { kind: "config", ...of, ...(deleted.length > 0 ? { deleted } : { values: JSON.stringify(rest["updated"]) }) },
      ];
    }
    case "command": {
      if (rest["duplicateOf"] !== undefined)
        return [{ kind: "command", ...of, id: rest["id"], method: "setValue", params: "true" }];
      return [{ kind: "command", ...of, id: rest["id"], method: rest["method"], ...jsonOf(rest, ["params"]) }];
    }
    case "commandResponse":
      // A stale answer is read like any other; the vector leaves its data out.
      if (rest["ignored"] === true) return [{ kind: "commandResponse", ...of, id: rest["id"], data: "{}" }];
      return [{ kind: "commandResponse", ...of, id: rest["id"], ...jsonOf(rest, ["data"]) }];
    case "claim":
      return Object.entries(devices ?? {}).map(([name, claim]) => {
        const { secretKey, durationMs } = claim as { secretKey: string; durationMs: number };
        return {
          kind: "claim",
          device: name,
          ...(secretKey === "" ? {} : { secretKey }),
          ...(durationMs === 0 ? {} : { durationMs }),
        };
      });
    case "deviceDisconnected":
      return [{ kind: "detached", ...of, reason: rest["reason"] }];
    case "limits":
      return [{ kind: "callResult", id: rest["id"], data: expect.stringContaining("maxPayloadSize") }];
    case "deviceRenamed":
      return [{ kind: "renamed", ...of, name: rest["newName"], id: rest["id"] }];
    case "deviceDeleted":
      return [{ kind: "removed", ...of, id: rest["id"] }];
    default:
      // An empty list of points is read, so that it can be dropped as empty; the real server never answers it.
      if (rest.class === "none") return [{ kind: "telemetry", ...of, points: [] }];
      return rest.class === "R6" ? "unknownTopic" : "unreadable";
  }
}

function askedFor(rest: Readonly<Record<string, unknown>>): object {
  if (rest["clientKeys"] !== undefined) return { clientKeys: rest["clientKeys"], sharedKeys: rest["sharedKeys"] };
  if (rest["keys"] === "all") return { scope: "client", keys: [] };
  return { scope: rest["scope"], key: (rest["keys"] as readonly string[])[0] };
}

function jsonOf(rest: Readonly<Record<string, unknown>>, names: readonly string[]): object {
  // A response without `value` and `values` says that nothing was found; the vectors write that as no values.
  const said = names.filter(
    (name) => rest[name] !== undefined && !(name === "values" && JSON.stringify(rest[name]) === "{}"),
  );
  return Object.fromEntries(said.map((name) => [name, JSON.stringify(rest[name])]));
}

/** A message with its points and values in the types that ThingsBoard would store. */
function typed(message: Message): object {
  // A device without a type gets this one.
  if (message.kind === "attach") return { ...message, profile: message.profile ?? "default" };
  if (message.kind === "state") return { ...message, values: typedValues(message.values as JsonText) };
  return message.kind === "telemetry"
    ? { ...message, points: (message as Telemetry).points?.map(typedPoint) }
    : message;
}

function typedPoint({ ts, values }: Point): TypedPoint {
  return { ts: ts ?? "server", values: typedValues(values) };
}

function typedValues(values: JsonText): Readonly<Record<string, unknown>> {
  const entries = [...membersOf(values)].filter(([, text]) => text !== "null");
  return Object.fromEntries(entries.map(([key, text]) => [key, typedValue(text)]));
}

/** thingsboard.org's JsonConverter: numbers in strings become numbers, whole numbers in exponent form whole. */
function typedValue(text: JsonText): object {
  const value = JSON.parse(text) as unknown;
  if (typeof value === "boolean") return { boolean: value };
  if (typeof value === "object") return { json: value };
  if (typeof value === "string" && !/^-?(\d+|\d*\.\d+)$/.test(value)) return { string: value };
  const said = typeof value === "string" ? value : text;
  const isWhole = Number.isInteger(Number(said)) && (/^-?\d+$/.test(said) || /e/i.test(said));
  return isWhole ? { long: Number(said) } : { double: Number(said) };
}

test("the oracle of these tests types texts as ThingsBoard does", () => {
  expect(typedValue(toJsonText("1.5e1") as JsonText)).toEqual({ long: 15 });
  expect(typedValue(scalarText("007"))).toEqual({ long: 7 });
});
