/** What a topic of a device's own means (ThingsBoard, MqttTopics). `answer` and `filter` are where an answer goes. */
export type OwnTopic =
  | { readonly kind: "telemetry" | "attributes" | "claim" | "firmware" }
  | { readonly kind: "attributesRequest"; readonly id: string; readonly answer: string; readonly filter: string }
  | {
      readonly kind: "call";
      readonly id: string;
      readonly answer: string;
      readonly filter: string;
      readonly isV1: boolean;
    }
  | { readonly kind: "reply"; readonly id: string };

/** Reads a topic; `undefined` for one that has no meaning. Protobuf topics have none here. */
export function readOwnTopic(topic: string): OwnTopic | undefined {
  const kind = plain.get(topic);
  if (kind !== undefined) return { kind };
  if (/^v2\/(fw|sw)\/request\/[^/]+\/chunk\/[^/]+$/.test(topic)) return { kind: "firmware" };
  for (const [prefix, meaning, answer] of numbered) {
    if (!topic.startsWith(prefix)) continue;
    const id = topic.slice(prefix.length);
    if (meaning === "reply") return { kind: meaning, id };
    const where = { id, answer: `${answer}${id}`, filter: `${answer}+` };
    return meaning === "call"
      ? { kind: meaning, ...where, isV1: prefix.startsWith("v1/") }
      : { kind: meaning, ...where };
  }
  return undefined;
}

const plain: ReadonlyMap<string, "telemetry" | "attributes" | "claim"> = new Map([
  ["v1/devices/me/telemetry", "telemetry"],
  ["v2/t", "telemetry"],
  ["v2/t/j", "telemetry"],
  ["v1/devices/me/attributes", "attributes"],
  ["v2/a", "attributes"],
  ["v2/a/j", "attributes"],
  ["v1/devices/me/claim", "claim"],
] as const);

const numbered = [
  ["v1/devices/me/attributes/request/", "attributesRequest", "v1/devices/me/attributes/response/"],
  ["v2/a/req/j/", "attributesRequest", "v2/a/res/j/"],
  ["v2/a/req/", "attributesRequest", "v2/a/res/"],
  ["v1/devices/me/rpc/response/", "reply", ""],
  ["v2/r/res/j/", "reply", ""],
  ["v2/r/res/", "reply", ""],
  ["v1/devices/me/rpc/request/", "call", "v1/devices/me/rpc/response/"],
  ["v2/r/req/j/", "call", "v2/r/res/j/"],
  ["v2/r/req/", "call", "v2/r/res/"],
] as const;
