import type { DeploymentSession } from "../dialect/deployment/deployment.ts";
import type { BoundDialect } from "../dialect/dialect.ts";
import type { Decoded, RuleRef } from "../message/decoded.ts";
import type { Fate } from "../message/fate.ts";
import type { DeviceId, Message } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import type { TraceFilter, TraceListener, TraceSource } from "../message/trace.ts";
import { traceLine } from "./trace-line.ts";

/** One packet as it passed one side of the bridge, with the rule that read or printed it. Its payload may hold secrets. */
export interface TraceEvent {
  readonly gateway: string;
  readonly side: "local" | "upstream";
  readonly direction: "in" | "out";
  readonly packet: Packet;
  readonly rule?: RuleRef;
  /** What was read, or the one message that was printed. */
  readonly messages: readonly Message[];
  /** How a packet that came in was read. */
  readonly decoded?: Decoded;
  /** Records of the spool that it is, carries or follows from. */
  readonly records?: readonly number[];
  /** What was decided about messages of it as it came. */
  readonly fates?: Iterable<Fate>;
  /** The number of the packet from the cloud that it follows from. */
  readonly cause?: number;
}

/** What a link knows that a reader of its packets wants to know. */
export interface TraceSides {
  readonly local: BoundDialect;
  readonly upstream: BoundDialect;
  readonly mapping?: DeploymentSession | undefined;
  /** The local side's name for an id of the upstream. */
  readonly nameOf: (id: DeviceId) => DeviceId | undefined;
}

/** Nobody reads more than this, and more would slow the bridge down. Large packets count as several. */
const linesPerSecond = 500;
const bytesPerLine = 8192;

/**
 * The packets that pass all links of a bridge, for whoever listens.
 *
 * Lines are made only of what some listener wants, and only so many in a second: tracing must not slow the bridge down.
 */
export class Trace implements TraceSource {
  readonly #observe: ((event: TraceEvent) => void) | undefined;
  readonly #now: () => number;
  readonly #listening = new Set<{ readonly filter: TraceFilter; readonly listener: TraceListener }>();
  #lastId = 0;
  #second = 0;
  #made = 0;

  /** @param observe Sees every packet, secrets included, from the beginning. */
  constructor(options: { readonly observe?: ((event: TraceEvent) => void) | undefined; readonly now: () => number }) {
    this.#observe = options.observe;
    this.#now = options.now;
  }

  /** Whether anybody wants to be told. */
  get isOn(): boolean {
    return this.#listening.size > 0 || this.#observe !== undefined;
  }

  listen(filter: TraceFilter, listener: TraceListener): () => void {
    const one = { filter, listener };
    this.#listening.add(one);
    return () => this.#listening.delete(one);
  }

  /** Tells of a packet; returns its number. */
  tell(event: TraceEvent, sides: TraceSides): number {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#observe?.(event);
    if (this.#listening.size > 0) this.#show(event, sides, id);
    return id;
  }

  /** What goes wrong here must not touch the packet: it counts as missed. */
  #show(event: TraceEvent, sides: TraceSides, id: number): void {
    const wanting = [...this.#listening].filter(({ filter }) => isWanted(event, sides, filter));
    if (wanting.length === 0) return;
    const atMs = this.#now();
    if (!this.#mayMake(atMs, event.packet.payload.length)) {
      for (const { listener } of wanting) listener.missed();
      return;
    }
    try {
      const line = traceLine(event, sides, { id, atMs });
      for (const { listener } of wanting) listener.line(line);
    } catch {
      for (const { listener } of wanting) listener.missed();
    }
  }

  #mayMake(nowMs: number, bytes: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) this.#made = 0;
    this.#second = second;
    if (this.#made >= linesPerSecond) return false;
    this.#made += 1 + Math.floor(bytes / bytesPerLine);
    return true;
  }
}

function isWanted({ gateway, messages, side }: TraceEvent, sides: TraceSides, filter: TraceFilter): boolean {
  if (filter.gateway !== undefined && filter.gateway !== gateway) return false;
  if (filter.kind === undefined && filter.device === undefined) return true;
  return messages.some(
    (message) =>
      (filter.kind === undefined || filter.kind === message.kind) &&
      (filter.device === undefined || filter.device === deviceNameOf(message, side, sides)),
  );
}

/** The local side's name for the device that a message is about. */
export function deviceNameOf(message: Message, side: TraceEvent["side"], { nameOf }: TraceSides): DeviceId | undefined {
  const device = "device" in message ? message.device : undefined;
  if (device === undefined || side === "local") return device;
  return nameOf(device) ?? device;
}
