import type { Socket } from "node:net";

/** What a client may send before it has said who it is: more than any real CONNECT needs. */
const maxBytes = 64 * 1024;

/** The first byte of CONNECT, flags included: a TLS handshake begins with 0x16. */
const connect = 0x10;

/** First bytes of what else a client sends besides PUBLISH (0x3.): PUBACK to PUBCOMP, (UN)SUBSCRIBE, PINGREQ. */
const clientPackets = new Set([0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0]);

/**
 * Waits for a whole CONNECT packet and leaves the socket paused.
 *
 * Packets before it are passed over without an answer, as ThingsBoard does: some libraries send SUBSCRIBE first. Anything
 * that is not MQTT, or larger than a CONNECT can sensibly be, never reaches the parser.
 *
 * @param done Called once: with what was read, which begins with CONNECT, or with why the connection is to be closed.
 */
export function awaitConnect(socket: Socket, timeoutMs: number, done: (heard: Buffer | string) => void): void {
  let held: Buffer = Buffer.alloc(0);
  let skip = 0;
  let skipped = 0;
  const timer = setTimeout(() => finish("connect did not arrive in time"), timeoutMs);
  socket.on("data", read);
  socket.on("close", closed);

  function finish(heard: Buffer | string): void {
    clearTimeout(timer);
    socket.off("data", read);
    socket.off("close", closed);
    socket.pause();
    done(heard);
  }

  function closed(): void {
    finish("closed before a CONNECT packet");
  }

  function read(chunk: Buffer): void {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      const passed = Math.min(skip, held.length);
      held = held.subarray(passed);
      skip -= passed;
      const first = held[0];
      if (first === undefined) return;
      const header = readLength(held);
      const isMqtt = first === connect || clientPackets.has(first) || first >> 4 === 3;
      if (!isMqtt || (header === undefined && held.length > 4)) {
        finish("not MQTT");
        return;
      }
      if (header === undefined) return;
      if (first === connect) {
        if (header.length > maxBytes) finish(`CONNECT of ${header.length} bytes is too large`);
        else if (held.length >= header.end + header.length) finish(held);
        return;
      }
      skip = header.end + header.length;
      skipped += skip;
      if (skipped > maxBytes) {
        finish("too much before a CONNECT packet");
        return;
      }
    }
  }
}

/** The remaining length of the packet at the start (MQTT 3.1.1, 2.2.3), and where it ends; `undefined`: not all there. */
function readLength(bytes: Uint8Array): { readonly length: number; readonly end: number } | undefined {
  let length = 0;
  for (let at = 1; at <= 4; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 0x80 ** (at - 1);
    if (byte < 0x80) return { length, end: at + 1 };
  }
  return undefined;
}
