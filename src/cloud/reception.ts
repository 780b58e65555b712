import type { Socket } from "node:net";
import { logIn } from "./login.ts";
import type { Realm } from "./realm.ts";
import { Session } from "./session.ts";
import { Wire } from "./wire.ts";

/** A packet of the largest payload with the longest topic; what is bigger is not even read to its end. */
const maxPacketBytes = 256 * 1024 + 70_000;

/** What may come before a device has said who it is. */
const maxGreetingBytes = 128 * 1024;

/** Without limits there is still one. */
const maxUnlimitedBytes = 16 * 1024 * 1024;

/**
 * Receives one socket: waits for its CONNECT, decides, and hands the connection to a `Session`.
 *
 * @returns What closes it at once, whatever it is doing.
 */
export function receive(socket: Socket, connection: number, realm: Realm): () => void {
  let session: Session | undefined;
  const isLimited = Number.isFinite(realm.limits.telemetryBytes);

  const refuse = (reason: string, more: { code?: number; device?: string } = {}) => {
    clearTimeout(patience);
    realm.records.add({ kind: "refused", connection, reason, ...more });
    if (more.code !== undefined) wire.write({ cmd: "connack", returnCode: more.code, sessionPresent: false });
    wire.close();
  };

  const wire = new Wire(socket, isLimited ? maxPacketBytes : maxUnlimitedBytes, {
    packet(packet) {
      if (session !== undefined) return session.handle(packet);
      if (packet.cmd !== "connect") return refuse(`first packet is ${packet.cmd.toUpperCase()}, not CONNECT`);
      clearTimeout(patience);
      const fault = realm.faults.refuseConnects.shift();
      if (fault !== undefined) return refuse("refused on purpose", fault === "close" ? {} : { code: fault });
      if ((packet.length ?? 0) > maxGreetingBytes) return refuse("CONNECT is too large");
      const login = logIn(packet, realm);
      if (login.kind === "refused") return refuse(login.reason, login);
      const { device } = login;
      realm.sessions.get(device.id)?.close("taken-over", "another active connection with the same device ID");
      // A device that connects by itself is no longer reached through a gateway.
      realm.routes.get(device.id)?.expel(device, "device connected by itself");
      realm.records.add({
        kind: "connected",
        connection,
        device: device.id,
        clean: packet.clean ?? true,
        keepaliveSeconds: packet.keepalive ?? 0,
      });
      session = new Session(realm, wire, { connection, device, expiresAtMs: login.expiresAtMs, connect: packet });
      realm.sessions.set(device.id, session);
      wire.write({ cmd: "connack", returnCode: 0, sessionPresent: false });
    },
    malformed(kind, detail) {
      if (session !== undefined) return session.close(kind, detail);
      const isLevel = detail === "Invalid protocol version" || detail === "Invalid protocolId";
      const code = isLevel ? realm.variant.wrongLevelCode : undefined;
      refuse(detail, code === undefined ? {} : { code });
    },
    gone(detail) {
      clearTimeout(patience);
      if (session !== undefined) session.end("device", "gone", detail);
    },
  });
  const patience = setTimeout(() => refuse("no CONNECT in time"), realm.connectTimeoutMs);

  return () => {
    clearTimeout(patience);
    session?.close("shutdown", "the server is shutting down");
    wire.close();
  };
}
