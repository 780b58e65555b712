import { attach } from "./attach.ts";
import { gatewayResponse, select } from "./attribute-response.ts";
import { takeReply } from "./calls.ts";
import { asLong, asString } from "./coercion.ts";
import { type GatewayMessage, readGatewayMessage } from "./gateway-message.ts";
import type { GsonValue } from "./gson.ts";
import { accepted, type Outcome } from "./outcome.ts";
import { dataPointsOf, readPoints } from "./points.ts";
import type { Publish } from "./publish.ts";
import type { Attachment, Session } from "./session.ts";
import { storeValues, valuesText } from "./stored-value.ts";
import type { Tenant } from "./tenant.ts";

/** Takes what a gateway published on `v1/gateway/…`. */
export function takeGatewayPublish(session: Session, publish: Publish, tenant: Tenant): Outcome {
  const message = readGatewayMessage(publish.topic, publish.payload);
  if ("bad" in message) return message.bad;
  switch (message.kind) {
    case "connect": {
      const request = { name: message.device, type: message.type, isImplied: false };
      const attached = attach(session, request, tenant);
      return "bad" in attached ? withLegacy(attached.bad, tenant) : accepted;
    }
    case "disconnect":
      session.detach(message.device, "disconnect");
      return accepted;
    case "telemetry":
    case "attributes":
    case "claim":
      return takeEntries(session, message, { topic: publish.topic, tenant });
    case "attributesRequest":
      return takeRequest(session, message, tenant);
    case "reply":
      return takeCommandReply(session, message, { qos: publish.qos, tenant });
  }
}

type Entries = Extract<GatewayMessage, { readonly kind: "telemetry" | "attributes" | "claim" }>;

/**
 * Takes each device for itself; the publish is answered once, by the worst that happened (AbstractGatewaySessionHandler,
 * getAggregatePubAckCallback).
 */
function takeEntries(
  session: Session,
  message: Entries,
  { topic, tenant }: { readonly topic: string; readonly tenant: Tenant },
): Outcome {
  for (const device of message.skipped) {
    const detail = `entry of "${device}" is of the wrong kind`;
    session.record({ kind: "mishap", from: session.device.name, mishap: "skipped", topic, detail, device });
  }
  let taken = 0;
  let isUnanswered = false;
  let worst: Extract<Outcome, { readonly detail: string }> | undefined;
  for (const { device, value } of message.entries) {
    const attached = attach(session, { name: device, type: "default", isImplied: true }, tenant);
    const outcome: Outcome =
      "bad" in attached ? attached.bad : takeEntry(session, { kind: message.kind, value, ...attached }, tenant);
    if (outcome.kind === "accepted") taken++;
    else if (outcome.kind === "ignored") isUnanswered = true;
    else if (outcome.kind === "notAttached") worst ??= outcome;
    else if (outcome.kind !== "badValue") return outcome;
    else if (session.protocol < 5)
      return outcome; // closed; what came before is taken
    else worst = worst?.kind === "badValue" ? worst : outcome;
  }
  if (worst !== undefined && (worst.kind === "badValue" || tenant.puback !== "legacy")) return worst;
  if (tenant.puback === "legacy") return { kind: "accepted", pubacks: taken };
  // The platform waits for as many parts as the array has, and for none it waits for ever.
  return isUnanswered ? { kind: "ignored", detail: "a device's array is empty" } : accepted;
}

interface Entry {
  readonly kind: Entries["kind"];
  readonly value: GsonValue;
  readonly attachment: Attachment;
}

