import type { Socket } from "node:net";

/** What a client may leave unread before it counts as stuck. */
const maxUnreadBytes = 4 * 1024 * 1024;

/** About what a write takes up besides its bytes while it waits. */
const bytesPerWrite = 256;

const pingresp = 0xd;

/** The connection that a `Wire` writes for. */
export interface Wired {
  readonly socket: Socket;
  /** The client does not read what it is sent. */
  stuck(): void;
}

/** Writes packets of ours to a socket, all of one turn of the event loop in one system call. */
export class Wire {
  readonly #connection: Wired;
  /** What is owed: a packet id, plus 65536 times the reason code, plus 2^24 times the type of the packet. */
  #acknowledgements: number[] = [];
  /** Writes since nothing was waiting. */
  #writes = 0;
  #flushes = false;
  #corked = false;

  constructor(connection: Wired) {
    this.#connection = connection;
  }

  send(bytes: Uint8Array): void {
    const { socket } = this.#connection;
    if (!socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
    }
    this.#write(bytes);
    this.#flushSoon();
  }

  /** PINGRESP. */
  pong(): void {
    this.#acknowledgements.push(pingresp << 24);
    this.#flushSoon();
  }

  /** PUBACK (`0x40`), PUBREC (`0x50`) or PUBCOMP (`0x70`); code 0 is success and goes without saying, as it has to before MQTT 5. */
  acknowledge(header: 0x40 | 0x50 | 0x70, messageId: number, code: number): void {
    this.#acknowledgements.push(((header >> 4) << 24) | (code << 16) | messageId);
    this.#flushSoon();
  }

  flush(): void {
    const { socket } = this.#connection;
    this.#flushes = false;
    if (this.#acknowledgements.length > 0) {
      const bytes = print(this.#acknowledgements);
      this.#acknowledgements = [];
      if (socket.writable) this.#write(bytes);
    }
    if (this.#corked) {
      this.#corked = false;
      socket.uncork();
    }
    const { writableLength } = socket;
    if (writableLength === 0) this.#writes = 0;
    else if (writableLength + this.#writes * bytesPerWrite > maxUnreadBytes) this.#connection.stuck();
  }

  #write(bytes: Uint8Array): void {
    this.#writes += 1;
    this.#connection.socket.write(bytes);
  }

  #flushSoon(): void {
    if (this.#flushes) return;
    this.#flushes = true;
    // Runs when this turn is over: what one disk sync made safe is acknowledged in one write.
    if (waiting.length === 0) process.nextTick(flushAll);
    waiting.push(this);
  }
}

/** Wires with something to write in this turn. */
let waiting: Wire[] = [];

function flushAll(): void {
  const wires = waiting;
  waiting = [];
  for (const wire of wires) wire.flush();
}

function print(acknowledgements: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(acknowledgements.length * 5);
  let end = 0;
  for (const acknowledgement of acknowledgements) {
    const type = acknowledgement >> 24;
    const code = (acknowledgement >> 16) & 0xff;
    bytes[end++] = type << 4;
    bytes[end++] = type === pingresp ? 0 : code === 0 ? 2 : 3;
    if (type === pingresp) continue;
    bytes[end++] = (acknowledgement >> 8) & 0xff;
    bytes[end++] = acknowledgement & 0xff;
    if (code !== 0) bytes[end++] = code;
  }
  return bytes.subarray(0, end);
}
