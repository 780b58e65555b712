import { maskBytes, maskedDecoded, maskedPacket } from "../dialect/mask.ts";
import type { MessageRef } from "../message/fate.ts";
import type { DeviceId } from "../message/message.ts";
import type {
  RepairFilter,
  RepairOutcome,
  RepairStep,
  ShownMessage,
  SpoolRepair,
  WaitingMessage,
} from "../message/repair.ts";
import type { GatewaySpool, Spool, SpoolEntry, SpoolRecord } from "../spool/spool.ts";
import type { BoundDialects } from "./bound-dialects.ts";
import { explained } from "./explained.ts";
import { planRerun } from "./plan-rerun.ts";

/** What repair needs of a gateway's running link. */
export interface RepairLink {
  /** Tries the held messages of a device again. */
  retry(device: DeviceId): void;
  /** Whether messages of the record have been handed to the rules and have no fate yet. */
  isUnderWay(record: SpoolRecord): boolean;
  /** Takes up a message that was made open again. */
  again(ref: MessageRef, options: { readonly isShared: boolean }): void;
}

export interface RepairParts {
  /** The spool's folder, or `memory`. */
  readonly directory: string;
  readonly spool: Spool;
  readonly dialects: BoundDialects;
  /** The links of a running bridge. Left out: there is none, and all is read when one starts. */
  readonly linkOf?: (gateway: string) => RepairLink | undefined;
  readonly now?: () => number;
}

/** How many messages one step looks at, and at once: so much stops a running bridge for some 20 ms. */
const maxLooked = 2000;
const pageLimit = 500;
const maxExamples = 10;

/** Looks after what is held or quarantined, in a running bridge or in the files of one that is stopped. */
export function createRepair({ directory, spool, dialects, linkOf, now = Date.now }: RepairParts): SpoolRepair {
  return {
    directory,

    gateways: () => [...spool.gatewayIds()].sort(),

    list(step) {
      const messages: WaitingMessage[] = [];
      const next = walk(step, (gateway, entry) => messages.push(waitingMessage(gateway.id, entry)));
      return { messages, ...next };
    },

    show(gateway, { seq, index }) {
      if (!spool.gatewayIds().includes(gateway)) return undefined;
      const [entry] = spool.gateway(gateway).find(seq, index);
      return entry && shownMessage(gateway, entry);
    },

    async retry(step) {
      const kept: { id: string; reason: string }[] = [];
      const idle = new Set<string>();
      let done = 0;
      const next = walk(step, (gateway, entry) => {
        const link = linkOf?.(gateway.id);
        const objection = retryOne(gateway, entry, link);
        if (objection !== undefined) {
          kept.push({ id: idOf(entry.ref), reason: objection });
          return;
        }
        done += 1;
        if (linkOf !== undefined && link === undefined) idle.add(gateway.id);
      });
      await spool.flushed();
      return outcome(done, kept, { idle: [...idle], ...next });
    },

    async discard(step) {
      let done = 0;
      const next = walk(step, (gateway, { ref }) => {
        gateway.discard(ref);
        done += 1;
      });
      await spool.flushed();
      return outcome(done, [], { idle: [], ...next });
    },
  };

  /** Visits what fits, a bounded part of the spool; gives the place where the next step goes on. */
  function walk(
    { filter, limit, after }: RepairStep,
    visit: (gateway: GatewaySpool, entry: SpoolEntry) => void,
  ): { readonly next?: string } {
    const nowMs = now();
    const place = placeOf(after);
    const ids = spool.gatewayIds().filter((id) => filter.gateway === undefined || id === filter.gateway);
    let [looked, found] = [0, 0];
    for (const id of ids.sort()) {
      if (place !== undefined && id < place.gateway) continue;
      const gateway = spool.gateway(id);
      if (filter.seq !== undefined) {
        for (const entry of gateway.find(filter.seq, filter.index))
          if (fits(entry, filter, nowMs)) visit(gateway, entry);
        continue;
      }
      let from = place?.gateway === id ? place.from : undefined;
      do {
        if (looked >= maxLooked || found >= limit) return { next: placeText({ gateway: id, from }) };
        const size = Math.min(pageLimit, limit - found);
        const { entries, next } = gateway.look(filter, size, from);
        looked += size;
        for (const entry of entries) {
          if (!fits(entry, filter, nowMs)) continue;
          found += 1;
          visit(gateway, entry);
        }
        from = next;
      } while (from !== undefined);
    }
    return {};
  }

  /** Tries one message again, or says why not. */
  function retryOne(gateway: GatewaySpool, entry: SpoolEntry, link: RepairLink | undefined): string | undefined {
    const { record, ref, fate } = entry;
    // Another message of its packet may have brought it along.
    if (gateway.find(ref.seq, ref.index).length === 0) return undefined;
    if (fate.kind === "held" && link !== undefined) {
      link.retry(fate.device);
      return undefined;
    }
    const isUnderWay = link?.isUnderWay(record) === true;
    const decoded = dialects(gateway.id, record.dialect)?.decode("up", record.packet);
    const plan = planRerun(entry, decoded, isUnderWay);
    switch (plan.kind) {
      case "keep":
        return plan.reason;
      case "one":
        gateway.retry(ref);
        link?.again(ref, { isShared: isUnderWay });
        return undefined;
      case "packet":
        gateway.reopen(ref.seq, plan.count);
        link?.again(ref, { isShared: false });
        return undefined;
    }
  }

  function shownMessage(gateway: string, entry: SpoolEntry): ShownMessage {
    const { count, dialect: name, packet } = entry.record;
    const dialect = dialects(gateway, name);
    const shown = { ...waitingMessage(gateway, entry), qos: packet.qos, payload: packet.payload, messages: count };
    if (dialect === undefined) return { ...shown, maskedPayload: maskBytes };
    const explanation = dialect.explain("up", packet);
    const { decoded } = explanation;
    const read =
      decoded.kind === "unknownTopic"
        ? { rule: undefined, messages: [] }
        : { rule: decoded.rule, messages: decoded.kind === "messages" ? decoded.messages : [] };
    return {
      ...shown,
      maskedPayload: maskedPacket(packet, { dialect: dialect.dialect, ...read }).payload,
      reading: explained({ ...explanation, decoded: maskedDecoded(decoded) }),
    };
  }
}