function takeEntry(session: Session, { kind, value, attachment }: Entry, tenant: Tenant): Outcome {
  const from = { gateway: session.device.name, device: attachment.name };
  const bad = (detail: string): Outcome => ({ kind: "badValue", detail: `"${attachment.name}": ${detail}` });
  attachment.touch();
  if (value.kind === "array") {
    if (value.items.length === 0) return { kind: "ignored", detail: "empty array" };
    const points = readPoints(value.items, { ...tenant, readsMetadata: true });
    if ("bad" in points) return bad(points.bad);
    if (!tenant.allowances.spendChild(session.device, dataPointsOf(points))) return tooFast;
    for (const { tsMs, values, ...more } of points) {
      const time = { tsMs: tsMs ?? tenant.now(), isServerTime: tsMs === undefined };
      session.record({ kind: "telemetry", ...from, ...time, values: valuesText(values), stored: values, ...more });
    }
    return accepted;
  }
  if (value.kind !== "object") return bad("entry is no object");
  if (kind === "attributes") {
    const values = storeValues(value.members, tenant);
    if ("bad" in values) return bad(values.bad);
    if (!tenant.allowances.spendChild(session.device, values.size)) return tooFast;
    for (const [key, stored] of values) attachment.device.client.set(key, stored);
    session.record({ kind: "attributes", ...from, values: valuesText(values), stored: values });
    return accepted;
  }
  const claim = readClaim(value.members);
  if ("bad" in claim) return bad(claim.bad);
  if (!tenant.allowances.spendChild(session.device, 0)) return tooFast;
  session.record({ kind: "claim", ...from, ...claim });
  return accepted;
}

/** A claim's fields; without a secret it is empty, without a duration it is 0, for which the platform has its own. */
export function readClaim(
  members: ReadonlyMap<string, GsonValue>,
): { readonly secretKey: string; readonly durationMs: number } | { readonly bad: string } {
  const secretKey = members.has("secretKey") ? asString(members.get("secretKey")) : "";
  const durationMs = members.has("durationMs") ? asLong(members.get("durationMs")) : 0;
  if (secretKey === undefined) return { bad: '"secretKey" is no string' };
  return durationMs === undefined ? { bad: '"durationMs" is no number' } : { secretKey, durationMs };
}

function takeRequest(
  session: Session,
  message: Extract<GatewayMessage, { readonly kind: "attributesRequest" }>,
  tenant: Tenant,
): Outcome {
  const attached = attach(session, { name: message.device, type: "default", isImplied: true }, tenant);
  if ("bad" in attached) {
    const { bad } = attached;
    return bad.kind === "notAttached" ? withLegacy({ ...bad, code: 0x83 }, tenant) : bad;
  }
  const { attachment } = attached;
  attachment.touch();
  if (!tenant.allowances.spendChild(session.device, 0)) return tooFast;
  const { id, device, keys } = message;
  const isAll = keys.length === 0;
  const scope = isAll ? "both" : message.scope;
  session.record({ kind: "attributesRequest", gateway: session.device.name, device, id, scope, keys });
  if (tenant.faults.swallowAttributeRequests) return accepted;
  session.afterwards(() => {
    const { client, shared } = attachment.device;
    const found = {
      client: isAll || message.scope === "client" ? select(client, keys) : new Map<string, never>(),
      shared: isAll || message.scope === "shared" ? select(shared, keys) : new Map<string, never>(),
    };
    const topic = "v1/gateway/attributes/response";
    session.send(topic, gatewayResponse({ id, device, keys }, found), topic);
  });
  return accepted;
}

function takeCommandReply(
  session: Session,
  message: Extract<GatewayMessage, { readonly kind: "reply" }>,
  { qos, tenant }: { readonly qos: 0 | 1 | 2; readonly tenant: Tenant },
): Outcome {
  const { id, device, data } = message;
  const attached = attach(session, { name: device, type: "default", isImplied: true }, tenant);
  if ("bad" in attached) return withLegacy(attached.bad, tenant);
  const { attachment } = attached;
  attachment.touch();
  if (!tenant.allowances.spendChild(session.device, 0)) return tooFast;
  const isExpected = takeReply(attachment.device, id, data);
  session.record({ kind: "reply", gateway: session.device.name, device, id, data, isExpected, qos });
  return accepted;
}

const tooFast: Outcome = { kind: "tooFast", detail: "a gateway's devices are over the rate limit" };

/** Before 4.2.1 a device that could not be attached was met with silence. */
function withLegacy(bad: Outcome, { puback }: Tenant): Outcome {
  return puback === "legacy" && bad.kind === "notAttached" ? { kind: "ignored", detail: bad.detail } : bad;
}
