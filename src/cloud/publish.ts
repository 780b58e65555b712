import type { IPublishPacket } from "mqtt-packet";
import { judgeAttach } from "./attach.ts";
import type { ErrorCase } from "./error-report.ts";
import type { Realm } from "./realm.ts";
import type { Received } from "./records.ts";
import { type Device, pushState } from "./registry.ts";
import type { Session } from "./session.ts";
import { sinkAttributes } from "./sink.ts";

/** A publish that is legal MQTT, with the device its topic names. */
interface Publish {
  readonly packet: IPublishPacket;
  readonly payload: Buffer;
  /** Id of the device; a numeric id of a device that exists is turned into its id. */
  readonly id: string;
}

/** Takes one PUBLISH: attach, detach, telemetry or state, or what is none of them. */
export function takePublish(session: Session, packet: IPublishPacket, realm: Realm): void {
  const payload = Buffer.from(packet.payload);
  const illegal = illegalityOf(packet);
  const { closeAtPublish, closeOn } = realm.faults;
  if (packet.qos === 2) session.close("qos-2", "PUBLISH with QoS 2");
  else if (illegal !== undefined) session.close("protocol-error", illegal);
  else if (session.publishes === closeAtPublish || closeOn?.({ topic: packet.topic, payload, dup: packet.dup })) {
    session.close("fault", "closed on purpose");
  } else {
    if (packet.retain) session.warn("retain-ignored");
    const topic = realm.topics.readTopic(packet.topic);
    const id = realm.registry.find(topic.id ?? "")?.id ?? topic.id ?? session.device.id;
    const publish: Publish = { packet, payload, id };
    switch (topic.kind) {
      case "attach":
      case "detach":
        if (!session.isGateway) session.close("not-a-gateway", `"${topic.kind}" from a device that is no gateway`);
        else if (topic.kind === "attach") attach(session, publish, realm);
        else detach(session, publish, realm);
        return;
      case "events":
      case "state":
        takeData(
          session,
          publish,
          { kind: topic.kind, folder: topic.kind === "events" ? topic.folder : undefined },
          realm,
        );
        return;
      case "invalid":
        if (session.isGateway) {
          session.fail({
            code: "GATEWAY_INVALID_MQTT_TOPIC",
            device: id,
            description: topic.reason,
            cause: causeOf(packet),
          });
        }
        if (!session.isGateway || realm.strict) session.close("unknown-topic", topic.reason);
        return;
    }
  }
}

