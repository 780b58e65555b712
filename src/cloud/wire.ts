import type { Socket } from "node:net";
import * as mqtt from "mqtt-packet";

/** Who hears what a socket says. */
export interface WireHandlers {
  packet(packet: mqtt.Packet): void;
  /** What came is no MQTT, or a packet of more than `maxPacketBytes`; the wire is still open for a last word. */
  malformed(kind: "protocol-error" | "oversize", detail: string): void;
  /** The other side is gone. Not called after `close()`. */
  gone(detail: string): void;
}

/** How long a closed socket may take to be closed by the other side as well. */
const lingerMs = 500;

/**
 * MQTT packets on one socket, both ways.
 *
 * After `close()` nothing is handed on, and what was written before it still goes out: the socket is ended, not reset, and
 * read to its end, so that a last CONNACK or error is not lost with packets that were already on their way here.
 */
export class Wire {
  /** The MQTT level packets are written in; they are read in that of the CONNECT. */
  protocol: 3 | 4 | 5 = 4;
  readonly #socket: Socket;
  #isClosed = false;

  constructor(socket: Socket, maxPacketBytes: number, handlers: WireHandlers) {
    this.#socket = socket;
    const parser = mqtt.parser({ protocolVersion: 4 });
    let isBroken = false;
    const broken = (kind: "protocol-error" | "oversize", detail: string) => {
      if (isBroken || this.#isClosed) return;
      isBroken = true;
      handlers.malformed(kind, detail);
    };
    parser.on("packet", (packet) => {
      if (!isBroken && !this.#isClosed) handlers.packet(packet);
    });
    parser.on("error", (error: Error) => broken("protocol-error", error.message));
    socket.on("data", (chunk: Buffer) => {
      if (isBroken || this.#isClosed) return;
      let waiting = 0;
      socket.cork(); // all answers to one chunk in one write
      try {
        waiting = parser.parse(chunk);
      } catch (error) {
        broken("protocol-error", error instanceof Error ? error.message : String(error));
      }
      socket.uncork();
      if (waiting > maxPacketBytes) broken("oversize", `packet of more than ${maxPacketBytes} bytes`);
    });
    let failure = "socket closed";
    socket.on("error", (error) => {
      failure = error.message;
    });
    socket.on("close", () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      handlers.gone(failure);
    });
    socket.setNoDelay(true);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(packet: mqtt.Packet): void {
    this.writeBytes(this.encode(packet));
  }

  /** The bytes of a packet as they would be written. */
  encode(packet: mqtt.Packet): Buffer {
    return mqtt.generate(packet, { protocolVersion: this.protocol });
  }

  writeBytes(bytes: Buffer): void {
    if (!this.#isClosed) this.#socket.write(bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  /** Closes at once, whatever is still to be written. */
  destroy(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }
}
