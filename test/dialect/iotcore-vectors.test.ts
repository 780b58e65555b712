import { describe, expect, test } from "vitest";
import type { Direction, MessageKind } from "../../src/message/message.ts";
import vectors from "../vectors/iotcore-vectors.json" with { type: "json" };
import { boundNamed, type DialectName, dialectNamed, identities } from "./mappings.ts";

interface Vector {
  readonly id: string;
  readonly variant: DialectName;
  readonly direction: Direction;
  readonly packet?: string;
  readonly topic: string;
  readonly payload: string | { readonly $b64: string } | { readonly $repeat: string; readonly $times: number };
  readonly context?: string;
  readonly connect?: { readonly clientId: string };
  readonly qos: number;
  readonly valid: boolean;
  readonly expect: { readonly suback?: number };
  readonly meaning: {
    readonly kind: string;
    readonly device: string | null;
    readonly subfolder?: string;
    readonly token?: string | null;
    readonly target?: string | null;
    readonly code?: string;
    readonly cause?: { readonly messageType: string; readonly topic: string; readonly packetId: number };
  };
}

const all = vectors as unknown as readonly Vector[];
const published = all.filter(({ packet }) => packet === undefined);
const subscribed = all.filter(({ packet }) => packet === "SUBSCRIBE");
const connected = all.filter(({ packet, valid }) => packet === "CONNECT" && valid);
const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJhY21lLWlvdCJ9.c2lnbmF0dXJl";

describe("PUBLISH", () => {
  test.each(published)("$id", (vector) => {
    const dialect = boundFor(vector);
    const payload = bytesOf(vector.payload);
    const decoded = dialect.decode(vector.direction, { topic: vector.topic, payload });
    const wanted = wantedFor(vector, payload);
    if (typeof wanted === "string") {
      expect(decoded.kind).toBe(wanted);
      return;
    }
    expect(decoded).toMatchObject({ kind: "messages", messages: [wanted], misfits: [] });
    if (decoded.kind !== "messages") return;
    expect(decoded.messages).toEqual([wanted]);
    const encoded = dialect.encode(decoded.messages[0] as (typeof decoded.messages)[0]);
    expect(encoded).toMatchObject({ kind: "packet", packet: { topic: vector.topic } });
    if (encoded.kind === "packet") expect(dialect.decode(vector.direction, encoded.packet)).toEqual(decoded);
  });
});

describe("SUBSCRIBE", () => {
  const kinds: Readonly<Record<string, MessageKind>> = { config: "config", commands: "command", errors: "error" };

  test.each(subscribed)("$id", (vector) => {
    const { device, target } = vector.meaning;
    const found = boundFor(vector).subscribable(vector.topic);
    if (vector.expect.suback === 128) {
      expect(found).toBeUndefined();
      return;
    }
    expect(found).toEqual({
      kind: kinds[target ?? ""],
      qos: vector.expect.suback,
      ...(device === identities.gateway ? {} : { device }),
      ...(vector.valid ? {} : { isLenient: true }),
    });
  });
});

test.each(connected)("$id has the client id of its dialect", (vector) => {
  expect(boundFor(vector).clientId).toBe(vector.connect?.clientId);
});

function boundFor({ variant, context }: Vector) {
  const registry = /registries\/([^/]+)\//.exec(context ?? "")?.[1];
  return registry === undefined ? boundNamed(variant) : dialectNamed(variant).bind({ ...identities, registry });
}

function bytesOf(payload: Vector["payload"]): Uint8Array {
  if (typeof payload === "string") return Buffer.from(payload.replaceAll(`\${jwt}`, jwt));
  return "$b64" in payload ? Buffer.from(payload.$b64, "base64") : Buffer.alloc(payload.$times, payload.$repeat);
}

function wantedFor({ id, meaning, topic }: Vector, body: Uint8Array): object | "unknownTopic" | "unreadable" {
  const { kind, device, subfolder, token, code, cause } = meaning;
  const of = device === null || device === identities.gateway ? {} : { device };
  const folder = subfolder === undefined || subfolder === "" ? {} : { folder: subfolder };
  switch (kind) {
    case "attach":
      return {
        kind,
        ...of,
        ...(token === null || token === undefined ? {} : { token: token.replace(`\${jwt}`, jwt) }),
      };
    case "detach":
      return { kind, ...of };
    case "events":
      return { kind: "telemetry", ...of, ...folder, body };
    case "command":
      return { kind, ...of, ...folder, body };
    case "state":
    case "config":
      return { kind, ...of, body };
    case "error":
      return { kind, ...of, code, description: "example text", ...cause };
    default:
      return id === "g-err-malformed" || topic.endsWith("/errors") ? "unreadable" : "unknownTopic";
  }
}
