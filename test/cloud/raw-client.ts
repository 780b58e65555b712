import { connect, type Socket } from "node:net";
import * as mqtt from "mqtt-packet";

/** A client that does nothing by itself: it says what it is told to and shows what it hears. */
export interface RawClient {
  readonly socket: Socket;
  readonly heard: readonly mqtt.Packet[];
  send(packet: mqtt.Packet): void;
  /** Waits for a packet of this type, heard already or not; each is given out once. Rejects when the connection closes first. */
  next<C extends mqtt.PacketCmd>(cmd: C): Promise<Extract<mqtt.Packet, { cmd: C }>>;
  /** All packets heard until the server has dealt with everything sent so far. */
  settle(): Promise<readonly mqtt.Packet[]>;
  /** Resolves when the other side has closed the connection. */
  readonly closed: Promise<void>;
  readonly isClosed: () => boolean;
  end(): void;
}

/** @param protocol The MQTT level it speaks, which its CONNECT must name too. */
export async function openRawClient(url: string, protocol: 3 | 4 | 5 = 4): Promise<RawClient> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const parser = mqtt.parser({ protocolVersion: protocol });
  const heard: mqtt.Packet[] = [];
  const fresh: mqtt.Packet[] = [];
  const waiting = new Set<() => void>();
  let isClosed = false;
  const wake = () => {
    for (const check of [...waiting]) check();
  };
  parser.on("packet", (packet) => {
    heard.push({ ...packet });
    fresh.push({ ...packet });
    wake();
  });
  socket.on("data", (chunk: Buffer) => parser.parse(chunk));
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      isClosed = true;
      resolve();
      wake();
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const next: RawClient["next"] = (cmd) =>
    new Promise((resolve, reject) => {
      const check = () => {
        const at = fresh.findIndex((packet) => packet.cmd === cmd);
        if (at >= 0) {
          waiting.delete(check);
          resolve(fresh.splice(at, 1)[0] as never);
        } else if (isClosed) {
          waiting.delete(check);
          reject(new Error(`connection closed, wanted ${cmd}; heard ${heard.map((packet) => packet.cmd).join(" ")}`));
        }
      };
      waiting.add(check);
      check();
    });
  return {
    socket,
    heard,
    send(packet) {
      socket.write(mqtt.generate(packet, { protocolVersion: protocol }));
    },
    next,
    async settle() {
      socket.write(mqtt.generate({ cmd: "pingreq" }));
      await next("pingresp").catch(() => {});
      return heard;
    },
    closed,
    isClosed: () => isClosed,
    end: () => socket.destroy(),
  };
}
