import type { Socket } from "node:net";
import type { IConnectPacket } from "mqtt-packet";
import { Wire } from "../wire.ts";
import { certificateOf, logIn } from "./credentials.ts";
import { Session } from "./session.ts";
import type { Tenant } from "./tenant.ts";

/** `max_payload_size`: the remaining length of a packet. */
const maxRemainingLength = 65_536;

/** `msg_queue_size_per_device_limit`: what may wait for the connection to be opened. */
const maxEarlyPackets = 100;

/**
 * Receives one socket: waits for its CONNECT, decides, and hands the connection to a `Session`.
 *
 * @returns What closes it at once, whatever it is doing.
 */
export function receive(socket: Socket, connection: number, tenant: Tenant): () => void {
  let session: Session | undefined;
  let earlyPackets = 0;

  const drop = (reason: string, code?: number) => {
    clearTimeout(patience);
    tenant.records.add({ kind: "refused", connection, reason, ...(code === undefined ? {} : { code }) });
    wire.close();
  };
  const refuse = (packet: IConnectPacket, code: number, reason: string) => {
    const sessionPresent = packet.clean === false;
    wire.write({ cmd: "connack", returnCode: code, reasonCode: code, sessionPresent });
    // The source gives no code for it; these are the ones a DISCONNECT may have.
    if (wire.protocol === 5) wire.write({ cmd: "disconnect", reasonCode: disconnectCodes.get(code) ?? 0x87 });
    drop(reason, code);
  };

  const connect = (packet: IConnectPacket) => {
    clearTimeout(patience);
    const level = packet.protocolVersion ?? 4;
    const isName = packet.protocolId === (level === 3 ? "MQIsdp" : "MQTT");
    if (!isName || "bridgeMode" in packet) return drop("protocol name and level do not go together");
    wire.protocol = level;
    const { clientId } = packet;
    if (level === 3 && (clientId.length === 0 || clientId.length > 23)) {
      return drop("client id is not of 1 to 23 characters, as MQTT 3.1 wants");
    }
    if ((packet.length ?? 0) > maxRemainingLength) return drop("CONNECT is too large");
    const fault = tenant.faults.refuseConnects.shift();
    if (fault === "close") return drop("closed on purpose");
    if (fault !== undefined) return refuse(packet, fault, "refused on purpose");
    const login = logIn(packet, certificateOf(socket), tenant.inventory);
    if (login.kind === "refused") return refuse(packet, level === 5 ? login.code5 : login.code3, login.reason);
    const { device } = login;
    if (!tenant.allowances.spendOwn(device, 0)) {
      return refuse(packet, level === 5 ? 0x9f : 3, "device is over its rate limit");
    }
    const former = tenant.routes.get(device);
    if (former?.attachment !== undefined) former.session.detach(former.attachment.name, "evicted");
    else former?.session.close("taken-over", "a newer connection has the same credentials", 0x8e);
    const clean = packet.clean ?? true;
    const keepaliveSeconds = packet.keepalive ?? 0;
    const { name } = device;
    tenant.records.add({
      ...{ kind: "connected", connection, device: name, protocol: level },
      ...{ clientId, clean, keepaliveSeconds },
    });
    session = new Session(tenant, wire, { connection, device, connect: packet });
    tenant.routes.set(device, { session });
    // A session is said to be present wherever one was asked for; there never is (MqttTransportHandler, createMqttConnAckMsg).
    wire.write({ cmd: "connack", returnCode: 0, reasonCode: 0, sessionPresent: !clean });
  };

  const wire = new Wire(socket, maxRemainingLength, {
    packet(packet) {
      if (session !== undefined) session.handle(packet);
      else if (packet.cmd === "connect") connect(packet);
      // What comes before the CONNECT waits for it, and is never answered.
      else if (++earlyPackets > maxEarlyPackets) drop("too many packets before CONNECT");
    },
    malformed(_kind, detail) {
      if (session !== undefined) session.close("malformed", detail, 0x81);
      else drop(detail);
    },
    gone(detail) {
      clearTimeout(patience);
      session?.end("device", "gone", detail);
    },
  });
  const patience = setTimeout(() => drop("no CONNECT in time"), tenant.inactivityMs);

  return () => {
    clearTimeout(patience);
    session?.close("shutdown", "the server is shutting down", 0x8b);
    wire.close();
  };
}

const disconnectCodes: ReadonlyMap<number, number> = new Map([
  [0x88, 0x8b],
  [0x9f, 0x9f],
]);
