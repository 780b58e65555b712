import type { ISubscribePacket, QoS } from "mqtt-packet";
import type { Grant } from "./downlink.ts";
import type { Realm } from "./realm.ts";
import type { Session } from "./session.ts";

/** SUBACK: failure (MQTT 3.1.1, 3.9.3). */
const failure = 128;

/** Takes one SUBSCRIBE: the SUBACK, then the configurations that were asked for. */
export function takeSubscribe(session: Session, packet: ISubscribePacket, realm: Realm): void {
  if (realm.faults.swallowSubscribe) return;
  if (packet.subscriptions.length === 0) {
    session.close("protocol-error", "SUBSCRIBE without a filter"); // MQTT-3.8.3-3
    return;
  }
  const codes: number[] = [];
  const configs: Grant[] = [];
  for (const { topic: filter, qos } of packet.subscriptions) {
    const verdict = judgeFilter(session, filter, qos, realm);
    const code = verdict.kind === "granted" ? verdict.grant.qos : failure;
    session.record({ kind: "subscribed", device: session.device.id, filter, qos, granted: code });
    if (verdict.kind === "closed") {
      session.close("unknown-filter", `filter "${filter}": ${verdict.reason}`);
      return;
    }
    codes.push(code);
    if (verdict.kind !== "granted") continue;
    session.downlink.grant(filter, verdict.grant);
    if (verdict.grant.kind === "config") configs.push(verdict.grant);
  }
  session.write({ cmd: "suback", messageId: packet.messageId ?? 0, granted: codes });
  for (const grant of configs) session.downlink.sendConfig(grant.device, grant);
}

type Verdict =
  | { readonly kind: "granted"; readonly grant: Grant }
  | { readonly kind: "refused" }
  | { readonly kind: "closed"; readonly reason: string };

const refused: Verdict = { kind: "refused" };

function judgeFilter(session: Session, filter: string, qos: QoS, { topics, registry, strict }: Realm): Verdict {
  const read = topics.readFilter(filter);
  if (read.kind === "refused") return refused;
  if (read.kind === "nonsense") return strict ? { kind: "closed", reason: read.reason } : refused;
  const id = registry.find(read.id)?.id ?? read.id;
  const device = id === session.device.id ? session.device : session.attached.get(id);
  if (device === undefined) {
    return strict ? { kind: "closed", reason: "device is neither connected nor attached here" } : refused;
  }
  if (read.kind === "topCommands" && strict) return refused;
  if (read.kind === "errors" && !session.isGateway) return refused;
  // Errors are sent at QoS 0, and QoS 2 is granted as 1 (vendors' MQTT bridge pages).
  const granted = read.kind === "errors" || qos === 0 ? 0 : 1;
  return { kind: "granted", grant: { kind: read.kind, device, spelled: read.id, qos: granted } };
}
