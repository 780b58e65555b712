import type { IPublishPacket } from "mqtt-packet";
import type { ThingsBoardFaults } from "./faults.ts";
import { takeGatewayPublish } from "./gateway-publish.ts";
import type { Outcome } from "./outcome.ts";
import { takeOwnPublish } from "./own-publish.ts";
import type { Session } from "./session.ts";
import type { Tenant } from "./tenant.ts";

/** A publish as it is taken. */
export interface Publish {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
}

function takeRefusal({ refusePublishes }: ThingsBoardFaults, topic: string): number | undefined {
  const at = refusePublishes.findIndex((refusal) => typeof refusal === "number" || refusal.topic === topic);
  const [refusal] = at < 0 ? [] : refusePublishes.splice(at, 1);
  return typeof refusal === "object" ? refusal.code : refusal;
}

/** Takes a publish: what it means is done when this returns, and how it is answered is the outcome. */
export function takePublish(session: Session, packet: IPublishPacket, tenant: Tenant): Outcome {
  const { topic, qos, dup } = packet;
  const payload = Buffer.from(packet.payload);
  const { faults } = tenant;
  if (faults.closeAtPublish === session.publishes || faults.closeOn?.({ topic, payload, dup }) === true) {
    session.close("fault", "closed on purpose");
    return { kind: "ignored", detail: "closed on purpose" };
  }
  const code = takeRefusal(faults, topic);
  if (code !== undefined) return { kind: "notAttached", code, detail: "refused on purpose" };
  const publish = { topic, payload, qos };
  if (!topic.startsWith("v1/gateway")) return takeOwnPublish(session, publish, tenant);
  // Nothing is said to a device that takes itself for a gateway, no PUBACK and no close (handleGatewayPublishMsg).
  return session.device.gateway === true
    ? takeGatewayPublish(session, publish, tenant)
    : { kind: "ignored", detail: "device is no gateway" };
}
