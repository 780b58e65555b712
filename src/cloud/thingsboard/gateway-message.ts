import type { JsonText } from "../../message/json.ts";
import { asBoolean, asInt, asString } from "./coercion.ts";
import { type GsonValue, parseGson, printGson } from "./gson.ts";
import type { Outcome } from "./outcome.ts";

/** What a gateway publishes on `v1/gateway/…`. */
export type GatewayMessage =
  | { readonly kind: "connect"; readonly device: string; readonly type: string }
  | { readonly kind: "disconnect"; readonly device: string }
  | {
      readonly kind: "telemetry" | "attributes" | "claim";
      /** What stands for each device; arrays for telemetry, objects for the others. */
      readonly entries: readonly { readonly device: string; readonly value: GsonValue }[];
      /** Devices whose entry is of the wrong kind; nobody is told. */
      readonly skipped: readonly string[];
    }
  | {
      readonly kind: "attributesRequest";
      readonly id: number;
      readonly device: string;
      readonly scope: "client" | "shared";
      /** None means all of both scopes. */
      readonly keys: readonly string[];
    }
  | { readonly kind: "reply"; readonly id: number; readonly device: string; readonly data: JsonText };

/** Reads a gateway's publish (AbstractGatewaySessionHandler, `onDevice…Json`), or says what is wrong with it as a whole. */
export function readGatewayMessage(topic: string, payload: Uint8Array): GatewayMessage | { readonly bad: Outcome } {
  const read = readers.get(topic);
  if (read === undefined) return { bad: { kind: "unknownTopic", detail: "no such topic" } };
  const json = parseGson(Buffer.from(payload).toString("utf8"));
  if (json === undefined) return { bad: { kind: "unparseable", detail: "payload is not JSON" } };
  if (json.kind !== "object") return misshapen(`payload is ${json.kind}, not an object`);
  return read(json.members);
}

type Members = ReadonlyMap<string, GsonValue>;
type Reader = (members: Members) => GatewayMessage | { readonly bad: Outcome };

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["v1/gateway/connect", readConnect],
  ["v1/gateway/disconnect", readDisconnect],
  ["v1/gateway/telemetry", (members) => readEntries("telemetry", "array", members)],
  ["v1/gateway/attributes", (members) => readEntries("attributes", "object", members)],
  ["v1/gateway/claim", (members) => readEntries("claim", "object", members)],
  ["v1/gateway/attributes/request", readRequest],
  ["v1/gateway/rpc", readReply],
]);

function misshapen(detail: string): { readonly bad: Outcome } {
  return { bad: { kind: "misshapen", detail } };
}

function readConnect(members: Members): ReturnType<Reader> {
  const device = asString(members.get("device"));
  const type = members.get("type");
  const typeName = type === undefined || type.kind === "null" ? "default" : asString(type);
  if (device === undefined || device === "") return misshapen('"device" is missing or empty');
  if (typeName === undefined) return misshapen('"type" is not a string');
  return { kind: "connect", device, type: typeName };
}

function readDisconnect(members: Members): ReturnType<Reader> {
  const device = asString(members.get("device"));
  return device === undefined || device === ""
    ? misshapen('"device" is missing or empty')
    : { kind: "disconnect", device };
}

function readEntries(
  kind: "telemetry" | "attributes" | "claim",
  wanted: "array" | "object",
  members: Members,
): ReturnType<Reader> {
  const entries: { readonly device: string; readonly value: GsonValue }[] = [];
  const skipped: string[] = [];
  for (const [device, value] of members) {
    if (value.kind === wanted) entries.push({ device, value });
    else skipped.push(device);
  }
  return entries.length === 0 ? misshapen(`no device has an ${wanted}`) : { kind, entries, skipped };
}

function readRequest(members: Members): ReturnType<Reader> {
  const id = asInt(members.get("id"));
  const device = asString(members.get("device"));
  const isClient = asBoolean(members.get("client"));
  const keys = keysOf(members);
  if (id === undefined) return misshapen('"id" is no integer');
  if (device === undefined) return misshapen('"device" is missing');
  if (isClient === undefined) return misshapen('"client" is no boolean');
  if (keys === undefined) return misshapen('neither "key" nor "keys" names attributes');
  return { kind: "attributesRequest", id, device, scope: isClient ? "client" : "shared", keys };
}

function keysOf(members: Members): readonly string[] | undefined {
  if (members.has("key")) {
    const key = asString(members.get("key"));
    return key === undefined ? undefined : [key];
  }
  const keys = members.get("keys");
  if (keys?.kind !== "array") return undefined;
  const names = keys.items.map(asString);
  return names.every((name) => name !== undefined) ? [...new Set(names)] : undefined;
}

function readReply(members: Members): ReturnType<Reader> {
  const id = asInt(members.get("id"));
  const device = asString(members.get("device"));
  const data = members.get("data");
  if (id === undefined) return misshapen('"id" is no integer');
  if (device === undefined) return misshapen('"device" is missing');
  if (data === undefined) return misshapen('"data" is missing');
  return { kind: "reply", id, device, data: printGson(data) };
}