function illegalityOf(packet: IPublishPacket): string | undefined {
  if (/[+#\0]/.test(packet.topic)) return "topic has a wildcard or NUL"; // MQTT-3.3.2-2, MQTT-1.5.3-2
  if (packet.qos > 0 && !packet.messageId) return "packet id is 0"; // MQTT-2.3.1-1
  return undefined;
}

function attach(session: Session, publish: Publish, realm: Realm): void {
  const { packet, payload, id } = publish;
  const { faults, limits } = realm;
  if (payload.length > limits.telemetryBytes) {
    session.close("oversize", `attach of ${payload.length} bytes, at most ${limits.telemetryBytes}`);
    return;
  }
  if (packet.qos === 0) session.warn("attach-needs-qos1");
  if (payload.length > 0 && !isJson(payload)) session.warn("attach-payload-not-json");
  if (faults.swallowAttach.delete(id)) return;

  // A device that is attached already is not judged again.
  const attached = session.attached.get(id);
  const verdict =
    attached === undefined
      ? judgeAttach(session.device, { id, payload, attached: session.attached.size }, realm)
      : { device: attached };
  if ("refused" in verdict) {
    session.fail({
      code: "GATEWAY_ATTACHMENT_ERROR",
      device: id,
      description: verdict.refused,
      cause: causeOf(packet),
    });
    return;
  }
  const { device } = verdict;
  if (attached === undefined) session.attach(device);
  session.record({ kind: "attach", ...facts(session, publish, device) });
  const isRevoked = faults.revokeAttach.delete(id);
  session.answer(packet, () => {
    if (!isRevoked) return;
    session.detach(device);
    const description = "device may not be attached after all";
    session.fail({ code: "GATEWAY_ATTACHMENT_ERROR", device: id, description, cause: causeOf(packet) });
  });
}

function detach(session: Session, publish: Publish, realm: Realm): void {
  const device = session.attached.get(publish.id);
  if (device !== undefined) session.detach(device);
  const known = device ?? realm.registry.find(publish.id);
  if (known !== undefined) session.record({ kind: "detach", ...facts(session, publish, known) });
  session.answer(publish.packet, () => {});
}

function takeData(
  session: Session,
  publish: Publish,
  topic: { readonly kind: "events" | "state"; readonly folder: string | undefined },
  realm: Realm,
): void {
  const { packet, payload, id } = publish;
  const { limits, faults } = realm;
  const most = topic.kind === "events" ? limits.telemetryBytes : limits.stateBytes;
  const device = id === session.device.id ? session.device : session.attached.get(id);
  if (payload.length > most) session.close("oversize", `${topic.kind} of ${payload.length} bytes, at most ${most}`);
  else if (device === undefined && !session.isGateway) session.close("unknown-topic", "topic of another device");
  else if (device === undefined) {
    const description = "device is not attached to the gateway";
    session.fail({ code: "GATEWAY_DEVICE_NOT_FOUND", device: id, description, cause: causeOf(packet) });
  } else {
    const failure = faults.failPublish.get(id);
    if (failure !== undefined) {
      faults.failPublish.delete(id);
      session.fail({ code: failure, device: id, description: "failed on purpose", cause: causeOf(packet) });
    } else if (topic.kind === "state") takeState(session, publish, device, realm);
    else if (!realm.sink) session.close("no-sink", "registry has nowhere to pass events on to");
    else {
      const { folder } = topic;
      const gateway = session.device === device ? undefined : session.device.id;
      const attributes = sinkAttributes(realm, { device, gateway, folder });
      const record = { kind: "telemetry" as const, ...facts(session, publish, device), attributes };
      session.record(folder === undefined ? record : { ...record, folder });
      session.answer(packet, () => {});
    }
  }
}

function takeState(session: Session, publish: Publish, device: Device, realm: Realm): void {
  const { packet, payload, id } = publish;
  const { stateIntervalMs } = realm.limits;
  // Vendors count from the last answer to the next request; one that is not answered yet is sooner still.
  const isFast =
    stateIntervalMs > 0 &&
    (session.unansweredStates.has(id) ||
      realm.now() - (device.stateAnsweredMs ?? Number.NEGATIVE_INFINITY) < stateIntervalMs);
  if (isFast && realm.fastState === "close") {
    const detail = `state within ${stateIntervalMs} ms of the last`;
    if (device === session.device) session.close("state-too-fast", detail);
    else session.expel(device, detail, causeOf(packet));
    return;
  }
  if (!isFast) pushState(device, payload);
  const gateway = session.device === device ? undefined : session.device.id;
  const attributes = sinkAttributes(realm, { device, gateway, folder: undefined });
  session.record({ kind: "state", ...facts(session, publish, device), attributes, stored: !isFast });
  session.unansweredStates.add(id);
  session.answer(packet, () => {
    session.unansweredStates.delete(id);
    device.stateAnsweredMs = realm.now();
  });
}

/** What every record of something received tells. */
function facts(
  session: Session,
  { packet, payload }: Publish,
  device: Device,
): Omit<Received, "kind" | "at" | "connection"> {
  return {
    ...(session.isGateway ? { gateway: session.device.id } : {}),
    device: device.id,
    topic: packet.topic,
    payload,
    qos: packet.qos === 0 ? 0 : 1,
    dup: packet.dup,
    ...(packet.messageId === undefined ? {} : { packetId: packet.messageId }),
  };
}

function causeOf(packet: IPublishPacket): NonNullable<ErrorCase["cause"]> {
  return { type: "PUBLISH", topic: packet.topic, packetId: packet.messageId ?? 0 };
}

function isJson(payload: Buffer): boolean {
  try {
    JSON.parse(payload.toString("utf8"));
    return true;
  } catch {
    return false;
  }
}
