import { connect } from "node:net";
import { generate, type IPublishPacket, type Packet, type PacketCmd, parser } from "mqtt-packet";
import { onTestFinished } from "vitest";
import { createFeed, type Feed } from "./feed.ts";

/** A gateway that sends exactly the packets it is told to and, unless told otherwise, acknowledges what it gets. */
export interface RawGateway {
  readonly heard: Feed<Packet>;
  send(...packets: readonly Packet[]): void;
  write(bytes: Uint8Array): void;
  acknowledge(packet: IPublishPacket): void;
  publish(topic: string, payload: string, options?: { readonly qos?: 0 | 1; readonly id?: number }): void;
  /** Calls `handle` with each packet that comes. */
  onPacket(handle: (packet: Packet) => void): void;
  next<C extends PacketCmd>(
    cmd: C,
    fits?: (packet: Extract<Packet, { cmd: C }>) => boolean,
  ): Promise<Extract<Packet, { cmd: C }>>;
  /** What came on this topic, as text, once it is there. */
  message(topic: string): Promise<string>;
  readonly closed: Promise<void>;
  /** Ends without a word. */
  destroy(): void;
}

export interface RawGatewayOptions {
  /** Default 5. */
  readonly protocolVersion?: 4 | 5;
  /** Default true. */
  readonly acknowledges?: boolean;
}

export async function openRawGateway(url: string, options: RawGatewayOptions = {}): Promise<RawGateway> {
  const { protocolVersion = 5, acknowledges = true } = options;
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.on("error", () => undefined);
  const heard = createFeed<Packet>();
  const reader = parser({ protocolVersion });
  reader.on("packet", (packet) => {
    if (packet.cmd === "publish" && packet.qos === 1 && acknowledges) acknowledge(packet);
    heard.push({ ...packet });
  });
  socket.on("data", (chunk: Buffer) => reader.parse(chunk));
  const next: RawGateway["next"] = async (cmd, fits = () => true) =>
    (await heard.next((packet) => packet.cmd === cmd && fits(packet as never))) as never;
  const send = (...packets: readonly Packet[]) => {
    socket.write(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion }))));
  };
  const acknowledge = ({ messageId }: IPublishPacket) =>
    send({ cmd: "puback", messageId: messageId as number, reasonCode: 0 });
  return {
    heard,
    send,
    acknowledge,
    onPacket: (handle) => void reader.on("packet", handle),
    write: (bytes) => void socket.write(bytes),
    publish: (topic, payload, { qos = 1, id } = {}) => send(publishPacket(topic, payload, { qos, ...(id && { id }) })),
    next,
    message: async (topic) => (await next("publish", (packet) => packet.topic === topic)).payload.toString(),
    closed: new Promise((resolve) => socket.once("close", () => resolve())),
    destroy: () => void socket.destroy(),
  };
}

export function publishPacket(
  topic: string,
  payload: string,
  { qos = 1, id = 1 }: { readonly qos?: 0 | 1; readonly id?: number } = {},
): IPublishPacket {
  return { cmd: "publish", topic, payload, qos, dup: false, retain: false, ...(qos === 1 ? { messageId: id } : {}) };
}