function fits({ fate, record }: SpoolEntry, { fate: kind, reason, minAgeMs }: RepairFilter, nowMs: number): boolean {
  if (kind !== undefined && fate.kind !== kind) return false;
  if (minAgeMs !== undefined && nowMs - record.arrivedMs < minAgeMs) return false;
  return reason === undefined || fate.reason.toLowerCase().includes(reason.toLowerCase());
}

function waitingMessage(gateway: string, { ref, fate, record }: SpoolEntry): WaitingMessage {
  return {
    id: idOf(ref),
    gateway,
    ...(fate.device === undefined ? {} : { device: fate.device }),
    fate: fate.kind,
    reason: fate.reason,
    arrivedMs: record.arrivedMs,
    dialect: record.dialect,
    topic: record.packet.topic,
    bytes: record.packet.payload.length,
  };
}

function idOf({ seq, index }: MessageRef): string {
  return `${seq}.${index}`;
}

function outcome(
  done: number,
  kept: readonly { readonly id: string; readonly reason: string }[],
  rest: Pick<RepairOutcome, "idle" | "next">,
): RepairOutcome {
  return { done, kept: kept.length, examples: kept.slice(0, maxExamples), ...rest };
}

interface Place {
  readonly gateway: string;
  readonly from: string | undefined;
}

function placeText({ gateway, from }: Place): string {
  return Buffer.from(JSON.stringify([gateway, from ?? ""])).toString("base64url");
}

/** A text that is no place begins at the beginning. */
function placeOf(text: string | undefined): Place | undefined {
  if (text === undefined) return undefined;
  try {
    const [gateway, from] = JSON.parse(Buffer.from(text, "base64url").toString()) as readonly unknown[];
    if (typeof gateway !== "string" || typeof from !== "string") return undefined;
    return { gateway, from: from === "" ? undefined : from };
  } catch {
    return undefined;
  }
}
