import type { Encoded } from "../dialect/dialect.ts";
import type { GatewayEffect } from "../gateway/event.ts";
import type { Decoded } from "../message/decoded.ts";
import type { Fate } from "../message/fate.ts";
import type { DeviceId, Message } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import type { LinkParts } from "./link.ts";
import type { TraceEvent } from "./trace.ts";

type Printed = Extract<Encoded, { kind: "packet" }>;

interface Admitted {
  readonly record?: number;
  readonly fates?: ReadonlyMap<number, Fate>;
}

type LinkTraceParts = Pick<LinkParts, "id" | "engine" | "local" | "log" | "upstream" | "mapping" | "trace">;

/** Tells of one link's packets, and which of them follow from which. Does nothing while nobody listens. */
export class LinkTrace {
  readonly #parts: LinkTraceParts;
  /** What goes out before this is taken back follows from it. */
  #origin: Pick<TraceEvent, "records" | "cause"> = {};

  constructor(parts: LinkTraceParts) {
    this.#parts = parts;
  }

  /** A packet that came, how it was read, the record that it is if it was kept, and what was decided at once. */
  cameIn(side: TraceEvent["side"], packet: Packet, decoded: Decoded, admitted: Admitted = {}): void {
    if (this.#parts.trace?.isOn !== true) return;
    const messages = decoded.kind === "messages" ? decoded.messages : [];
    const { record, fates } = admitted;
    const records = record === undefined ? {} : { records: [record] };
    const rule = decoded.kind === "unknownTopic" ? {} : { rule: decoded.rule };
    const decided = fates === undefined ? {} : { fates: fates.values() };
    const cause = this.#tell({ side, direction: "in", packet, messages, decoded, ...rule, ...records, ...decided });
    if (cause === undefined) return;
    this.#origin = side === "local" ? records : { cause };
  }

  /** All that follows at once from the packet that came has gone. */
  followed(): void {
    this.#origin = {};
  }

  /** What is put off follows from the same packet when it is done. */
  later(action: () => void): () => void {
    if (this.#parts.trace?.isOn !== true) return action;
    const origin = this.#origin;
    return () => {
      const present = this.#origin;
      this.#origin = origin;
      action();
      this.#origin = present;
    };
  }

  goesUp({ packet, rule }: Printed, { token, message }: Extract<GatewayEffect, { kind: "publish" }>): void {
    if (this.#parts.trace?.isOn !== true) return;
    const carried = this.#parts.engine.recordsOf(token);
    const origin = carried.length > 0 ? { records: carried } : this.#origin;
    this.#tell({ side: "upstream", direction: "out", packet, rule, messages: [message], ...origin });
  }

  goesDown({ packet, rule }: Printed, message: Message): void {
    this.#tell({ side: "local", direction: "out", packet, rule, messages: [message], ...this.#origin });
  }

  /** What goes wrong in whoever watches must not touch the packet. */
  #tell(event: Omit<TraceEvent, "gateway">): number | undefined {
    const { engine, id, local, log, mapping, trace, upstream } = this.#parts;
    if (trace?.isOn !== true) return undefined;
    const sides = { local, upstream, mapping, nameOf: (device: DeviceId) => engine.nameOf(device) };
    try {
      return trace.tell({ gateway: id, ...event }, sides);
    } catch (error) {
      log.error({ gateway: id, during: "trace", err: error }, "internal-error");
      return undefined;
    }
  }
}
