import { ownResponse, select } from "./attribute-response.ts";
import { takeReply } from "./calls.ts";
import { asString } from "./coercion.ts";
import { readClaim } from "./gateway-publish.ts";
import { type GsonValue, parseGson, printGson } from "./gson.ts";
import { accepted, type Outcome } from "./outcome.ts";
import { type OwnTopic, readOwnTopic } from "./own-topic.ts";
import { dataPointsOf, readPoints } from "./points.ts";
import type { Publish } from "./publish.ts";
import type { Session } from "./session.ts";
import { sessionLimitsText } from "./session-limits.ts";
import { storeValues, valuesText } from "./stored-value.ts";
import type { Tenant } from "./tenant.ts";

/** Takes what a connected device, a gateway too, published about itself. */
export function takeOwnPublish(session: Session, publish: Publish, tenant: Tenant): Outcome {
  const topic = readOwnTopic(publish.topic);
  if (topic === undefined) return { kind: "unknownTopic", detail: "no such topic" };
  switch (topic.kind) {
    case "telemetry":
      return takeTelemetry(session, publish, tenant);
    case "attributes":
      return takeAttributes(session, publish, tenant);
    case "claim":
      return takeClaim(session, publish, tenant);
    case "firmware":
      session.send("v2/fw/error", "NOT_FOUND", "v2/fw/error");
      session.close("firmware-error", "there is no firmware", 0x83);
      return { kind: "ignored", detail: "there is no firmware" };
    default:
      return takeNumbered(session, { topic, publish }, tenant);
  }
}

function unparseable(detail: string): Outcome {
  return { kind: "unparseable", detail };
}

const tooFast: Outcome = { kind: "failed", detail: "device is over its rate limit" };

/** The members of a payload that must be an object. */
function membersOf(payload: Buffer): ReadonlyMap<string, GsonValue> | undefined {
  const json = parseGson(payload.toString("utf8"));
  return json?.kind === "object" ? json.members : undefined;
}

function takeTelemetry(session: Session, { payload }: Publish, tenant: Tenant): Outcome {
  const json = parseGson(payload.toString("utf8"));
  if (json?.kind !== "object" && json?.kind !== "array") return unparseable("payload is no object or array");
  const points = readPoints(json.kind === "array" ? json.items : [json], { ...tenant, readsMetadata: false });
  if ("bad" in points) return unparseable(points.bad);
  if (!tenant.allowances.spendOwn(session.device, dataPointsOf(points))) return tooFast;
  for (const { tsMs, values } of points) {
    const time = { tsMs: tsMs ?? tenant.now(), isServerTime: tsMs === undefined };
    const device = session.device.name;
    session.record({ kind: "telemetry", device, ...time, values: valuesText(values), stored: values });
  }
  return accepted;
}

function takeAttributes(session: Session, { payload }: Publish, tenant: Tenant): Outcome {
  const members = membersOf(payload);
  const values = members === undefined ? { bad: "payload is no object" } : storeValues(members, tenant);
  if ("bad" in values) return unparseable(values.bad);
  if (!tenant.allowances.spendOwn(session.device, values.size)) return tooFast;
  for (const [key, stored] of values) session.device.client.set(key, stored);
  session.record({ kind: "attributes", device: session.device.name, values: valuesText(values), stored: values });
  return accepted;
}

function takeClaim(session: Session, { payload }: Publish, tenant: Tenant): Outcome {
  const members = payload.length === 0 ? new Map<string, GsonValue>() : membersOf(payload);
  const claim = members === undefined ? { bad: "payload is no object" } : readClaim(members);
  if ("bad" in claim) return unparseable(claim.bad);
  if (!tenant.allowances.spendOwn(session.device, 0)) return tooFast;
  session.record({ kind: "claim", device: session.device.name, ...claim });
  return accepted;
}

type Numbered = Extract<OwnTopic, { readonly id: string }>;

function takeNumbered(
  session: Session,
  { topic, publish }: { readonly topic: Numbered; readonly publish: Publish },
  tenant: Tenant,
): Outcome {
  const id = /^[+-]?\d{1,10}$/.test(topic.id) ? Number(topic.id) : Number.NaN;
  if ((id | 0) !== id) return { kind: "failed", detail: "id in the topic is no integer" };
  const device = session.device.name;
  if (topic.kind === "reply") {
    if (!tenant.allowances.spendOwn(session.device, 0)) return tooFast;
    const data = publish.payload.toString("utf8");
    const isExpected = takeReply(session.device, id, data);
    session.record({ kind: "reply", device, id, data, isExpected, qos: publish.qos });
    return accepted;
  }
  const members = membersOf(publish.payload);
  if (members === undefined) return unparseable("payload is no object");
  if (topic.kind === "attributesRequest") return takeRequest(session, { topic, id, members }, tenant);
  return takeCall(session, { topic, id, members }, tenant);
}

interface Question<T> {
  readonly topic: T;
  readonly id: number;
  readonly members: ReadonlyMap<string, GsonValue>;
}

function takeRequest(
  session: Session,
  { topic, id, members }: Question<Extract<OwnTopic, { readonly kind: "attributesRequest" }>>,
  tenant: Tenant,
): Outcome {
  const [client, shared] = [keysOf(members.get("clientKeys")), keysOf(members.get("sharedKeys"))];
  if (client === undefined || shared === undefined) return unparseable("keys are no strings");
  if (!tenant.allowances.spendOwn(session.device, 0)) return tooFast;
  const { device } = session;
  const isAll = client.length === 0 && shared.length === 0;
  const scope = isAll || (client.length > 0 && shared.length > 0) ? "both" : client.length > 0 ? "client" : "shared";
  session.record({ kind: "attributesRequest", device: device.name, id, scope, keys: [...client, ...shared] });
  if (tenant.faults.swallowAttributeRequests || id < 0) return accepted;
  session.afterwards(() => {
    const found = {
      client: isAll || client.length > 0 ? select(device.client, client) : new Map<string, never>(),
      shared: isAll || shared.length > 0 ? select(device.shared, shared) : new Map<string, never>(),
    };
    session.send(topic.answer, ownResponse(found), topic.filter);
  });
  return accepted;
}

/** Names separated by commas; none where there is no such member. */
function keysOf(value: GsonValue | undefined): readonly string[] | undefined {
  if (value === undefined || value.kind === "null") return [];
  return asString(value)
    ?.split(",")
    .filter((key) => key !== "");
}

function takeCall(
  session: Session,
  { topic, id, members }: Question<Extract<OwnTopic, { readonly kind: "call" }>>,
  tenant: Tenant,
): Outcome {
  const method = asString(members.get("method"));
  if (method === undefined) return unparseable('"method" is missing');
  const { device } = session;
  const params = printGson(members.get("params") ?? { kind: "null" });
  const answer = (text: string) => void session.send(topic.answer, text, topic.filter);
  // Answered in the transport, before limits are looked at.
  if (topic.isV1 && method === "getSessionLimits") {
    session.record({ kind: "call", device: device.name, id, method, params });
    session.afterwards(() => answer(sessionLimitsText(tenant.rateLimits, device.gateway === true)));
    return accepted;
  }
  if (!tenant.allowances.spendOwn(device, 0)) return tooFast;
  session.record({ kind: "call", device: device.name, id, method, params });
  session.afterwards(() => {
    const text = tenant.answerCall({ device: device.name, method, params });
    if (text !== undefined) answer(text);
    else session.later(tenant.ownCallTimeoutMs, () => answer('{"error":"timeout"}'));
  });
  return accepted;
}
