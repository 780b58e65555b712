import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Wire } from "../../src/local/wire.ts";

const server = createServer().listen(0, "127.0.0.1");
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

test("Wire gives a client up that reads nothing, also when all it is sent are small packets", async () => {
  const accepted = once(server, "connection");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
  const [socket] = (await accepted) as [Socket];
  sockets.push(client, socket);
  let isStuck = false;
  const stuck = () => {
    isStuck = true;
  };
  const wire = new Wire({ socket, stuck });
  // What the operating system holds is full when something waits here.
  while (socket.writableLength === 0) {
    socket.write(Buffer.alloc(64 * 1024));
    await new Promise(setImmediate);
  }
  const waiting = socket.writableLength;
  for (let count = 0; count < 50_000 && !isStuck; count++) {
    wire.send(Uint8Array.of(0x90, 3, 0, 1, 0x80));
    if (count % 10 === 0) await new Promise(setImmediate);
  }
  expect(isStuck).toBe(true);
  expect(socket.writableLength - waiting).toBeLessThan(100_000);
});
