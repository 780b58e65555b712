import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { answerWith } from "./child.ts";
import { connectPacket } from "./frames.ts";

/** Gateways that connect, by their tokens, and say nothing more. */
export interface IdleLoad {
  readonly port: number;
  readonly tokens: readonly string[];
}

const atOnce = 50;
const sockets: Socket[] = [];

answerWith<IdleLoad>(async ({ port, tokens }) => {
  for (let done = 0; done < tokens.length; done += atOnce) {
    await Promise.all(tokens.slice(done, done + atOnce).map((token) => connectOne(port, token)));
  }
  return { connected: sockets.length };
});

async function connectOne(port: number, token: string): Promise<void> {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  sockets.push(socket);
  await once(socket, "connect");
  socket.write(connectPacket(token, token));
  await once(socket, "data");
}
