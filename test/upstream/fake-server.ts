import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";

/** One connection as a server that does only what the test says sees it. */
export interface FakePeer {
  readonly socket: Socket;
  /** The next packet that the client sent. */
  next(): Promise<Packet>;
  /** The next packet of a kind; others before it are dropped. */
  nextOf<Command extends Packet["cmd"]>(command: Command): Promise<Extract<Packet, { cmd: Command }>>;
  /** Chunks as they came, each at most one write of the client's. */
  readonly chunks: readonly Buffer[];
  send(packet: Packet): void;
  /** Takes the CONNECT and answers it. */
  accept(connack?: Partial<Extract<Packet, { cmd: "connack" }>>): Promise<Extract<Packet, { cmd: "connect" }>>;
  readonly ended: Promise<void>;
}

/** A server on a loopback port, a free one unless it is given, whose every answer the test gives itself. */
export async function openFakeServer({
  protocol = 4,
  port: wanted = 0,
}: {
  readonly protocol?: 3 | 4 | 5;
  readonly port?: number;
} = {}) {
  const peers: FakePeer[] = [];
  const waiting: ((peer: FakePeer) => void)[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    const peer = createPeer(socket, protocol);
    const resolve = waiting.shift();
    if (resolve === undefined) peers.push(peer);
    else resolve(peer);
  });
  server.listen(wanted, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    peer: (): Promise<FakePeer> => {
      const peer = peers.shift();
      return peer === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(peer);
    },
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

function createPeer(socket: Socket, protocolVersion: 3 | 4 | 5): FakePeer {
  const packets: Packet[] = [];
  const waiting: ((packet: Packet) => void)[] = [];
  const chunks: Buffer[] = [];
  const reader = parser({ protocolVersion });
  reader.on("packet", (packet) => {
    const resolve = waiting.shift();
    if (resolve === undefined) packets.push(packet);
    else resolve(packet);
  });
  reader.on("error", () => undefined); // A TLS client that found no TLS.
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    reader.parse(chunk);
  });
  const next = (): Promise<Packet> => {
    const packet = packets.shift();
    return packet === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(packet);
  };
  const nextOf: FakePeer["nextOf"] = async (command) => {
    for (;;) {
      const packet = await next();
      if (packet.cmd === command) return packet as never;
    }
  };
  const send = (packet: Packet): void => {
    socket.write(generate(packet, { protocolVersion }));
  };
  return {
    socket,
    chunks,
    next,
    nextOf,
    send,
    async accept(connack = {}) {
      const connect = await nextOf("connect");
      send({ cmd: "connack", sessionPresent: false, returnCode: 0, reasonCode: 0, ...connack });
      return connect;
    },
    ended: once(socket, "close").then(() => undefined),
  };
}
