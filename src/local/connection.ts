import type { Socket } from "node:net";
import type { RefusalCodes } from "./credentials.ts";
import type { Greeting } from "./greeting.ts";
import type { Session, SessionLine } from "./session.ts";
import { Wire, type Wired } from "./wire.ts";

/** MQTT 5 reason code (2.4). */
const quotaExceeded = 0x97;

/** The longest that a timer of Node can wait. */
const maxTimeoutMs = 0x7fffffff;

/** One socket from accept to close: who it is, once known, and how it ends. */
export class Connection implements SessionLine, Wired {
  /** See `LocalClient`. */
  readonly number: number;
  readonly address: string;
  readonly socket: Socket;
  readonly wire: Wire;
  greeting: Greeting | undefined;
  /** There when the client's credentials were good. */
  session: Session | undefined;
  /** CONNACK was sent: from here on the gateway may be written to. */
  isReady = false;
  /** When the last packet came, Unix milliseconds. */
  heardMs = 0;
  /** What is told when nothing that still arrives counts. */
  dialogue: { ended(): void } | undefined;
  /** Why it will have ended, for the log; the first reason given stays. */
  reason: string | undefined;
  readonly #lingerMs: number;
  readonly #gone: (connection: Connection) => void;
  #ended = false;
  #end: NodeJS.Timeout | undefined;

  /** @param gone Called once, when nothing more comes from this connection: at its end by us or by the other side. */
  constructor(socket: Socket, number: number, options: { lingerMs: number; gone: (connection: Connection) => void }) {
    this.socket = socket;
    this.number = number;
    this.address = socket.remoteAddress ?? "unknown";
    this.#lingerMs = options.lingerMs;
    this.#gone = options.gone;
    this.wire = new Wire(this);
    socket.on("error", ignore);
    socket.on("close", () => this.#lose());
  }

  /** Nothing that still arrives counts. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Ends the connection; MQTT 5 clients are told why by `code`, others just see it close. */
  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.reason ??= reason;
    this.#ended = true;
    this.wire.flush();
    this.#close(this.isReady && this.greeting?.protocol === 5 ? [0xe0, 2, code, 0] : []);
  }

  stuck(): void {
    this.end(quotaExceeded, "does not read");
  }

  /** Ends the connection after a while, unless it has ended by itself. */
  endIn(delayMs: number, code: number, reason: string): void {
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.end(code, reason), Math.min(Math.max(0, delayMs), maxTimeoutMs));
  }

  /** Ends a connection that is not let in, with a CONNACK where there are codes for it. */
  refuse(reason: string, codes: RefusalCodes | undefined): void {
    if (this.#ended) return;
    this.reason = reason;
    this.#ended = true;
    if (codes === undefined) this.#close([]);
    else if (this.greeting?.protocol === 5 && codes.v5 !== undefined) this.#close([0x20, 3, 0, codes.v5, 0]);
    else this.#close([0x20, 2, 0, codes.v3]);
  }

  #close(lastWords: readonly number[]): void {
    const { socket } = this;
    // What still comes is read and forgotten: closing with unread data would reset the connection, and the client could
    // miss the last packet.
    socket.on("data", ignore);
    socket.resume();
    if (lastWords.length > 0) socket.write(Uint8Array.from(lastWords));
    socket.end();
    const timer = setTimeout(() => socket.destroy(), this.#lingerMs);
    socket.once("close", () => clearTimeout(timer));
    this.#tell();
  }

  #lose(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell();
  }

  #tell(): void {
    this.reason ??= "lost";
    clearTimeout(this.#end);
    this.dialogue?.ended();
    this.session?.close();
    this.#gone(this);
  }
}

function ignore(): void {}
